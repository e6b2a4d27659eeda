/** A way past the rules of a long chain that ask for another destination: Docker's chains have one for each container. */
import type { RuleReading } from '../../host/readings.ts';
import { isSingle, parseSpan, type Span } from './address.ts';
import { portsIn } from './matches.ts';
import type { Packet } from './packet.ts';

/** Shorter chains are quicker gone through. */
const fewRules = 16;

type Key = number | bigint | undefined;

/** What a rule may ask for, and what of it a packet has; an undefined `wanted` says that any rule may be meant. */
interface Way {
  of(rule: RuleReading): Key;
  wanted(packet: Packet): { family?: 4 | 6; from: number | bigint; to: number | bigint } | 'none';
}

/** The one destination address that a rule asks for. */
function addressOf({ matches }: RuleReading): Span | undefined {
  for (const match of matches) {
    if (match.kind !== 'daddr' || match.negate || match.addresses.length !== 1) continue;
    const span = parseSpan(match.addresses[0] ?? '');
    if (span && isSingle(span)) return span;
  }
  return undefined;
}

/** The one destination port that a rule asks for. */
function portOf({ matches }: RuleReading): number | undefined {
  for (const match of matches) {
    const [range, more] = match.kind === 'dport' && !match.negate ? match.ports : [];
    if (range && more === undefined && range[0] === range[1]) return range[0];
  }
  return undefined;
}

const addressWay = (family: 4 | 6): Way => ({
  of: rule => {
    const span = addressOf(rule);
    return span?.family === family ? span.from : undefined;
  },
  wanted: ({ destination }) => (destination.family === family ? destination : 'none'),
});

const portWay: Way = {
  of: portOf,
  wanted: ({ port: [from, to] }) =>
    // A single port is too little of a client's range to count.
    from === to || portsIn([from, to], [[from, from]]) !== 'no' ? { from, to } : 'none',
};

const ways: readonly Way[] = [addressWay(4), addressWay(6), portWay];

interface Keyed {
  key: number | bigint;
  index: number;
}

/** The first place in a sorted list whose key is not less. */
function placeOf(list: readonly Keyed[], key: number | bigint): number {
  let [low, high] = [0, list.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((list[middle] as Keyed).key < key) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The rules of a chain that a packet may match, in order: all but those that certainly ask for another destination. */
export function shortcut<R extends { readonly rule: RuleReading }>(
  rules: readonly R[],
): (packet: Packet) => readonly R[] {
  if (rules.length <= fewRules) return () => rules;
  const [best] = ways
    .map(way => {
      const keys = rules.map(({ rule }) => way.of(rule));
      return { way, keys, count: keys.filter(key => key !== undefined).length };
    })
    .sort((a, b) => b.count - a.count);
  if (!best || best.count < rules.length / 2) return () => rules;
  const always: number[] = [];
  const keyed: Keyed[] = [];
  for (const [index, key] of best.keys.entries()) {
    if (key === undefined) always.push(index);
    else keyed.push({ key, index });
  }
  keyed.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : a.index - b.index));
  const rest = always.flatMap(index => rules[index] ?? []);
  return packet => {
    const wanted = best.way.wanted(packet);
    if (wanted === 'none') return rest;
    const own: number[] = [];
    for (let at = placeOf(keyed, wanted.from); at < keyed.length; at += 1) {
      const { key, index } = keyed[at] as Keyed;
      if (key > wanted.to) break;
      own.push(index);
    }
    if (own.length === 0) return rest;
    return [...always, ...own].sort((a, b) => a - b).flatMap(index => rules[index] ?? []);
  };
}
