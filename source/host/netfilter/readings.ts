/**
 * The rules of one network namespace, parsed and not judged, in one form for iptables and nft. Addresses are in their canonical
 * text form, as readings.ts in the folder above has it.
 */

/** Which tool a table was read with: xtables rules of the nft or of the legacy kernel interface, or native nftables. */
export type NetfilterBackend = 'iptables-nft' | 'iptables-legacy' | 'nft';

/** ip and ip6 are IPv4 and IPv6; inet is both. */
export type NetfilterFamily = 'ip' | 'ip6' | 'inet' | 'arp' | 'bridge' | 'netdev';

export type Hook = 'prerouting' | 'input' | 'forward' | 'output' | 'postrouting' | 'ingress' | 'egress';

/** A chain with its rules in order. A base chain has `hook` and `priority`. */
export interface ChainReading {
  backend: NetfilterBackend;
  family: NetfilterFamily;
  table: string;
  name: string;
  hook?: Hook;
  /** Numeric: raw -300, mangle -150, dstnat -100, filter 0, srcnat 100. */
  priority?: number;
  type?: 'filter' | 'nat' | 'route';
  policy?: 'accept' | 'drop';
  /** Policy counters, where the tool tells them. */
  packets?: number;
  bytes?: number;
  rules: RuleReading[];
}

/** A rule, with what its text means as far as netdash understands it. */
export interface RuleReading {
  /** 1-based position in its chain, as `iptables -L --line-numbers` counts. */
  number: number;
  /** nft's handle. */
  handle?: number;
  /** As the tool that owns it prints it: `-A DOCKER ! -i docker0 -p tcp …`, or nft syntax. */
  text: string;
  packets?: number;
  bytes?: number;
  comment?: string;
  /** All must hold for the rule to apply. */
  matches: RuleMatch[];
  /** What it does to the packet before `target`, in order: an nft rule may set a mark, log and accept all at once. */
  effects?: RuleTarget[];
  target: RuleTarget;
}

/** An inclusive range of numbers; a single value has both ends equal. */
export type Range = [number, number];

/** What a rule asks of a packet. `negate` turns it round. Anything netdash does not evaluate is `unknown`, never dropped. */
export type RuleMatch =
  | {
      kind: 'iif' | 'oif';
      negate: boolean;
      /** Names; one ending in `+` (xtables) or `*` (nft) matches a prefix. */ names: string[];
    }
  | { kind: 'saddr' | 'daddr'; negate: boolean; /** CIDR or `from-to` ranges, either family. */ addresses: string[] }
  | { kind: 'proto'; negate: boolean; /** Lower-case names or numbers as text. */ protos: string[] }
  | { kind: 'sport' | 'dport'; negate: boolean; ports: Range[] }
  | {
      kind: 'ctstate';
      negate: boolean;
      /** Lower case: new, established, related, invalid, untracked, dnat, snat. */ states: string[];
    }
  | { kind: 'ctdir'; negate: boolean; direction: 'original' | 'reply' }
  | { kind: 'ctorigdport'; negate: boolean; ports: Range[] }
  | { kind: 'ctorigdst' | 'ctorigsrc'; negate: boolean; addresses: string[] }
  | {
      kind: 'dsttype' | 'srctype';
      negate: boolean;
      /** Lower case: local, broadcast, multicast, unicast… */ types: string[];
      /** Only the addresses of the interface that the packet came by, or leaves by, count as local. */
      on?: 'iif' | 'oif';
    }
  /** The packet came by the interface that leads back to its source (rpfilter, nft's fib). */
  | { kind: 'rpath'; negate: boolean; /** Whether the packet's mark counts for the way back. */ withMark: boolean }
  | { kind: 'mark'; negate: boolean; value: number; mask: number }
  /** The mark that conntrack keeps for the connection. */
  | { kind: 'connmark'; negate: boolean; value: number; mask: number }
  | { kind: 'nfproto'; negate: boolean; family: 4 | 6 }
  /** Source or destination port (`multiport --ports`). */
  | { kind: 'anyport'; negate: boolean; ports: Range[] }
  /** Of the flags in `mask`, those in `set` are set and no others; lower case. */
  | { kind: 'tcpflags'; negate: boolean; mask: string[]; set: string[] }
  | {
      kind: 'pkttype';
      negate: boolean;
      /** unicast (also called host), broadcast, multicast, other. */ types: string[];
    }
  /** `ipv6-icmp` or `icmp` of one of these types, as numbers. */
  | { kind: 'icmptype'; negate: boolean; family: 4 | 6; types: Range[] }
  /** TTL or hop limit. */
  | { kind: 'hoplimit'; negate: boolean; values: Range[] }
  /** At least one of these lists holds with all its matches (nft sets of concatenated fields). */
  | { kind: 'oneof'; negate: boolean; alternatives: RuleMatch[][] }
  /** Member of an ipset. */
  | { kind: 'set'; negate: boolean; name: string; directions: ('src' | 'dst')[] }
  /** Asks for a header that no TCP or UDP packet of a plain exchange has (rt, frag, ah…): it never holds, turned round or not. */
  | { kind: 'never'; negate: boolean; text: string }
  | { kind: 'unknown'; text: string };

/** An address and port to translate to, each absent where it stays as it is. */
export interface NatMapping {
  kind: 'dnat' | 'snat';
  address?: string;
  port?: Range;
}

/** What becomes of a packet that matches. */
export type RuleTarget =
  | { kind: 'accept' | 'drop' | 'return' | 'none' }
  | { kind: 'reject'; with?: string }
  | { kind: 'jump' | 'goto'; chain: string }
  /** nft `iifname vmap @m` / xtables has none: verdict by key. */
  | { kind: 'vmap'; key: string; entries: { key: string; verdict: string; chain?: string }[] }
  /** nft `dnat to KEY map { … }`: what is translated to by key; a packet that is in no entry does not match. */
  | { kind: 'natmap'; key: string; entries: { key: string; target: NatMapping }[] }
  /** Puts the bits of a prefix in place of those of the address; those of the rest stay. */
  | { kind: 'netmap'; /** CIDR */ prefix: string }
  | { kind: 'dnat'; /** One address or `from-to`; absent: unchanged. */ address?: string; port?: Range }
  | { kind: 'snat'; address?: string; port?: Range }
  | { kind: 'redirect'; port?: Range }
  | { kind: 'masquerade'; port?: Range }
  /** The new mark is (old & ~mask) ^ value. */
  | { kind: 'mark'; value: number; mask: number }
  /** The connection's new mark is (old & ~mask) ^ value. */
  | { kind: 'setconnmark'; value: number; mask: number }
  /** The connection's new mark is (old & ~connMask) ^ (the packet's & packetMask). */
  | { kind: 'savemark'; packetMask: number; connMask: number }
  /** The packet's new mark is (old & ~packetMask) ^ (the connection's & connMask). */
  | { kind: 'restoremark'; packetMask: number; connMask: number }
  | { kind: 'log' }
  /** Does something that no match of this union can see, and goes on with the next rule (TCPMSS, NFLOG, SET…). */
  | { kind: 'continue'; text: string }
  | { kind: 'unknown'; text: string };

export interface NetfilterReading {
  chains: ChainReading[];
  /** One entry per tool asked, in the order asked: what it gave, or why it gave nothing. */
  tools: { tool: string; state: 'ok' | 'failed' | 'missing'; reason?: string }[];
  /** Sets and maps by `family table name`, elements as text, for native nft. */
  sets: Record<string, string[]>;
  /** ipsets by name; absent when no rule asks for one, or `ipset` could not tell. */
  ipsets?: Record<string, IpsetReading>;
}

/** An ipset as `ipset save` prints it. */
export interface IpsetReading {
  /** `hash:ip`, `hash:net,port`, `list:set`… */
  type: string;
  elements: string[];
  /** Elements marked `nomatch`. */
  exceptions: string[];
}
