/** Whether a packet is what a rule asks for, in three values. */
import type { Range, RuleMatch } from '../../host/readings.ts';
import { isIn, isMulticast, parseSpan, type Span, type Truth } from './address.ts';
import { stateOf, type Packet, type Phase } from './packet.ts';

/** What matches need to know of the host. */
export interface MatchWorld {
  /** The kernel's type of an address (`local`, `unicast`, `broadcast`, `multicast`…): RTN_… of its routing tables. @param device only its own addresses count as local */
  typeOf(address: Span, device?: string): string | undefined;
  /** Whether the way back to a packet's source leads by the interface that it came by. */
  comesBack(packet: Packet, withMark: boolean): Truth;
  /** Elements of an ipset, when they were read. */
  ipset(name: string): IpSet | undefined;
}

/** An ipset as far as it is understood. */
export interface IpSet {
  /** Whether the packet's address or port in these directions is in it. */
  has(packet: Packet, directions: readonly ('src' | 'dst')[]): Truth;
}

export type Test = (packet: Packet) => Truth;

const not = (truth: Truth): Truth => (truth === 'maybe' ? truth : truth === 'yes' ? 'no' : 'yes');
const truth = (value: boolean): Truth => (value ? 'yes' : 'no');

function nameTest(names: readonly string[], of: (packet: Packet) => string): Test {
  const exact = new Set(names.filter(name => !/[+*]$/.test(name)));
  const prefixes = names.filter(name => /[+*]$/.test(name)).map(name => name.slice(0, -1));
  return packet => {
    const name = of(packet);
    return truth(exact.has(name) || prefixes.some(prefix => name.startsWith(prefix)));
  };
}

/**
 * Of the ports that a client may happen to have, so many are too few to count: fewer than one connection in a thousand meets
 * a rule for port 51820, which does not make every verdict a matter of luck.
 */
const fewPorts = 28;

/** Ranges of ports against a packet's port, or the ports that it may have. */
export function portsIn([from, to]: Range, ranges: readonly Range[]): Truth {
  let touched = 0;
  for (const [first, last] of ranges) {
    if (last < from || to < first) continue;
    if (first <= from && to <= last) return 'yes';
    touched += Math.min(last, to) - Math.max(first, from) + 1;
  }
  return touched > fewPorts ? 'maybe' : 'no';
}

const either = (a: Truth, b: Truth): Truth =>
  a === 'yes' || b === 'yes' ? 'yes' : a === 'no' && b === 'no' ? 'no' : 'maybe';

/** Sorts ranges and joins those that overlap or touch, so that a span in two of them is in one. */
export function merged(spans: readonly Span[]): Span[] {
  const sorted = [...spans].sort((a, b) => a.family - b.family || (a.from < b.from ? -1 : a.from > b.from ? 1 : 0));
  const result: Span[] = [];
  for (const span of sorted) {
    const last = result.at(-1);
    if (last && last.family === span.family && span.from <= last.to) {
      if (span.to > last.to) result[result.length - 1] = { ...last, to: span.to };
    } else result.push(span);
  }
  return result;
}

/** A test for addresses, or undefined when one of them is not understood. */
export function addressTest(addresses: readonly string[], of: (packet: Packet) => Span): Test | undefined {
  const spans = addresses.map(parseSpan);
  if (!spans.every(span => span !== undefined)) return undefined;
  const ranges = merged(spans);
  const [only] = ranges;
  // The usual rule names one address: no list to go through.
  if (only && ranges.length === 1 && only.from === only.to) {
    return packet => {
      const who = of(packet);
      if (who.family !== only.family || who.to < only.from || only.to < who.from) return 'no';
      return who.from === who.to ? 'yes' : 'maybe';
    };
  }
  return packet => isIn(of(packet), ranges);
}

const flagsOf: Record<Phase, readonly string[]> = {
  syn: ['syn'],
  'syn-ack': ['syn', 'ack'],
  data: ['ack'],
  answer: ['ack'],
};

function flagTest(mask: readonly string[], set: readonly string[]): Test {
  const wanted = new Set(set);
  const holds = (flags: ReadonlySet<string>) =>
    mask.every(flag => flags.has(flag) === wanted.has(flag)) && set.every(flag => flags.has(flag));
  return ({ proto, phase }) => {
    if (proto !== 'tcp') return 'no';
    const bare = holds(new Set(flagsOf[phase]));
    if (phase === 'syn' || phase === 'syn-ack') return truth(bare);
    // A packet with data may have PSH set, and some of the exchange's have not.
    return bare === holds(new Set([...flagsOf[phase], 'psh'])) ? truth(bare) : 'maybe';
  };
}

function stateTest(states: readonly string[]): Test {
  const wanted = new Set(states);
  return packet => {
    if (wanted.has(stateOf(packet))) return 'yes';
    if (!packet.tracked) return 'no';
    return truth(
      (wanted.has('dnat') && packet.ct.dnat !== undefined) || (wanted.has('snat') && packet.ct.snat !== undefined),
    );
  };
}

function typeTest(
  { types, on }: { types: readonly string[]; on?: 'iif' | 'oif' },
  of: (packet: Packet) => Span,
  world: MatchWorld,
): Test {
  const wanted = new Set(types);
  return packet => {
    const type = world.typeOf(of(packet), on && packet[on]);
    return type === undefined ? 'maybe' : truth(wanted.has(type));
  };
}

/** The conntrack matches see nothing of a packet that conntrack has not looked at. */
const tracked =
  (test: Test): Test =>
  packet =>
    packet.tracked && !packet.ct.untracked ? test(packet) : 'no';

function positive(match: RuleMatch, world: MatchWorld): Test | undefined {
  switch (match.kind) {
    case 'iif':
      return nameTest(match.names, packet => packet.iif);
    case 'oif':
      return nameTest(match.names, packet => packet.oif);
    case 'saddr':
      return addressTest(match.addresses, packet => packet.source);
    case 'daddr':
      return addressTest(match.addresses, packet => packet.destination);
    case 'proto': {
      const protos = new Set(match.protos);
      const any = protos.has('all') || protos.has('0') || protos.has('ip');
      return packet => truth(any || protos.has(packet.proto));
    }
    case 'sport':
      return packet => portsIn(packet.sourcePort, match.ports);
    case 'dport':
      return packet => portsIn(packet.port, match.ports);
    case 'anyport':
      return packet => either(portsIn(packet.sourcePort, match.ports), portsIn(packet.port, match.ports));
    case 'ctstate':
      return stateTest(match.states);
    case 'ctdir':
      return tracked(packet => truth(packet.direction === match.direction));
    case 'ctorigdport':
      return tracked(packet => portsIn([packet.ct.port, packet.ct.port], match.ports));
    case 'ctorigdst': {
      const test = addressTest(match.addresses, packet => packet.ct.destination);
      return test && tracked(test);
    }
    case 'ctorigsrc': {
      const test = addressTest(match.addresses, packet => packet.ct.source);
      return test && tracked(test);
    }
    case 'dsttype':
      return typeTest(match, packet => packet.destination, world);
    case 'srctype':
      return typeTest(match, packet => packet.source, world);
    case 'rpath':
      return packet => world.comesBack(packet, match.withMark);
    case 'mark': {
      // Bit operations on 32 bits are signed in JavaScript.
      const value = match.value >>> 0;
      return ({ mark }) => (mark === undefined ? 'maybe' : truth((mark & match.mask) >>> 0 === value));
    }
    case 'connmark': {
      const value = match.value >>> 0;
      return tracked(({ ct }) => (ct.mark === undefined ? 'maybe' : truth((ct.mark & match.mask) >>> 0 === value)));
    }
    case 'nfproto':
      return packet => truth(packet.proto !== 'arp' && packet.family === match.family);
    case 'icmptype': {
      const wanted = match.family === 6 ? 'ipv6-icmp' : 'icmp';
      return ({ proto, icmpType = 0 }) =>
        truth(proto === wanted && match.types.some(([from, to]) => from <= icmpType && icmpType <= to));
    }
    case 'hoplimit':
      // Neighbour discovery is always sent with 255 (RFC 4861); what other packets have left is not known.
      return ({ proto }) =>
        proto === 'ipv6-icmp' ? truth(match.values.some(([from, to]) => from <= 255 && 255 <= to)) : 'maybe';
    case 'tcpflags':
      return flagTest(match.mask, match.set);
    case 'pkttype': {
      const types = new Set(match.types);
      const unicast = types.has('unicast') || types.has('host');
      // What the host makes itself counts as unicast (skb->pkt_type is 0).
      return ({ destination, iif }) => truth(iif !== '' && isMulticast(destination) ? types.has('multicast') : unicast);
    }
    case 'set': {
      const set = world.ipset(match.name);
      return set && (packet => set.has(packet, match.directions));
    }
    case 'oneof': {
      const tests = match.alternatives.map(list => testOfAll(list, world));
      return packet =>
        tests.reduce<Truth>((found, test) => (found === 'yes' ? found : either(found, test(packet))), 'no');
    }
    case 'never':
      return () => 'no';
    case 'unknown':
      break;
  }
  return undefined;
}

/** The test of one match; one that is not evaluated is always `maybe`. */
export function testOf(match: RuleMatch, world: MatchWorld): Test {
  const test = positive(match, world);
  if (!test) return () => 'maybe';
  if (match.kind === 'unknown' || match.kind === 'never' || !match.negate) return test;
  // What a conntrack match asks of a packet without state holds neither way.
  const stateful = match.kind.startsWith('ctorig') || match.kind === 'ctdir' || match.kind === 'connmark';
  return packet => (stateful && (!packet.tracked || packet.ct.untracked) ? 'no' : not(test(packet)));
}

/** All of a rule's matches together. */
export function testOfAll(matches: readonly RuleMatch[], world: MatchWorld): Test {
  const tests = matches.map(match => testOf(match, world));
  if (tests.length === 0) return () => 'yes';
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
