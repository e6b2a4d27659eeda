/** Places at addresses that the host does not have. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AddressReading, Readings } from '../../../source/host/readings.ts';
import { isLost } from '../../../source/facts/walk/lost-address.ts';
import { judging } from '../judging.ts';
import { ask, lan, route, walkReadings, walkWorld, type HostOptions } from './host.ts';

const gone = '192.0.2.7';

/** c0 is published at an address that the host does not have; `also` may change more. */
const published =
  (also: (same: Readings) => Readings = same => same): HostOptions['change'] =>
  same => {
    const docker = same.docker.value!;
    const containers = docker.containers.map(each => ({
      ...each,
      publishedPorts: each.publishedPorts.map(port => ({ ...port, hostIp: gone })),
    }));
    return also({ ...same, docker: { ...same.docker, value: { ...docker, containers } } });
  };

/** Changes the host's links, or adds routes. */
const linked =
  (own: AddressReading[], routes: ReturnType<typeof route>[] = []) =>
  (same: Readings): Readings => {
    const value = same.links.value!;
    const links = value.links.map(each =>
      each.name === 'eth0' ? { ...each, addresses: [...each.addresses, ...own] } : each,
    );
    return { ...same, links: { ...same.links, value: { ...value, links, routes: [...value.routes, ...routes] } } };
  };

const verdictOf = (change: HostOptions['change']) => ask(walkWorld({ change }), lan, gone, 8000);
const blocked = (options: HostOptions) => judging(walkReadings(options)).filter(({ code }) => code === 'blocked');

test('an address that the host lacks cuts a port off, but not where a table takes it all the same', () => {
  const lost = verdictOf(published());
  assert.deepEqual([lost.verdict, lost.decidedBy?.lacks], ['blocked', { address: `${gone}/32`, interface: 'eth0' }]);
  const taken = verdictOf(published(linked([], [route(`${gone}/32`, 'lo', 'local', 'local')])));
  assert.equal(taken.verdict, 'reachable');
});

test('an address that the kernel does not use (yet) leaves it unknown', () => {
  const own = { family: 4 as const, address: gone, prefixLength: 32, scope: 'global' };
  const { verdict, decidedBy } = verdictOf(published(linked([own])));
  assert.deepEqual([verdict, decidedBy?.detail], ['unknown', `eth0 has ${gone}, but the kernel does not use it (yet)`]);
});

test('is a finding, but where programs are to wait for addresses', () => {
  assert.deepEqual(
    blocked({ change: published() }).map(({ fix, evidence }) => [fix, evidence[0]?.source]),
    [
      [
        `Publish it at an address that this host has, or give it that address again: ip addr add ${gone}/32 dev eth0`,
        'ip addr',
      ],
    ],
  );
  assert.deepEqual(blocked({ change: published(), kernel: { nonlocalBind: true } }), []);
});

test('addresses that are for all, or for this host alone, are never lost', () => {
  for (const text of ['0.0.0.0', '::', '127.0.0.53', '::1', 'fe80::1', '239.1.2.3', '255.255.255.255', '', 'web'])
    assert.equal(isLost(text, []), false, text);
  assert.equal(isLost(gone, []), true);
});
