/** The log of the view. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { finish } from '../../source/facts/pieces.ts';
import type { SnapshotContext } from '../../source/facts/snapshot.ts';
import type { DockerEvent } from '../../source/host/host.ts';
import type { ContainerReading } from '../../source/host/readings.ts';
import { ViewKeeper } from '../../source/live/view.ts';
import { container, docker, now, ok, readings } from '../facts/build.ts';

const of = (...containers: ContainerReading[]) => readings({ docker: ok(docker({ containers })) });

test('what is seen late stands in the log where Docker says that it happened', () => {
  const [web, other] = [container('web', { pid: 1 }), container('other', { pid: 2 })];
  const rename: DockerEvent = {
    type: 'container',
    action: 'rename',
    id: web.id,
    attributes: { oldName: '/web', name: 'site' },
    at: now + 300,
  };
  const context = (ms: number): SnapshotContext => ({
    now: now + ms,
    host: { kind: 'live', name: 'host1', uid: 0, dockerEndpoint: 'unix:///x' },
    hints: { events: new Map([[web.id, [rename]]]), daemonRestarts: [], following: true },
  });
  const view = new ViewKeeper(of(web, other), context(0), () => false);
  const show = (ms: number, ...containers: ContainerReading[]) => {
    finish(view.update(of(...containers), context(ms), {}, () => false));
  };
  const ended = { ...other, pid: 0, state: 'exited' as const, exitCode: 0, finishedAt: now + 900 };
  show(1000, web, ended);
  show(1500, { ...web, name: 'site' }, ended);
  assert.deepEqual(
    view.store.latest.events.map(({ at, text }) => `${Date.parse(at) - now} ${text}`),
    ['900 other exited with 0', '300 web is now called site'],
  );
});
