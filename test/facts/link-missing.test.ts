/** A container whose veth somebody deleted; the deletion itself is tried on a real host in test/e2e. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { ContainerReading, InsideInterface, Readings } from '../../source/host/readings.ts';
import { keepEarlier, type ReadingHistory } from '../../source/facts/findings/earlier.ts';
import { containersThatLostLinks } from '../../source/facts/findings/link-missing.ts';
import { joinFacts } from '../../source/facts/join.ts';
import { container, docker, endpoint, inner, inside, link, network, now, ok, readings, veth } from './build.ts';
import { briefly, judging } from './judging.ts';

const mac = '02:42:ac:11:00:02';
const web = (rest: Partial<ContainerReading> = {}): ContainerReading =>
  container('web', {
    pid: 77,
    endpoints: [endpoint('bridge', { ipv4: '172.17.0.2', mac })],
    inspectedAt: now - 60_000,
    ...rest,
  });
const eth0 = inner('eth0', 5, 6, { mac, ipv4: '172.17.0.2' });

/** The host as read at a time, with these interfaces inside and these links outside. */
function host(at: number, interfaces: InsideInterface[], links = [veth(6, 5, 0)], of = web()): Readings {
  const [[id, reading]] = Object.entries(inside(of, interfaces)) as [[string, Readings['inside'][string]]];
  return readings({
    docker: ok(docker({ containers: [of], networks: [network('aside')] }), at),
    links: ok({ links: [link(3, 'docker0', { kind: 'bridge' }), ...links], routes: [], traffic: {} }, at),
    inside: { [id]: { ...reading, at } },
  });
}

const contextOf = (of: Readings, history: ReadingHistory) => ({
  readings: of,
  facts: {
    ...joinFacts(of, { now, host: { kind: 'live', name: 'h', uid: 0, dockerEndpoint: 'unix:///x' } }),
    portChanges: [],
  },
  now,
  previous: [],
  earlier: history.earlier,
});

it('is raised when two readings in a row lack the interface, and asks for the second', () => {
  const first = host(now, []);
  const one = keepEarlier(keepEarlier(undefined, host(now - 5000, [eth0])), first);
  assert.deepEqual(briefly(judging(first, { earlier: one.earlier })), []);
  assert.deepEqual(containersThatLostLinks(contextOf(first, one)), [web().id]);
  const second = host(now + 1500, []);
  const two = keepEarlier(one, second);
  const [finding, ...rest] = judging(second, { earlier: two.earlier });
  assert.deepEqual(rest, []);
  assert.equal(finding?.code, 'link-missing');
  assert.match(finding.message, /^web has no interface for bridge: .*172\.17\.0\.2/);
  assert.deepEqual(containersThatLostLinks(contextOf(second, two)), []);
});

it('is raised at once by a command that looks once', () => {
  assert.deepEqual(briefly(judging(host(now, []))), ['link-missing web']);
});

it('asks to look inside when the host’s end is gone from the host', () => {
  const before = host(now, [eth0]);
  const one = keepEarlier(undefined, before);
  assert.deepEqual(containersThatLostLinks(contextOf(before, one)), []);
  const after = { ...before, links: host(now + 3000, [], []).links };
  assert.deepEqual(containersThatLostLinks(contextOf(after, keepEarlier(one, after))), [web().id]);
});

it('is not raised where the interface has another name, another MAC or another address, or cannot be told', () => {
  for (const interfaces of [
    [inner('net0', 5, 6, { mac })],
    [inner('eth0', 5, 6, { mac: '02:00:00:00:00:01', ipv4: '172.17.0.2' })],
    [inner('eth0', 5, 6, { mac, ipv4: '10.0.0.1' })],
    [inner('eth0', 5, 6)],
  ]) {
    assert.deepEqual(briefly(judging(host(now, interfaces))), [], JSON.stringify(interfaces));
  }
  // Connected a moment ago, by another run of it, stopped, of a driver that is not known.
  for (const of of [
    web({ inspectedAt: now - 200 }),
    web({ pid: 78 }),
    web({ state: 'exited', pid: 0 }),
    web({ endpoints: [endpoint('weave', { ipv4: '10.1.0.2', mac })] }),
    web({ networkMode: 'none', endpoints: [endpoint('none')] }),
  ]) {
    const reading = host(now, [], [], web());
    const seen = { ...reading, docker: ok(docker({ containers: [of] }), now) };
    assert.deepEqual(briefly(judging(seen)), [], JSON.stringify(of));
  }
});

it('stays, stale, while the container cannot be read, and goes when it was started again', () => {
  const previous = judging(host(now, []));
  const unread = { ...host(now + 5000, []), inside: {} };
  assert.deepEqual(briefly(judging(unread, { previous })), ['link-missing web (stale)']);
  const again = {
    ...unread,
    docker: ok(docker({ containers: [web({ pid: 99, startedAt: now + 4000 })] }), now + 5000),
  };
  assert.deepEqual(briefly(judging(again, { previous })), []);
});
