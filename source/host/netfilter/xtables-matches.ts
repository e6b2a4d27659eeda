/** The matches of an iptables-save rule: which options netdash understands, and what they ask. iptables(8), iptables-extensions(8). */
import type { Range, RuleMatch } from '../readings.ts';
import { canonicalAddressRange, canonicalCidr } from './addresses.ts';
import { protocolName } from './protocols.ts';

/**
 * Reads one option. `values` are as many words as `arity` says. Returns the match, undefined when the values are not
 * understood (the caller then keeps the option as unknown).
 */
interface Option {
  arity: number;
  read(negate: boolean, values: string[]): RuleMatch | undefined;
}

/** `80` or `5000:6000`, as iptables-save prints ports (numbers always). */
export function parsePortRange(text: string): Range | undefined {
  const found = /^(\d+)(?:[:-](\d+))?$/.exec(text);
  if (!found) return undefined;
  const from = Number(found[1]);
  return [from, found[2] === undefined ? from : Number(found[2])];
}

const portList = (text: string): Range[] | undefined => {
  const ports = text.split(',').map(parsePortRange);
  return ports.every(range => range !== undefined) ? ports : undefined;
};

const lowerList = (text: string): string[] => text.toLowerCase().split(',');

const ports = (kind: 'sport' | 'dport' | 'anyport' | 'ctorigdport'): Option => ({
  arity: 1,
  read: (negate, [text = '']) => {
    const found = portList(text);
    return found && { kind, negate, ports: found };
  },
});

const address = (kind: 'saddr' | 'daddr' | 'ctorigsrc' | 'ctorigdst', parse = canonicalCidr): Option => ({
  arity: 1,
  read: (negate, [text = '']) => {
    const found = parse(text);
    return found === undefined ? undefined : { kind, negate, addresses: [found] };
  },
});

const device = (kind: 'iif' | 'oif'): Option => ({
  arity: 1,
  read: (negate, [name = '']) => ({ kind, negate, names: [name] }),
});

const types = (kind: 'srctype' | 'dsttype' | 'pkttype'): Option => ({
  arity: 1,
  read: (negate, [text = '']) => ({ kind, negate, types: lowerList(text) }),
});

const ctstate: Option = {
  arity: 1,
  read: (negate, [text = '']) => ({ kind: 'ctstate', negate, states: lowerList(text) }),
};

const flagList = (text: string): string[] => (text === 'NONE' ? [] : lowerList(text));
const allFlags = ['fin', 'syn', 'rst', 'psh', 'ack', 'urg'];

const transport: Record<string, Option> = { '--sport': ports('sport'), '--dport': ports('dport') };

/** `135`, `8/0` (any code of one type is asked for by the type alone), `any`. */
const icmpType = (family: 4 | 6): Option => ({
  arity: 1,
  read: (negate, [text = '']) => {
    if (text === 'any') return { kind: 'icmptype', negate, family, types: [[0, 255]] };
    const type = /^\d+$/.test(text) ? Number(text) : undefined;
    return type === undefined ? undefined : { kind: 'icmptype', negate, family, types: [[type, type]] };
  },
});

function markOption(kind: 'mark' | 'connmark'): Option {
  return {
    arity: 1,
    read: (negate, [text = '']) => {
      const mark = parseMark(text);
      return mark && { kind, negate, ...mark };
    },
  };
}

const hopLimit = (of: (value: number) => Range): Option => ({
  arity: 1,
  read: (negate, [text = '']) =>
    /^\d+$/.test(text) ? { kind: 'hoplimit', negate, values: [of(Number(text))] } : undefined,
});

const hopLimits = (name: 'ttl' | 'hl'): Record<string, Option> => ({
  [`--${name}-eq`]: hopLimit(value => [value, value]),
  [`--${name}-lt`]: hopLimit(value => [0, value - 1]),
  [`--${name}-gt`]: hopLimit(value => [value + 1, 255]),
});

/** The options before any `-m`. */
const generic: Record<string, Option> = {
  '-s': address('saddr'),
  '-d': address('daddr'),
  '-i': device('iif'),
  '-o': device('oif'),
  '-p': { arity: 1, read: (negate, [text = '']) => ({ kind: 'proto', negate, protos: [protocolName(text)] }) },
};

/** By match module, then option. An option that is not here is kept as unknown. */
const modules: Record<string, Record<string, Option>> = {
  udp: transport,
  sctp: transport,
  dccp: transport,
  udplite: transport,
  tcp: {
    ...transport,
    '--syn': {
      arity: 0,
      read: negate => ({ kind: 'tcpflags', negate, mask: ['fin', 'syn', 'rst', 'ack'], set: ['syn'] }),
    },
    '--tcp-flags': {
      arity: 2,
      read: (negate, [mask = '', set = '']) => ({
        kind: 'tcpflags',
        negate,
        mask: mask === 'ALL' ? allFlags : flagList(mask),
        set: set === 'ALL' ? allFlags : flagList(set),
      }),
    },
  },
  icmp: { '--icmp-type': icmpType(4) },
  icmp6: { '--icmpv6-type': icmpType(6) },
  'ipv6-icmp': { '--icmpv6-type': icmpType(6) },
  ttl: hopLimits('ttl'),
  hl: hopLimits('hl'),
  multiport: { '--sports': ports('sport'), '--dports': ports('dport'), '--ports': ports('anyport') },
  iprange: {
    '--src-range': address('saddr', canonicalAddressRange),
    '--dst-range': address('daddr', canonicalAddressRange),
  },
  state: { '--state': ctstate },
  conntrack: {
    '--ctstate': ctstate,
    '--ctdir': {
      arity: 1,
      read: (negate, [text]) => ({ kind: 'ctdir', negate, direction: text === 'REPLY' ? 'reply' : 'original' }),
    },
    '--ctorigdstport': ports('ctorigdport'),
    '--ctorigdst': address('ctorigdst'),
    '--ctorigsrc': address('ctorigsrc'),
  },
  rpfilter: { '--invert': { arity: 0, read: negate => ({ kind: 'rpath', negate: !negate, withMark: false }) } },
  addrtype: { '--src-type': types('srctype'), '--dst-type': types('dsttype') },
  pkttype: { '--pkt-type': types('pkttype') },
  mark: { '--mark': markOption('mark') },
  connmark: { '--mark': markOption('connmark') },
  set: {
    '--match-set': {
      arity: 2,
      read: (negate, [name = '', directions = '']) => {
        const list = directions.split(',');
        const known = list.every(direction => direction === 'src' || direction === 'dst');
        return known ? { kind: 'set', negate, name, directions: list } : undefined;
      },
    },
  },
};

/** `0x1/0xff` or `0x1`: a value and the bits that count. */
export function parseMark(text: string): { value: number; mask: number } | undefined {
  const found = /^(0x[0-9a-f]+|\d+)(?:\/(0x[0-9a-f]+|\d+))?$/i.exec(text);
  return found ? { value: Number(found[1]), mask: found[2] === undefined ? 0xffffffff : Number(found[2]) } : undefined;
}

/** The option `name` of match module `module` ('' for none); undefined when netdash does not evaluate it. */
export function matchOption(module: string, name: string): Option | undefined {
  const options = module === '' ? generic : modules[module];
  return options && Object.hasOwn(options, name) ? options[name] : undefined;
}
