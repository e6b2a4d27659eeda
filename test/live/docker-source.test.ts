/** Docker that goes away and comes back, told first by whatever is asked first. In time that passes at will. */
import { pass } from '../../bench/growth/virtual-time.ts';
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { GrownHost } from '../../bench/growth/grown-host.ts';
import { HostError, type DockerEvent, type Host } from '../../source/host/host.ts';
import { loadRecording } from '../../source/host/recording/load.ts';
import { DockerSource } from '../../source/live/docker-source.ts';

const file = join(import.meta.dirname, '..', '..', 'bench', 'growth', 'host.json.gz');

const gone = () => new HostError('refused', 'no Docker daemon at unix:///run/docker.sock: nothing listens');

test('that the daemon was away is known with the first list that it gives, and its events are followed at once', async () => {
  const { host: recorded } = new GrownHost(await loadRecording(file), { containers: 3, rules: 0, listeners: 0 });
  let isAway = false;
  const tries: number[] = [];
  let tell: ((event: DockerEvent) => void) | undefined;
  let cut: ((error?: HostError) => void) | undefined;
  const host: Host = {
    ...recorded,
    docker: {
      ...recorded.docker,
      endpoint: 'unix:///run/docker.sock',
      get: (path, options) => (isAway ? Promise.reject(gone()) : recorded.docker.get(path, options)),
      events: (_filters, onEvent, onOpen) => {
        tries.push(performance.now());
        tell = onEvent;
        if (isAway) return { stop: () => undefined, ended: Promise.resolve(gone()) };
        const ended = new Promise<HostError | undefined>(resolve => (cut = resolve));
        onOpen?.();
        return { stop: () => cut?.(), ended };
      },
    },
  };
  const backs: number[] = [];
  const source = new DockerSource({
    host,
    follows: true,
    onReading: () => {
      if (!isAway && source.reading.state !== 'failed') backs.push(source.memory.hints(true).daemonRestarts.length);
    },
    onEvent: () => undefined,
  });
  const started = source.start();
  await pass(1000);
  await started;
  assert.equal(source.following, true);
  assert.equal(backs.at(-1), 0);

  tell?.({ type: 'daemon', action: 'reload', id: 'here', attributes: {}, at: 7 });
  assert.equal(source.memory.hints(source.following).cutAt, undefined);
  backs.length = 0;
  isAway = true;
  cut?.(gone());
  await pass(60_000);
  assert.equal(source.following, false);
  // The stream has just been tried, and is next tried ten seconds later.
  await pass(10_000 - ((performance.now() - tries.at(-1)!) % 10_000));
  assert.ok(performance.now() - tries.at(-1)! < 100);
  isAway = false;
  const refreshed = source.refresh();
  await pass(100);
  await refreshed;
  assert.deepEqual(backs.slice(0, 1), [1], 'when the containers were told');
  assert.equal(source.following, true);
  assert.equal(source.memory.hints(true).daemonRestarts.length, 1);
  assert.equal(source.memory.hints(source.following).cutAt, 7, 'after it there may have been others');
  await source.stop();
});
