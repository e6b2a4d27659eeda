/** A way past the rules of a long chain that ask for another destination: Docker's chains have one for each container. */
import type { RuleReading } from '../../host/readings.ts';
import { isSingle, parseSpan } from './address.ts';
import type { Packet } from './packet.ts';

/** Shorter chains are quicker gone through. */
const fewRules = 16;

type Key = string | undefined;

/** The one destination address that a rule asks for. */
function addressOf({ matches }: RuleReading): Key {
  for (const match of matches) {
    if (match.kind !== 'daddr' || match.negate || match.addresses.length !== 1) continue;
    const span = parseSpan(match.addresses[0] ?? '');
    if (span && isSingle(span)) return `${span.family} ${span.from}`;
  }
  return undefined;
}

/** The one destination port that a rule asks for. */
function portOf({ matches }: RuleReading): Key {
  for (const match of matches) {
    const [range, more] = match.kind === 'dport' && !match.negate ? match.ports : [];
    if (range && more === undefined && range[0] === range[1]) return String(range[0]);
  }
  return undefined;
}

const ways = [
  {
    of: addressOf,
    key: ({ destination }: Packet): Key =>
      isSingle(destination) ? `${destination.family} ${destination.from}` : undefined,
  },
  { of: portOf, key: ({ port }: Packet): Key => (port[0] === port[1] ? String(port[0]) : undefined) },
];

/** The rules of a chain that a packet may match, in order: all but those that certainly ask for another destination. */
export function shortcut<R extends { readonly rule: RuleReading }>(
  rules: readonly R[],
): (packet: Packet) => readonly R[] {
  if (rules.length <= fewRules) return () => rules;
  const [best] = ways
    .map(way => ({ key: way.key, keys: rules.map(({ rule }) => way.of(rule)) }))
    .sort((a, b) => b.keys.filter(key => key !== undefined).length - a.keys.filter(key => key !== undefined).length);
  if (!best || best.keys.filter(key => key !== undefined).length < rules.length / 2) return () => rules;
  const always: number[] = [];
  const byKey = new Map<string, number[]>();
  for (const [index, key] of best.keys.entries()) {
    if (key === undefined) always.push(index);
    else byKey.set(key, [...(byKey.get(key) ?? []), index]);
  }
  const rest = always.flatMap(index => rules[index] ?? []);
  return packet => {
    const wanted = best.key(packet);
    if (wanted === undefined) return rules;
    const own = byKey.get(wanted);
    if (!own) return rest;
    return [...always, ...own].sort((a, b) => a - b).flatMap(index => rules[index] ?? []);
  };
}
