/** Listeners bound to interfaces that no kernel of the lab has: what is not followed is unknown, to `ports` and to `explain` alike. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deviceReach } from '../../../source/facts/exposure.ts';
import { joinFacts } from '../../../source/facts/join.ts';
import type { Readings } from '../../../source/host/readings.ts';
import { link, now, ok, process, socket } from '../build.ts';
import { ask, lan, walkReadings } from './host.ts';
import { makeWorld } from '../../../source/facts/walk/walk.ts';

const added = [
  link(50, 'vrf0', { kind: 'vrf' }),
  link(51, 'eth5', { master: 'vrf0' }),
  link(52, 'bond0', { kind: 'bond' }),
  link(53, 'eth6', { master: 'bond0' }),
];

/** A host with a listener that is bound to one of these. */
function hostWith(device: string): Readings {
  const readings = walkReadings({});
  const [links, sockets, processes] = [readings.links.value!, readings.sockets.value!, readings.processes.value!];
  const bound = { ...socket('0.0.0.0', 9000, { processes: [{ pid: 700, name: 'perl' }] }), device };
  return {
    ...readings,
    links: ok({ ...links, links: [...links.links, ...added] }),
    sockets: ok({ ...sockets, listeners: [...sockets.listeners, bound] }),
    processes: ok({ ...processes, processes: { ...processes.processes, 700: process(700, 'perl') } }),
  };
}

test('VRFs, their ports and those of bonds are not followed', () => {
  const host = { kind: 'live' as const, name: 'host1', uid: 0, dockerEndpoint: 'unix:///var/run/docker.sock' };
  for (const device of ['vrf0', 'eth5', 'eth6', 'gone0']) {
    const readings = hostWith(device);
    const facts = joinFacts(readings, { now, host });
    const place = { address: '0.0.0.0', port: 9000, proto: 'tcp', device } as const;
    const reach = deviceReach(place, facts);
    assert.equal(reach?.word, 'unknown', device);
    const world = makeWorld(readings, facts);
    const verdict = ask(world, lan, '10.77.0.100', 9000);
    assert.equal(verdict.verdict, 'unknown', device);
    assert.ok(verdict.decidedBy?.detail.endsWith(reach.reason ?? '?'), device);
  }
});
