/** Findings about published ports: what is behind them, and where they went. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ContainerReading, InsideReading, Reading, Readings, SocketReading } from '../../source/host/readings.ts';
import { keepEarlier } from '../../source/facts/findings/earlier.ts';
import { containersWithDeadPorts } from '../../source/facts/findings/behind-port.ts';
import type { PortChange } from '../../source/facts/schema.ts';
import { container, endpoint, now, port, socket } from './build.ts';
import { briefly, dockerWith, judging } from './judging.ts';

const web = (rest: Partial<ContainerReading> = {}) =>
  container('web', {
    requestedPorts: [port('8080', 80)],
    publishedPorts: [port('8080', 80, { hostIp: '0.0.0.0' })],
    endpoints: [endpoint('bridge', { ipv4: '172.17.0.2' })],
    pid: 4242,
    ...rest,
  });

const contextOf = (readings: Readings, history: ReturnType<typeof keepEarlier>) => ({
  readings,
  facts: { portChanges: [] } as never,
  now,
  previous: [],
  earlier: history.earlier,
});

describe('nothing-listening and listener-loopback-only', () => {
  const started = now - 60_000;
  const of = web({ startedAt: started });
  const seen = (
    listeners: SocketReading[] | undefined,
    at = now,
    rest: Partial<InsideReading> = {},
  ): Reading<InsideReading> => ({
    state: 'ok',
    at,
    value: { containerId: of.id, pid: 4242, ...(listeners ? { listeners } : {}), ...rest },
  });
  const host = (reading: Reading<InsideReading> | undefined, containers = [of]): Readings =>
    dockerWith({ containers }, { inside: reading === undefined ? {} : { [of.id]: reading } });
  const judged = (listeners: SocketReading[] | undefined, containers?: ContainerReading[]) =>
    briefly(judging(host(seen(listeners), containers)));

  it('knows which sockets take what is sent to the container', () => {
    const served = [
      socket('0.0.0.0', 80),
      socket('172.17.0.2', 80),
      socket('::', 80, { v6only: false }),
      socket('::ffff:172.17.0.2', 80),
      socket('::', 80),
    ];
    for (const listener of served) assert.deepEqual(judged([listener]), [], JSON.stringify(listener));
    assert.deepEqual(judged([]), ['nothing-listening web']);
    assert.deepEqual(judged([socket('0.0.0.0', 81)]), ['nothing-listening web']);
    assert.deepEqual(judged([socket('0.0.0.0', 80, { proto: 'udp' })]), ['nothing-listening web']);
    assert.deepEqual(judged([socket('::', 80, { v6only: true })]), ['nothing-listening web']);
    assert.deepEqual(judged([socket('127.0.0.11', 80)]), ['nothing-listening web']);
    for (const address of ['127.0.0.1', '127.0.0.9', '::1', '::ffff:127.0.0.1']) {
      assert.deepEqual(judged([socket(address, 80)]), ['listener-loopback-only web'], address);
    }
    assert.deepEqual(judged([socket('127.0.0.1', 80), socket('0.0.0.0', 80)]), []);
  });

  it('asks only one family of a container with two', () => {
    const dual = { ...of, endpoints: [endpoint('bridge', { ipv4: '172.17.0.2', ipv6: 'fd00::2' })] };
    assert.deepEqual(judged([socket('::', 80, { v6only: true })], [dual]), []);
    assert.deepEqual(judged([socket('0.0.0.0', 80)], [dual]), []);
  });

  it('joins the ports of one container', () => {
    const ports = [7000, 7001, 7002, 53].map(number =>
      port(String(number), number, { hostIp: '0.0.0.0', proto: number === 53 ? 'udp' : 'tcp' }),
    );
    const many = { ...of, requestedPorts: [], publishedPorts: ports };
    const [finding, ...rest] = judging(host(seen([]), [many]));
    assert.match(finding?.message ?? '', /^web publishes 7000-7002\/tcp and 53\/udp at /);
    assert.equal(finding?.ports.length, 4);
    assert.deepEqual(rest, []);
  });

  it('does not know what it has not read, or read too early, or of another run', () => {
    assert.deepEqual(judged(undefined), []);
    assert.deepEqual(briefly(judging(host(undefined))), []);
    assert.deepEqual(briefly(judging(host(seen([], started + 14_000)))), []);
    assert.deepEqual(briefly(judging(host(seen([], now, { pid: 7 })))), []);
    assert.deepEqual(briefly(judging(host({ ...seen([]), state: 'failed' }))), []);
    const sctp = { ...of, requestedPorts: [], publishedPorts: [port('9', 9, { proto: 'sctp', hostIp: '0.0.0.0' })] };
    assert.deepEqual(judged([], [sctp]), []);
  });

  it('raises when two readings in a row agree, and asks for the second', () => {
    const first = host(seen([], now - 5000));
    const one = keepEarlier(undefined, first);
    assert.deepEqual(briefly(judging(first, { earlier: one.earlier })), []);
    assert.deepEqual(containersWithDeadPorts(contextOf(first, one)), [of.id]);
    const same = keepEarlier(one, first);
    assert.deepEqual(briefly(judging(first, { earlier: same.earlier })), []);
    const second = host(seen([], now));
    const two = keepEarlier(same, second);
    assert.deepEqual(briefly(judging(second, { earlier: two.earlier })), ['nothing-listening web']);
    assert.deepEqual(containersWithDeadPorts(contextOf(second, two)), []);
    const good = host(seen([socket('0.0.0.0', 80)], now));
    assert.deepEqual(briefly(judging(good, { earlier: keepEarlier(one, good).earlier })), []);
  });

  it('tells of a paused container at once', () => {
    const findings = judging(host(undefined, [{ ...of, state: 'paused' }]));
    assert.deepEqual(briefly(findings), ['nothing-listening web']);
    assert.match(findings[0]?.message ?? '', /is paused: what connects hangs/);
  });

  it('stays, stale, when the container cannot be read any more, until it is restarted', () => {
    const previous = judging(host(seen([])), { at: now - 1000 });
    const blind = { state: 'failed' as const, reason: 'denied' };
    assert.deepEqual(briefly(judging(host(blind), { previous })), ['nothing-listening web (stale)']);
    assert.deepEqual(briefly(judging(host(seen([socket('0.0.0.0', 80)])), { previous })), []);
    assert.deepEqual(briefly(judging(host(blind, [{ ...of, startedAt: now }]), { previous })), []);
    assert.deepEqual(briefly(judging(host(blind, []), { previous })), []);
  });
});

const moveOf = (at: number, from: number, to: number): PortChange => ({
  at: new Date(at).toISOString(),
  containerId: web().id,
  containerName: 'web',
  proto: 'tcp',
  containerPort: 80,
  from: [
    { hostIp: '0.0.0.0', hostPort: from },
    { hostIp: '::', hostPort: from },
  ],
  to: [
    { hostIp: '0.0.0.0', hostPort: to },
    { hostIp: '::', hostPort: to },
  ],
  cause: 'restart',
});

const movesOf = (portChanges: PortChange[], containers = [web()]) =>
  judging(dockerWith({ containers }), { portChanges });

describe('port-moved', () => {
  it('tells of the latest change of a quarter of an hour', () => {
    const [finding, ...rest] = movesOf([
      moveOf(now - 1000, 2, 3),
      moveOf(now - 60_000, 1, 2),
      moveOf(now - 3_600_000, 0, 1),
    ]);
    assert.deepEqual(rest, []);
    assert.equal(
      finding?.message,
      'web 80/tcp moved from host port 2 to 3 (restart), the last of 2 changes in 15 minutes',
    );
    assert.deepEqual(movesOf([moveOf(now - 16 * 60_000, 1, 2)]), []);
    assert.deepEqual(movesOf([moveOf(now, 1, 2)], []), []);
    assert.equal(finding?.ports.length, 2);
    assert.match(finding?.evidence[0]?.text ?? '', /^was 0\.0\.0\.0:2, \[::\]:2; is 0\.0\.0\.0:3, \[::\]:3 since /);
  });

  it('does not tell of the port as one that is, when the container does not run', () => {
    const [finding] = movesOf([moveOf(now - 1000, 2, 3)], [web({ state: 'exited', publishedPorts: [] })]);
    assert.equal(
      finding?.message,
      'web 80/tcp moved from host port 2 to 3 (restart); it is not running, and its next start may take yet another',
    );
    assert.match(
      finding?.evidence[0]?.text ?? '',
      /^state exited; was 0\.0\.0\.0:2, \[::\]:2, and last, from .*Z, 0\.0\.0\.0:3, \[::\]:3$/,
    );
    assert.deepEqual(finding?.ports, []);
  });
});
