/** nft verdict maps: which entry is a packet's. */
import type { RuleTarget } from '../../host/readings.ts';
import type { Truth } from './address.ts';
import { addressTest, portsIn, testOf, type MatchWorld, type Test } from './matches.ts';

export type VerdictEntry = Extract<RuleTarget, { kind: 'vmap' }>['entries'][number];
export type NatEntry = Extract<RuleTarget, { kind: 'natmap' }>['entries'][number];

/** The entries in order, each with its test; undefined when the key is not understood. */
export type ReadyMap<Entry> = readonly { entry: Entry; test: Test }[];

const ports = (text: string): [number, number] | undefined => {
  const found = /^(\d+)(?:-(\d+))?$/.exec(text);
  return found ? [Number(found[1]), Number(found[2] ?? found[1])] : undefined;
};

/** The test of one part of a key, as nft prints it, against one value. */
function partTest(key: string, value: string, world: MatchWorld): Test | undefined {
  if (value === '*') return () => 'yes';
  const name = value.replace(/^"|"$/g, '');
  switch (key) {
    case 'iifname':
    case 'iif':
      return testOf({ kind: 'iif', negate: false, names: [name] }, world);
    case 'oifname':
    case 'oif':
      return testOf({ kind: 'oif', negate: false, names: [name] }, world);
    case 'ip saddr':
    case 'ip6 saddr':
      return addressTest([value], packet => packet.source);
    case 'ip daddr':
    case 'ip6 daddr':
      return addressTest([value], packet => packet.destination);
    case 'ct state':
      return testOf({ kind: 'ctstate', negate: false, states: value.split(',') }, world);
    case 'meta l4proto':
    case 'ip protocol':
    case 'ip6 nexthdr':
      return testOf({ kind: 'proto', negate: false, protos: [value] }, world);
    case 'meta nfproto':
    case 'meta protocol':
      return testOf({ kind: 'nfproto', negate: false, family: /6/.test(value) ? 6 : 4 }, world);
    case 'meta mark':
      return testOf({ kind: 'mark', negate: false, value: Number(value), mask: 0xffffffff }, world);
    case 'fib daddr type':
      return testOf({ kind: 'dsttype', negate: false, types: [value] }, world);
    default:
      break;
  }
  const field = /^(tcp|udp|sctp|th) (sport|dport)$/.exec(key);
  const range = ports(value);
  if (!field || !range) return undefined;
  return packet => {
    if (field[1] !== 'th' && field[1] !== packet.proto) return 'no';
    return portsIn(field[2] === 'sport' ? packet.sourcePort : packet.port, [range]);
  };
}

/** Whether nft writes a value of this kind as a list of parts. */
function keyTest(key: string, value: string, world: MatchWorld): Test | undefined {
  const keys = key.split(' . ');
  const values = keys.length === 1 ? [value] : value.split(' . ');
  if (keys.length !== values.length) return undefined;
  const tests = keys.map((part, index) => partTest(part, values[index] ?? '', world));
  if (!tests.every(test => test !== undefined)) return undefined;
  return packet => {
    let result: Truth = 'yes';
    for (const test of tests) {
      const found = test(packet);
      if (found === 'no') return 'no';
      if (found === 'maybe') result = 'maybe';
    }
    return result;
  };
}

/** Understands a map. */
export function readyMap<Entry extends { key: string }>(
  target: { key: string; entries: readonly Entry[] },
  world: MatchWorld,
): ReadyMap<Entry> | undefined {
  const entries = target.entries.map(entry => ({ entry, test: keyTest(target.key, entry.key, world) }));
  // A wildcard element is what is left when no other is right.
  const ordered = [
    ...entries.filter(({ entry }) => entry.key !== '*'),
    ...entries.filter(({ entry }) => entry.key === '*'),
  ];
  const known = ordered.flatMap(({ entry, test }) => (test ? [{ entry, test }] : []));
  return known.length === entries.length ? known : undefined;
}
