import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  emptyMemory,
  facts,
  judgement,
  sayTheSame,
  snapshot,
  withFindings,
  type SnapshotContext,
} from '../../source/facts/snapshot.ts';
import { finish } from '../../source/facts/pieces.ts';
import type { ContainerReading, Readings } from '../../source/host/readings.ts';
import { container, docker, endpoint, inside, link, now, ok, port, readings, socket } from './build.ts';

const context = (ms = 0): SnapshotContext => ({
  now: now + ms,
  host: { kind: 'live', name: 'host1', uid: 0, dockerEndpoint: 'unix:///x' },
  hints: { events: new Map(), daemonRestarts: [], following: false },
});

const app = (hostPort: string, startedAt: number): ContainerReading =>
  container('app', {
    pid: startedAt % 100_000,
    startedAt,
    inspectedAt: startedAt + 100,
    endpoints: [endpoint('bridge', { ipv4: '172.17.0.2' })],
    requestedPorts: [port('', 80)],
    publishedPorts: [port(hostPort, 80, { hostIp: '0.0.0.0' }), port(hostPort, 80, { hostIp: '::' })],
  });

const host = (subject: ContainerReading, at = now): Partial<Readings> => ({
  docker: ok(docker({ containers: [subject] }), at),
  links: ok({ links: [link(1, 'lo')], routes: [], traffic: {} }, at),
});

const codes = ({ findings }: { findings: readonly { code: string }[] }) => findings.map(({ code }) => code);

const types = (events: readonly { type: string }[]) => events.map(event => event.type);

test('the first snapshot is no event; what follows is', () => {
  const first = snapshot(emptyMemory(), readings(host(app('32768', now))), context());
  assert.deepEqual(first.events, []);
  const listens = readings({
    ...host(app('32768', now)),
    sockets: ok({ listeners: [socket('0.0.0.0', 22)], holding: [] }, now + 1000),
  });
  const second = snapshot(first.memory, listens, context(1000));
  assert.ok(types(second.events).includes('listener-opened'), types(second.events).join());
});

test('sources that come in one by one are no events, nor are findings until all were asked', () => {
  const pending = { state: 'pending' } as const;
  const early = readings({ docker: pending, links: pending, sockets: pending, netfilter: pending, kernel: pending });
  const first = snapshot(emptyMemory(), early, context());
  assert.equal(first.snapshot.sources.docker?.state, 'failed');
  assert.equal(first.snapshot.listeners, null);
  const second = snapshot(first.memory, readings(host(app('32768', now))), context(100));
  assert.deepEqual(second.events, []);
  assert.equal(second.snapshot.containers.length, 1);
});

test('no view shows a finding beside what contradicts it, however old the judgement is', () => {
  const runs = app('32768', now - 4000);
  const at = (state: ContainerReading['state'], ms: number) => readings(host({ ...runs, state }, now + ms));
  const first = snapshot(emptyMemory(), at('running', 0), context());
  const paused = facts(first.memory, at('paused', 1000), context(1000));
  const judged = finish(judgement(paused.memory, at('paused', 1000), context(1000)))!;
  // Unpaused while that was being judged.
  const during = facts(paused.memory, at('running', 2000), context(2000));
  assert.deepEqual(codes(withFindings(during.memory, judged).snapshot), []);
  // After it, and before the next; nor does that one keep it, though it knows nothing of what is inside.
  const found = withFindings(paused.memory, judged);
  assert.deepEqual(codes(found.snapshot), ['nothing-listening']);
  const after = facts(found.memory, at('running', 2000), context(2000));
  assert.deepEqual([codes(after.snapshot), types(after.events)], [[], ['container-unpaused', 'finding-cleared']]);
  assert.deepEqual(codes(snapshot(found.memory, at('running', 2000), context(2000)).snapshot), []);
});

test('a port that moved is told once, newest first, and a failed source forgets none', () => {
  const first = snapshot(emptyMemory(), readings(host(app('32768', now))), context());
  const later = now + 10_000;
  const moved = snapshot(first.memory, readings(host(app('32770', later), later)), context(15_000));
  assert.deepEqual(types(moved.events).filter(type => type === 'port-changed').length, 1);
  assert.deepEqual(
    moved.snapshot.portChanges.map(change => [change.from[0]?.hostPort, change.to[0]?.hostPort]),
    [[32768, 32770]],
  );
  const silent = { state: 'failed', reason: 'refused', at: later } as const;
  const lost = snapshot(
    moved.memory,
    readings({ ...host(app('32770', later), later), docker: { ...silent, value: docker({ containers: [] }) } }),
    context(20_000),
  );
  assert.equal(lost.snapshot.portChanges, moved.snapshot.portChanges);
  assert.equal(lost.memory.ledger, moved.memory.ledger);
});

test('a change made while netdash was away is told although there is no snapshot before', () => {
  const first = snapshot(emptyMemory(), readings(host(app('32768', now))), context());
  const ledger = structuredClone(first.memory.ledger);
  for (const entry of Object.values(ledger.containers)) entry.away = true;
  const later = now + 60_000;
  const back = snapshot(emptyMemory(ledger), readings(host(app('32800', later), later)), context(61_000));
  assert.deepEqual(types(back.events), ['port-changed']);
  assert.equal(back.snapshot.portChanges[0]?.cause, 'while-away');
});

test('two snapshots of the same readings differ in time alone', () => {
  const same = readings(host(app('32768', now)));
  const first = snapshot(emptyMemory(), same, context());
  const second = snapshot(first.memory, same, context(5000));
  assert.equal(sayTheSame(first.snapshot, second.snapshot), true);
  assert.notEqual(first.snapshot.takenAt, second.snapshot.takenAt);
  const read = { ...same, sockets: { state: 'failed', reason: 'needs root' } as const };
  assert.equal(sayTheSame(second.snapshot, snapshot(second.memory, read, context(6000)).snapshot), false);
});

test('findings are judged again for what is new, seen for the second time, or due by time alone', () => {
  const subject = { ...app('32768', now - 600_000), inspectedAt: now };
  const same = readings(host(subject));
  const at = (ms: number) => ({ ...same, docker: { ...same.docker, at: now + ms } });
  let memory = snapshot(emptyMemory(), same, context()).memory;
  const judgedAgain = (next: Readings, ms: number) => {
    const before = memory.sightings;
    memory = snapshot(memory, next, context(ms)).memory;
    return memory.sightings !== before;
  };
  assert.equal(judgedAgain(same, 1000), false);
  assert.equal(judgedAgain(at(2000), 2000), true, 'confirmed');
  assert.equal(judgedAgain(at(4000), 4000), false, 'confirmed before');
  assert.equal(judgedAgain({ ...at(4000), kernel: { state: 'failed', reason: 'gone' } }, 5000), true, 'lost');
  assert.equal(judgedAgain({ ...at(4000), kernel: { state: 'failed', reason: 'gone' } }, 60_000), true, 'time');
  const traffic = { eth0: { rxBytes: 1, rxPackets: 0, rxDropped: 0, txBytes: 1, txPackets: 0, txDropped: 0 } };
  const links = same.links.value;
  assert.ok(links);
  const counted = {
    ...at(4000),
    links: ok({ ...links, traffic }),
    kernel: { state: 'failed', reason: 'gone' } as const,
  };
  assert.equal(judgedAgain(counted, 61_000), false, 'counters');
});

test('what a look in turn confirms inside a container is judged when time is, a second look that was asked for at once', () => {
  const subject = { ...app('32768', now - 600_000), inspectedAt: now };
  const stepMs = 30_000;
  const begins = stepMs - (now % stepMs);
  const looks = [0, 1].map(count => inside(subject, [], { listeners: count === 0 ? [] : [socket('0.0.0.0', 80)] }));
  const known = readings(host(subject));
  let memory = emptyMemory();
  const judgedAgain = (ms: number, look: number) => {
    const read = looks[look]?.[subject.id];
    assert.ok(read);
    const before = memory.sightings;
    const next = { ...known, inside: { [subject.id]: { ...read, at: now + ms } } };
    memory = snapshot(memory, next, context(begins + ms)).memory;
    return memory.sightings !== before;
  };
  assert.equal(judgedAgain(0, 0), true, 'first seen');
  assert.equal(judgedAgain(25_000, 0), false, 'in turn');
  assert.equal(judgedAgain(stepMs, 0), true, 'time');
  assert.equal(judgedAgain(stepMs + 1000, 1), true, 'new');
  assert.equal(judgedAgain(stepMs + 3000, 1), true, 'asked for');
  assert.equal(judgedAgain(stepMs + 4000, 1), false, 'confirmed before');
});
