/** Recordings: what is written down, what is replayed and when, and what a file must be. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import * as fc from 'fast-check';
import { HostError, type DockerEvent, type Host, type Subscription } from '../../source/host/host.ts';
import type { Recording } from '../../source/host/recording/format.ts';
import { loadRecording, packRecording, parseRecording } from '../../source/host/recording/load.ts';
import { recordHost } from '../../source/host/recording/record-host.ts';
import { replayHost, type Clock } from '../../source/host/recording/replay-host.ts';
import { UsageError } from '../../source/host/usage-error.ts';
import { rounds } from '../rounds.ts';

/** Time that passes only when told to. */
class ManualClock implements Clock {
  #now = 1_000_000;
  #waiting: { at: number; callback: () => void }[] = [];
  now = () => this.#now;
  after = (ms: number, callback: () => void) => {
    const entry = { at: this.#now + ms, callback };
    this.#waiting.push(entry);
    return () => {
      this.#waiting = this.#waiting.filter(each => each !== entry);
    };
  };
  pass(ms: number): void {
    const until = this.#now + ms;
    for (;;) {
      const next = this.#waiting.filter(({ at }) => at <= until).sort((a, b) => a.at - b.at)[0];
      if (!next) break;
      this.#waiting = this.#waiting.filter(each => each !== next);
      this.#now = Math.max(this.#now, next.at);
      next.callback();
    }
    this.#now = until;
  }
}

const event = (id: string, type = 'container', action = 'start'): DockerEvent => ({
  type,
  action,
  id,
  attributes: { name: id },
  at: 1,
});

/** A host whose answers the test sets. */
function scriptedHost() {
  const state = {
    now: Date.parse('2026-01-02T03:04:05.000Z'),
    files: { '/a': 'one' } as Record<string, string | HostError>,
    docker: { '/version': { Version: '1' } } as Record<string, unknown>,
    emit: undefined as ((event: DockerEvent) => void) | undefined,
    line: undefined as ((line: string) => void) | undefined,
    end: undefined as ((error?: HostError) => void) | undefined,
  };
  const subscribe = (): Subscription => {
    const ended = new Promise<HostError | undefined>(resolve => {
      state.end = resolve;
    });
    return { stop: () => state.end!(), ended };
  };
  const file = (path: string) => state.files[path] ?? new HostError('missing', `${path}: no such file`);
  const host: Host = {
    kind: 'live',
    name: 'scripted',
    uid: 0,
    now: () => state.now,
    readFile: async path => {
      const content = file(path);
      if (content instanceof HostError) throw content;
      return content;
    },
    readFiles: paths => paths.map(file),
    readLinks: paths => paths.map(path => (path === '/link' ? 'target' : new HostError('denied', `${path}: no`))),
    list: async () => ['x', 'y'],
    run: async (tool, args) => ({ code: 3, signal: null, stdout: `${tool} ${args.join(',')}`, stderr: '' }),
    follow: (_tool, _args, onLine) => {
      state.line = onLine;
      return subscribe();
    },
    docker: {
      endpoint: 'unix:///scripted',
      get: async path => {
        if (path in state.docker) return state.docker[path];
        throw new HostError('missing', `Docker: ${path} (HTTP 404)`);
      },
      events: (_filters, onEvent, onOpen) => {
        state.emit = onEvent;
        onOpen?.();
        return subscribe();
      },
    },
  };
  return { host, state };
}

const throughFile = (recording: Recording) => parseRecording(packRecording(recording));

test('what was answered is replayed, errors too, and what was not asked is missing', async () => {
  const { host, state } = scriptedHost();
  state.files['/denied'] = new HostError('denied', '/denied: permission denied');
  const recorded = recordHost(host, { version: '1.2.3', title: 'a title' });
  await recorded.host.readFile('/a');
  recorded.host.readFiles(['/denied', '/nothing']);
  recorded.host.readLinks(['/link', '/other']);
  await recorded.host.list('/folder');
  await recorded.host.run('ip', ['-j', 'addr']);
  await recorded.host.docker.get('/version');
  await assert.rejects(recorded.host.docker.get('/services'));
  const replay = replayHost(throughFile(recorded.recording()));
  assert.equal(replay.kind, 'recording');
  assert.equal(replay.name, 'a title');
  assert.equal(replay.docker.endpoint, 'unix:///scripted');
  assert.equal(await replay.readFile('/a'), 'one');
  const [denied, nothing] = replay.readFiles(['/denied', '/nothing']);
  assert.deepEqual(denied, new HostError('denied', '/denied: permission denied'));
  assert.equal((nothing as HostError).code, 'missing');
  assert.equal(replay.readLinks(['/link', '/other'])[0], 'target');
  assert.equal((replay.readLinks(['/other'])[0] as HostError).code, 'denied');
  assert.deepEqual(await replay.list('/folder'), ['x', 'y']);
  assert.equal((await replay.run('ip', ['-j', 'addr'])).stdout, 'ip -j,addr');
  assert.deepEqual(await replay.docker.get('/version'), { Version: '1' });
  await assert.rejects(replay.docker.get('/services'), { code: 'missing', message: /HTTP 404/ });
  for (const asked of [replay.docker.get('/info'), replay.readFile('/b'), replay.list('/b'), replay.run('ss', [])]) {
    await assert.rejects(asked, { code: 'missing', message: /is not in the recording/ });
  }
  assert.match(
    String((await replay.follow('ip', ['monitor'], () => undefined).ended)?.message),
    /not in the recording/,
  );
});

test('no environment is written down, neither Docker’s nor a process’s', async () => {
  const { host, state } = scriptedHost();
  state.files['/proc/7/environ'] = 'SECRET=hunter2';
  state.docker['/containers/x/json'] = { Id: 'x', Config: { Env: ['SECRET=hunter2'], Labels: { a: 'b' } } };
  const recorded = recordHost(host, { version: '1' });
  recorded.host.readFiles(['/proc/7/environ', '/a']);
  const answer = await recorded.host.docker.get('/containers/x/json');
  assert.match(JSON.stringify(answer), /hunter2/, 'the reader gets the answer whole');
  const text = JSON.stringify(recorded.recording());
  assert.ok(!text.includes('hunter2'));
  assert.match(text, /"Labels":\{"a":"b"\}/);
});

test('frames after the first hold what changed, and are replayed at their time', async () => {
  const { host, state } = scriptedHost();
  const recorded = recordHost(host, { version: '1' });
  await recorded.host.readFile('/a');
  await recorded.host.docker.get('/version');
  state.now += 1000;
  recorded.mark();
  await recorded.host.docker.get('/version');
  state.now += 1000;
  recorded.mark();
  state.files['/a'] = 'two';
  await recorded.host.readFile('/a');
  state.files['/late'] = 'late';
  await recorded.host.readFile('/late');
  const recording = throughFile(recorded.recording());
  assert.deepEqual(
    recording.frames.map(({ atMs }) => atMs),
    [0, 2000],
  );
  assert.deepEqual(recording.frames[1], { atMs: 2000, files: { '/a': 'two', '/late': 'late' } });
  const clock = new ManualClock();
  const replay = replayHost(recording, { clock, speed: 2 });
  assert.equal(replay.now(), Date.parse('2026-01-02T03:04:05.000Z'));
  assert.equal(await replay.readFile('/late'), 'late', 'first asked later: the first answer counts from the start');
  clock.pass(999);
  assert.equal(await replay.readFile('/a'), 'one');
  clock.pass(1);
  assert.equal(await replay.readFile('/a'), 'two');
  clock.pass(3_600_000);
  assert.equal(await replay.readFile('/a'), 'two', 'after the last frame it stays so');
  assert.equal(await replayHost(recording, { clock, startMs: 2000 }).readFile('/a'), 'two');
});

test('frames are cut by time when that is asked for', async () => {
  const { host, state } = scriptedHost();
  const recorded = recordHost(host, { version: '1', frameMs: 500 });
  for (let count = 0; count < 6; count += 1) {
    state.files['/a'] = `${count}`;
    await recorded.host.readFile('/a');
    state.now += 300;
  }
  assert.deepEqual(
    recorded.recording().frames.map(({ atMs, files }) => [atMs, files?.['/a']]),
    [
      [0, '1'],
      [600, '3'],
      [1200, '5'],
    ],
  );
});

test('events and followed lines come at their time, filtered, until the stream ended', async () => {
  const { host, state } = scriptedHost();
  const recorded = recordHost(host, { version: '1' });
  recorded.host.docker.events({}, () => undefined);
  const emit = (atMs: number, what: DockerEvent) => {
    state.now = Date.parse('2026-01-02T03:04:05.000Z') + atMs;
    state.emit!(what);
  };
  emit(100, event('a'));
  emit(200, event('b', 'network', 'connect'));
  emit(300, event('c', 'container', 'die'));
  emit(400, event('d'));
  state.end!(new HostError('refused', 'the daemon died'));
  await new Promise(resolve => setImmediate(resolve));
  recorded.host.follow('ip', ['monitor'], () => undefined);
  state.line!('link changed');
  const clock = new ManualClock();
  const replay = replayHost(throughFile(recorded.recording()), { clock });
  const seen: string[] = [];
  const filters = { type: ['container'], event: ['start'] };
  const subscription = replay.docker.events(
    filters,
    ({ id }) => seen.push(id),
    () => seen.push('open'),
  );
  const lines: string[] = [];
  replay.follow('ip', ['monitor'], line => lines.push(line));
  clock.pass(99);
  assert.deepEqual(seen, ['open']);
  clock.pass(1);
  assert.deepEqual(seen, ['open', 'a']);
  clock.pass(10_000);
  assert.deepEqual(seen, ['open', 'a', 'd']);
  assert.deepEqual(lines, ['link changed']);
  assert.deepEqual(await subscription.ended, new HostError('refused', 'the daemon died'));
  const again = replay.docker.events(filters, () => assert.fail());
  assert.equal((await again.ended)?.message, 'the daemon died');
});

test('a stopped replay is silent', async () => {
  const { host, state } = scriptedHost();
  const recorded = recordHost(host, { version: '1' });
  recorded.host.docker.events({}, () => undefined);
  state.now += 100;
  state.emit!(event('a'));
  const clock = new ManualClock();
  const subscription = replayHost(recorded.recording(), { clock }).docker.events({}, () => assert.fail());
  subscription.stop();
  clock.pass(1000);
  assert.equal(await subscription.ended, undefined);
});

const folder = mkdtempSync(join(tmpdir(), 'netdash-recording-'));
after(() => rmSync(folder, { recursive: true }));

const minimal: Recording = {
  schema: 'netdash-recording/1',
  title: 't',
  recordedAt: '2026-01-02T03:04:05.000Z',
  netdash: '1',
  host: { name: 'h', uid: 0 },
  endpoint: 'unix:///x',
  frames: [{ atMs: 0 }],
  dockerEvents: [],
};

test('recordings are read packed and unpacked', async () => {
  for (const content of [JSON.stringify(minimal), packRecording(minimal)]) {
    writeFileSync(join(folder, 'file'), content);
    assert.deepEqual(await loadRecording(join(folder, 'file')), minimal);
  }
});

test('a file that is no recording is refused in one line that names it', async () => {
  const damaged = { ...minimal, frames: [{ atMs: 0, files: { '/a': 5 } }] };
  const cases: [content: string | Buffer, message: RegExp][] = [
    ['{', /no JSON/],
    ['[]', /has no "schema"/],
    [JSON.stringify({ ...minimal, schema: 'netdash-recording/9' }), /its schema is "netdash-recording\/9"/],
    [JSON.stringify({ ...minimal, frames: [] }), /damaged at frames/],
    [JSON.stringify({ ...minimal, recordedAt: 'yesterday' }), /damaged at recordedAt/],
    [JSON.stringify(damaged), /damaged at frames\.0\.files\.\/a/],
    [gzipSync('x'.repeat(1000)).subarray(0, 20), /cannot be unpacked \(it is cut off\)/],
  ];
  const file = join(folder, 'bad.json.gz');
  for (const [content, message] of cases) {
    writeFileSync(file, content);
    await assert.rejects(loadRecording(file), (error: unknown) => {
      assert.ok(error instanceof UsageError, String(error));
      assert.ok(error.message.startsWith(file));
      assert.match(error.message, message);
      assert.ok(!error.message.includes('\n'));
      return true;
    });
  }
  await assert.rejects(loadRecording(join(folder, 'absent')), /there is no such file/);
  await assert.rejects(loadRecording(folder), /it is a folder/);
  // Says that it is empty, and never ends.
  await assert.rejects(loadRecording('/dev/zero'), /more than 256 MiB: too large to replay/);
});

test('whatever a file holds, it is a recording or it is refused', () => {
  const json = fc.oneof(
    fc.json(),
    fc.jsonValue().map(frames => JSON.stringify({ ...minimal, frames })),
  );
  fc.assert(
    fc.property(json, content => {
      try {
        assert.equal(parseRecording(content).schema, 'netdash-recording/1');
      } catch (error) {
        assert.ok(error instanceof UsageError, String(error));
      }
    }),
    { numRuns: rounds(100) },
  );
});
