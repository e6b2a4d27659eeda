/** What is bound to an address for many hosts is neither reachable nor blocked: whether it gets anything is not followed. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Readings } from '../../../source/host/readings.ts';
import { joinFacts } from '../../../source/facts/join.ts';
import { reachability } from '../../../source/facts/reachability.ts';
import { now, ok, socket } from '../build.ts';
import { route, walkReadings } from './host.ts';

const at = [
  ['10.77.0.255', 137, 'broadcast address: netdash does not follow broadcasts'],
  ['239.255.255.250', 1900, 'multicast address: netdash does not follow multicast'],
  ['255.255.255.255', 67, 'broadcast address: netdash does not follow broadcasts'],
  ['ff02::fb', 5353, 'multicast address: netdash does not follow multicast'],
] as const;

const bound = (same: Readings): Readings => {
  const links = same.links.value!;
  const local = route('10.77.0.255/32', 'eth0', 'local', 'broadcast', '10.77.0.100');
  const six = { family: 6 as const, address: 'fe80::2', prefixLength: 64, scope: 'link' };
  const listeners = at.map(([address, port]) =>
    socket(address, port, { proto: 'udp', processes: [{ pid: 400, name: 'sshd' }] }),
  );
  return {
    ...same,
    links: ok({
      ...links,
      links: links.links.map(each => (each.name === 'eth0' ? { ...each, addresses: [...each.addresses, six] } : each)),
      routes: [...links.routes, local],
    }),
    sockets: ok({ ...same.sockets.value!, listeners }),
  };
};

const readings = walkReadings({ policies: { INPUT: 'DROP' }, change: bound });
const host = { kind: 'live' as const, name: 'host1', uid: 0, dockerEndpoint: 'unix:///var/run/docker.sock' };
const reach = reachability(readings, joinFacts(readings, { now, host }));

for (const [address, port, why] of at) {
  test(`${address} is met by nobody knows whom, from wherever it is asked`, () => {
    const reason = `${address} is a ${why}`;
    const { word, deciding } = reach.exposures.of({ address, port, proto: 'udp' });
    assert.deepEqual([word, deciding?.verdict.decidedBy?.detail], ['unknown', reason]);
    const named = reach.explain({ kind: 'address', address, port, proto: 'udp' });
    const bare = reach.explain({ kind: 'port', port, proto: 'udp' });
    for (const answers of [named, bare]) {
      assert.deepEqual([...new Set(answers.map(({ question }) => question.from.kind))], ['loopback', 'lan']);
      for (const { question, verdict } of answers) {
        assert.equal(question.to.address, address);
        assert.deepEqual([verdict.verdict, verdict.decidedBy?.detail], ['unknown', reason]);
      }
    }
  });
}
