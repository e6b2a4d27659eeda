/** The packet that walks, and what conntrack knows of its connection. */
import type { Proto, Range } from '../../host/readings.ts';
import type { Family, Span } from './address.ts';

/** A connection as conntrack sees it: its original tuple and the translations. Made with the first packet. */
export interface Conntrack {
  readonly source: Span;
  readonly sourcePort: Range;
  readonly destination: Span;
  readonly port: number;
  /** Where the destination was translated to. */
  dnat?: { address: Span; port: number };
  /** What the source was translated to. */
  snat?: { address: Span; port: Range };
  /** Set once the first packet has passed the chains that could translate it: they are not asked again. */
  dnatDone: boolean;
  snatDone: boolean;
  /** undefined: a rule has set it to something that is not known. */
  mark: number | undefined;
  /** NOTRACK: no state, no translation. */
  untracked: boolean;
}

/** TCP: the part of the exchange that this packet is. UDP has no more than `new` and `answer`. */
export type Phase = 'syn' | 'syn-ack' | 'data' | 'answer';

/** What a packet carries: `ipv6-icmp` is neighbour discovery, `arp` its like for IPv4, which no chain of IP sees. */
export type Carried = Proto | 'ipv6-icmp' | 'arp';

export interface Packet {
  readonly family: Family;
  readonly proto: Carried;
  /** Of neighbour discovery: 135 asks, 136 answers (RFC 4861). */
  readonly icmpType?: number;
  readonly phase: Phase;
  readonly direction: 'original' | 'reply';
  readonly ct: Conntrack;
  source: Span;
  sourcePort: Range;
  destination: Span;
  /** A single port but in a reply to a client whose port is not known. */
  port: Range;
  /** '' where there is none. */
  iif: string;
  oif: string;
  /** undefined: a rule has set it to something that is not known. */
  mark: number | undefined;
  /** Whether conntrack has looked at it: rules before that (raw) see no state. */
  tracked: boolean;
}

/** Ports that a client may have as its own: Linux takes 32768 to 60999 by default, others 49152 to 65535 (RFC 6335). */
export const clientPorts: Range = [32768, 65535];

/** A fresh connection. @param sourcePort what the client may have as its own port */
export function connection(source: Span, destination: Span, port: number, sourcePort = clientPorts): Conntrack {
  return {
    source,
    sourcePort,
    destination,
    port,
    dnatDone: false,
    snatDone: false,
    mark: 0,
    untracked: false,
  };
}

/** The first packet of a connection, or a later one of the client, as it leaves the client. */
export function fromClient(ct: Conntrack, proto: Carried, phase: 'syn' | 'data'): Packet {
  return {
    family: ct.destination.family,
    proto,
    phase,
    direction: 'original',
    ct,
    source: ct.source,
    sourcePort: ct.sourcePort,
    destination: ct.destination,
    port: [ct.port, ct.port],
    iif: '',
    oif: '',
    mark: 0,
    tracked: false,
  };
}

/** The answer to a packet as it arrived at the server. */
export function answerTo(arrived: Packet, phase: 'syn-ack' | 'answer'): Packet {
  return {
    family: arrived.family,
    proto: arrived.proto,
    phase,
    direction: 'reply',
    ct: arrived.ct,
    source: arrived.destination,
    sourcePort: arrived.port,
    destination: arrived.source,
    port: arrived.sourcePort,
    iif: '',
    oif: '',
    mark: 0,
    tracked: false,
  };
}

/** Conntrack's state of the packet (nf_conntrack: the first one is new, whatever follows is established). */
export function stateOf({ ct, phase, proto, tracked }: Packet): 'new' | 'established' | 'untracked' | 'invalid' {
  // Conntrack looks at neighbour discovery too, and then leaves it alone (nf_conntrack_proto_icmpv6.c).
  if (proto === 'ipv6-icmp') return tracked ? 'untracked' : 'invalid';
  if (ct.untracked) return 'untracked';
  if (!tracked) return 'invalid';
  return phase === 'syn' ? 'new' : 'established';
}
