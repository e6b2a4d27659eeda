/** Whether a packet is in an ipset, as `-m set --match-set NAME src,dst` asks (ipset(8), iptables-extensions(8)). */
import type { IpsetReading } from '../../host/readings.ts';
import { covers, isSingle, parseSpan, type Span, type Truth } from './address.ts';
import { merged, portsIn, type IpSet, type Test } from './matches.ts';
import type { Packet } from './packet.ts';

type Direction = 'src' | 'dst';

const address = (packet: Packet, direction: Direction): Span =>
  direction === 'src' ? packet.source : packet.destination;

/** Whether a span is in one of sorted ranges that do not overlap. */
function inSorted(who: Span, ranges: readonly Span[]): Truth {
  let [low, high] = [0, ranges.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    const range = ranges[middle] as Span;
    if (range.family < who.family || (range.family === who.family && range.to < who.from)) low = middle + 1;
    else high = middle;
  }
  const range = ranges[low];
  if (!range || range.family !== who.family || range.from > who.to) return 'no';
  return covers(range, who) ? 'yes' : 'maybe';
}

const size = ({ from, to }: Span): bigint => BigInt(to) - BigInt(from);

/** Sets of addresses alone, which may be long. */
function addressSet({ elements, exceptions }: IpsetReading): IpSet | undefined {
  const spans = elements.map(parseSpan);
  const not = exceptions.map(parseSpan);
  const known = spans.filter(span => span !== undefined);
  const excepted = not.filter(span => span !== undefined);
  if (known.length < spans.length || excepted.length < not.length) return undefined;
  const ranges = merged(known);
  return {
    has: (packet, [direction = 'src']) => {
      const who = address(packet, direction);
      const found = inSorted(who, ranges);
      const against = excepted.filter(span => span.family === who.family && span.from <= who.to && who.from <= span.to);
      if (against.length === 0 || found === 'no') return found;
      if (!isSingle(who)) return 'maybe';
      // The longest prefix decides.
      const nearest = known.filter(span => covers(span, who)).sort((a, b) => (size(a) < size(b) ? -1 : 1))[0];
      return nearest && against.every(span => size(nearest) < size(span)) ? 'yes' : 'no';
    },
  };
}

/** The test of one part of an element; undefined for kinds that are not evaluated (mac, mark). */
function partTest(kind: string, text: string, direction: Direction): Test | undefined {
  if (kind === 'ip' || kind === 'net') {
    const span = parseSpan(text);
    return span && (packet => inSorted(address(packet, direction), [span]));
  }
  if (kind === 'iface') {
    if (text.startsWith('physdev:')) return undefined;
    return packet => ((direction === 'src' ? packet.iif : packet.oif) === text ? 'yes' : 'no');
  }
  const port = kind === 'port' ? /^(?:([a-z]\w*):)?(\d+)(?:-(\d+))?$/.exec(text) : null;
  if (!port) return undefined;
  const [, proto, first, last = first] = port;
  return packet => {
    if (proto !== undefined && proto !== packet.proto) return 'no';
    return portsIn(direction === 'src' ? packet.sourcePort : packet.port, [[Number(first), Number(last)]]);
  };
}

/** Sets of several parts (`hash:ip,port`), or of ports. */
function tupleSet({ type, elements, exceptions }: IpsetReading): IpSet {
  const kinds = type.slice(type.indexOf(':') + 1).split(',');
  return {
    has: (packet, directions) => {
      if (directions.length < kinds.length) return 'maybe';
      let result: Truth = 'no';
      for (const element of elements) {
        const parts = element.split(',');
        let found: Truth = 'yes';
        for (const [at, kind] of kinds.entries()) {
          const test = partTest(kind, parts[at] ?? '', directions[at] ?? 'src');
          const part = test ? test(packet) : 'maybe';
          if (part === 'no') found = 'no';
          if (part === 'maybe' && found === 'yes') found = 'maybe';
        }
        if (found !== 'no') result = result === 'yes' || found === 'yes' ? 'yes' : 'maybe';
      }
      return result !== 'no' && exceptions.length > 0 ? 'maybe' : result;
    },
  };
}

/**
 * A set made ready.
 * @param all by name, for sets of sets; undefined when they were not read
 * @param isFilled whether a rule adds to the set as packets come by
 * @returns undefined when the set is not there or is not understood
 */
export function readyIpset(
  name: string,
  all: Readonly<Record<string, IpsetReading>> | undefined,
  isFilled: (name: string) => boolean,
): IpSet | undefined {
  const reading = all && Object.hasOwn(all, name) ? all[name] : undefined;
  if (!reading) return undefined;
  const found = unfilled(reading, all, isFilled);
  if (!found || !isFilled(name)) return found;
  return {
    has: (packet, directions) => {
      const truth = found.has(packet, directions);
      return truth === 'no' ? 'maybe' : truth;
    },
  };
}

function unfilled(
  reading: IpsetReading,
  all: Readonly<Record<string, IpsetReading>> | undefined,
  isFilled: (name: string) => boolean,
): IpSet | undefined {
  if (reading.type === 'list:set') {
    const sets = reading.elements.map(each => readyIpset(each, all, isFilled));
    const known = sets.filter(set => set !== undefined);
    if (known.length < sets.length) return undefined;
    return {
      has: (packet, directions) => {
        const truths = known.map(set => set.has(packet, directions));
        return truths.includes('yes') ? 'yes' : truths.includes('maybe') ? 'maybe' : 'no';
      },
    };
  }
  return /:(ip|net)$/.test(reading.type) ? addressSet(reading) : tupleSet(reading);
}
