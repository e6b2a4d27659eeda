import assert from 'node:assert/strict';
import { it } from 'node:test';
import { keepListeners, listenerEvents, type KnownListeners } from '../../source/facts/listener-events.ts';
import type { Listener } from '../../source/facts/schema.ts';
import { socket as reading } from './build.ts';

const socket = (address: string, owner: Listener['owner'], pid = 7): Listener => ({
  proto: 'tcp',
  address,
  port: 8080,
  pid,
  process: 'docker-proxy',
  owner,
});
const ofWeb: Listener['owner'] = {
  kind: 'container',
  containerId: 'a'.repeat(64),
  containerName: 'web',
  via: 'docker-proxy',
};
const ofNobody: Listener['owner'] = { kind: 'docker', via: 'docker-proxy', reason: 'no running container has it' };

/** What is told as the listeners go through these states, each at its time in ms. */
function story(...states: [at: number, listeners: Listener[] | null][]): string[] {
  let known: KnownListeners = keepListeners(undefined, [], 0);
  return states.flatMap(([at, listeners]) => {
    const after = keepListeners(known, listeners, at);
    const told = listenerEvents(known, after, '2026-01-01T00:00:00.000Z').map(({ text }) => text);
    assert.equal(keepListeners(after, listeners, at), after);
    known = after;
    return told;
  });
}

it('waits for the name of the container that is being served, and keeps it to the end', () => {
  assert.deepEqual(
    story(
      [0, [socket('0.0.0.0', ofNobody), socket('::', ofNobody)]],
      [90, [socket('0.0.0.0', ofWeb), socket('::', ofWeb)]],
      [5000, [socket('0.0.0.0', ofNobody), socket('::', ofNobody)]],
      [5100, [socket('::', ofNobody)]],
      [5200, []],
    ),
    [
      '0.0.0.0 and [::]:8080/tcp opened by container web',
      '0.0.0.0:8080/tcp closed; it was held by container web',
      '[::]:8080/tcp closed; it was held by container web',
    ],
  );
});

it('tells of one that nobody claims after a while, and of none that was gone before', () => {
  assert.deepEqual(
    story(
      [0, [socket('0.0.0.0', ofNobody)]],
      [1000, [socket('0.0.0.0', ofNobody)]],
      [3500, [socket('0.0.0.0', ofNobody)]],
      [9000, []],
    ),
    ['0.0.0.0:8080/tcp opened by docker-proxy (pid 7)', '0.0.0.0:8080/tcp closed; it was held by docker-proxy (pid 7)'],
  );
  assert.deepEqual(story([0, [socket('0.0.0.0', ofNobody)]], [500, []]), []);
});

it('tells nothing of a place that another socket takes over, nor of listeners that cannot be read', () => {
  assert.deepEqual(
    story(
      [0, [socket('0.0.0.0', ofWeb)]],
      [100, [socket('0.0.0.0', ofNobody, 8)]],
      [200, null],
      [300, [socket('0.0.0.0', ofWeb, 8)]],
    ),
    ['0.0.0.0:8080/tcp opened by container web'],
  );
});

const moveOn = (listener: Listener, known: KnownListeners, at: number, inode: number): KnownListeners =>
  keepListeners(known, [listener], at, [reading(listener.address, listener.port, { inode })]);

it('keeps the owner of a socket that is still there when its process has ended, and not that of another one', () => {
  const gone: Listener = {
    ...socket('0.0.0.0', { kind: 'unknown', reason: 'it was closed again before its process was looked up' }),
    pid: null,
    process: null,
  };
  const closing = (inode: number): string[] => {
    const web = socket('0.0.0.0', ofWeb);
    const first = moveOn(web, keepListeners(undefined, [], 0), 100, 5);
    // Its process may have opened it anew meanwhile.
    const last = moveOn(gone, moveOn(web, first, 200, 6), 5000, inode);
    return listenerEvents(last, keepListeners(last, [], 5100, []), '2026-01-01T00:00:00.000Z').map(({ text }) => text);
  };
  assert.deepEqual(closing(6), ['0.0.0.0:8080/tcp closed; it was held by container web']);
  assert.match(closing(7).join(), /^0\.0\.0\.0:8080\/tcp closed; it was held by a process that is not known \(it was/);
});

it('takes whoever is named last where it was not known at first', () => {
  const unknown: Listener['owner'] = { kind: 'unknown', reason: 'not read' };
  const first = { ...socket('0.0.0.0', unknown), pid: null, process: null };
  assert.deepEqual(
    story([0, [first]], [100, [socket('0.0.0.0', ofNobody)]], [200, [socket('0.0.0.0', ofWeb)]], [300, []]),
    [
      '0.0.0.0:8080/tcp opened by a process that is not known (not read)',
      '0.0.0.0:8080/tcp closed; it was held by container web',
    ],
  );
});

const on = (device: string): Listener => ({ ...socket('0.0.0.0', { kind: 'process' }), device });

it('tells the interface that one is bound to, and of each such socket apart', () => {
  assert.deepEqual(story([0, [on('eth0'), on('docker0')]], [100, [on('eth0')]]), [
    '0.0.0.0:8080/tcp on eth0 opened by docker-proxy (pid 7)',
    '0.0.0.0:8080/tcp on docker0 opened by docker-proxy (pid 7)',
    '0.0.0.0:8080/tcp on docker0 closed; it was held by docker-proxy (pid 7)',
  ]);
});
