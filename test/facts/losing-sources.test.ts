/** Losing a source may only turn facts into unknown, never into calm. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { array, assert as check, boolean, constantFrom, property, tuple, uniqueArray } from 'fast-check';
import { sourceNames, type Readings, type SourceName } from '../../source/host/readings.ts';
import { detectors, judge } from '../../source/facts/findings/index.ts';
import { joinFacts } from '../../source/facts/join.ts';
import type { Finding } from '../../source/facts/schema.ts';
import {
  container,
  docker,
  endpoint,
  inner,
  inside,
  link,
  network,
  now,
  ok,
  port,
  proxy,
  socket,
  veth,
} from './build.ts';
import { briefly, judging } from './judging.ts';
import { fixtureHost, hostFixtures } from '../fixtures/hosts.ts';
import { readOnce } from './read-once.ts';

/** A host on which many things are wrong at once. */
function troubled(): Readings {
  const taken = `driver failed programming external connectivity on endpoint x (1): `;
  const web = container('web', {
    pid: 11,
    requestedPorts: [port('8080', 80)],
    publishedPorts: [port('8080', 80, { hostIp: '0.0.0.0' })],
    endpoints: [endpoint('bridge', { ipv4: '172.17.0.2' })],
  });
  const shut = inside(web, [inner('eth0', 2, 21, { ipv4: '172.17.0.2' })], { listeners: [socket('127.0.0.1', 80)] });
  const host = { networkMode: 'host', endpoints: [], command: ['httpd', '-p', '80'] };
  const severed = container('severed', {
    pid: 16,
    endpoints: [endpoint('bridge', { ipv4: '172.17.0.16' })],
    inspectedAt: now - 10_000,
  });
  const containers = [
    web,
    severed,
    container('clash', {
      state: 'created',
      exitCode: 128,
      error: `${taken}Bind for 0.0.0.0:8080 failed: port is already allocated`,
      requestedPorts: [port('8080', 80)],
      endpoints: [],
    }),
    container('lost', {
      state: 'created',
      exitCode: 128,
      error: `${taken}listen tcp4 203.0.113.9:1: bind: cannot assign requested address`,
      requestedPorts: [port('1', 80, { hostIp: '203.0.113.9' })],
      endpoints: [],
    }),
    container('web2', { ...host, state: 'exited', exitCode: 1, startedAt: now - 2000, finishedAt: now - 1900 }),
    container('standby', { state: 'created', requestedPorts: [port('9090', 80)], endpoints: [] }),
    container('r1', { state: 'created', requestedPorts: [port('9191', 80)], endpoints: [] }),
    container('r2', { state: 'created', requestedPorts: [port('9191', 80)], endpoints: [] }),
    container('bare', { pid: 12, requestedPorts: [port('9292', 80)], endpoints: [] }),
    container('useless', { networkMode: 'none', endpoints: [], requestedPorts: [port('1', 1)], pid: 13 }),
    container('paused', {
      state: 'paused',
      publishedPorts: [port('9393', 80, { hostIp: '0.0.0.0' })],
      requestedPorts: [port('9393', 80)],
      pid: 14,
    }),
    container('shared', { networkMode: `container:${'d'.repeat(64)}`, endpoints: [], pid: 15 }),
  ];
  return {
    docker: ok(docker({ containers, networks: [network('over', { ipam: [{ subnet: '10.0.0.0/16' }] })] })),
    links: ok({
      links: [
        link(1, 'lo'),
        link(2, 'eth0'),
        link(3, 'docker0', { kind: 'bridge' }),
        veth(21, 2, 0),
        link(30, 'br-0123456789ab', { kind: 'bridge' }),
      ],
      routes: [
        {
          family: 4,
          destination: '10.0.1.0/24',
          device: 'eth0',
          table: 'main',
          type: 'unicast',
          protocol: 'kernel',
          flags: [],
        },
      ],
      traffic: {},
    }),
    sockets: ok({ listeners: [socket('0.0.0.0', 9090), socket('10.0.1.1', 80)], holding: [] }),
    netfilter: ok({ chains: [], tools: [], sets: {} }),
    kernel: ok({ ipForward: false, interfaces: {} }),
    processes: ok({ processes: {}, proxies: [proxy(99, '0.0.0.0', 7777, '172.17.0.9', 80)] }),
    vitals: { state: 'pending' },
    inside: { ...shut, ...inside(severed, []) },
  };
}

/** The same readings after these sources have failed: with their last value, or without any. */
function losing(readings: Readings, lost: ReadonlySet<SourceName>, keepsValue: boolean): Readings {
  const after = { ...readings };
  for (const name of lost) {
    const { at, value } = readings[name];
    Object.assign(after, { [name]: { state: 'failed', reason: 'lost', ...(keepsValue ? { at, value } : {}) } });
  }
  return after;
}

function assertNothingGone(before: readonly Finding[], after: readonly Finding[], lost: ReadonlySet<SourceName>): void {
  const ids = new Set(after.map(({ id }) => id));
  const gone = before.filter(({ id }) => !ids.has(id));
  assert.deepEqual(briefly(gone), [], `without ${[...lost].join(', ')}`);
}

describe('findings when sources are lost', () => {
  const sources = uniqueArray(constantFrom(...sourceNames));

  it('begins with a host that has one of nearly every kind', () => {
    const codes = new Set(judging(troubled()).map(({ code }) => code));
    const missing = detectors.map(({ code }) => code).filter(code => !codes.has(code));
    // Those of the packet walk, which need rules, are lost and kept in reach-findings.test.ts.
    const walked = detectors.filter(({ needs }) => needs.includes('netfilter')).map(({ code }) => code);
    assert.deepEqual(
      missing.filter(code => !walked.includes(code)),
      ['port-moved'],
    );
  });

  it('keeps every finding, whichever sources are lost and whatever is left of them', () => {
    const before = judging(troubled());
    check(
      property(array(tuple(sources, boolean()), { minLength: 1, maxLength: 4 }), rounds => {
        let previous: Finding[] = before;
        for (const [names, keepsValue] of rounds) {
          const lost = new Set(names);
          const after = judging(losing(troubled(), lost, keepsValue), { previous });
          assertNothingGone(before, after, lost);
          previous = after;
        }
        const back = judging(troubled(), { previous });
        assert.deepEqual(briefly(back), briefly(before));
        assert.ok(back.every(({ since, stale }) => stale !== true && since === before[0]?.since));
      }),
      { numRuns: 100 },
    );
  });

  it('marks stale what it keeps without being able to judge it', () => {
    const before = judging(troubled());
    const after = judging(losing(troubled(), new Set(['docker']), false), { previous: before });
    assert.ok(after.length > 0 && after.every(({ stale }) => stale === true));
  });

  it('keeps what is known of a container that cannot be inspected', () => {
    const before = judging(troubled());
    const readings = troubled();
    for (const item of readings.docker.value?.containers ?? []) {
      Object.assign(item, {
        inspectError: 'timed out',
        error: '',
        requestedPorts: [],
        publishedPorts: [],
        startedAt: undefined,
      });
    }
    assertNothingGone(before, judging(readings, { previous: before }), new Set());
  });

  it('lets go of a container that is gone', () => {
    const before = judging(troubled());
    const readings = { ...troubled(), docker: ok(docker()), sockets: { state: 'failed' as const, reason: 'lost' } };
    const left = judging(readings, { previous: before }).filter(({ containerIds }) => containerIds.length > 0);
    assert.deepEqual(briefly(left), []);
  });

  for (const name of hostFixtures) {
    it(`holds on the recorded host with Docker ${name}`, async () => {
      const readings = await readOnce(await fixtureHost(name));
      const at = readings.docker.at ?? 0;
      const judgeAgain = (of: Readings, previous: readonly Finding[]) => {
        const host = { kind: 'recording' as const, name, uid: 0, dockerEndpoint: 'recording' };
        const facts = { ...joinFacts(of, { now: at, host }), portChanges: [] };
        return judge({ readings: of, facts, now: at, previous }, new Set());
      };
      const before = judgeAgain(readings, []);
      assert.ok(before.length > 5);
      for (const lost of sourceNames) {
        for (const keepsValue of [true, false]) {
          const only = new Set([lost]);
          assertNothingGone(before, judgeAgain(losing(readings, only, keepsValue), before), only);
        }
      }
    });
  }
});
