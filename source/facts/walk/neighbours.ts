/**
 * What must work before a packet can cross a link: its sender has to learn the link-layer address of the next hop. IPv4 asks
 * by ARP, which no chain of IP sees. IPv6 asks by ICMPv6 (RFC 4861), and that passes the same hooks as everything else
 * (measured on 6.18: each of the four packets, dropped, cuts off whoever does not know the address from before).
 */
import { covers, isLinkLocal, parseAddress, sameSpan, spanText, type Span } from './address.ts';
import { ChainWalk } from './chains.ts';
import { explore, type Chooser } from './chooser.ts';
import { HookWalk, type HookWorld } from './hooks.ts';
import { connection, fromClient, type Packet } from './packet.ts';
import { Stop } from './stop.ts';
import type { DecidedBy, Verdict } from './verdict.ts';
import { seesFrames } from './world.ts';

const solicitation = 135;
const advertisement = 136;
/** fe80::/10: a router asks for its neighbours with such an address. */
const anyLinkLocal: Span = { family: 6, from: 0xfe80n << 112n, to: (0xfec0n << 112n) - 1n };

/** One end of a link: `who` tells ends apart, `address` is the one it asks from, or is asked for. */
export interface End {
  who: string;
  address: Span;
}

/** How the two ends of a link are placed: towards the host, from it, or over a bridge of its, past its own stack. */
export type Crossing = 'in' | 'out' | 'over';

/** Why it cannot be told, or absent: it works. */
type Doubt = DecidedBy | undefined;

const doubts = new WeakMap<HookWorld, Map<string, Doubt>>();

/** Who has learned whose link-layer address in one exchange. Caches may hold more: that is not known. */
export class Neighbours {
  private readonly world: HookWorld;
  private readonly chooser: Chooser;
  private readonly known = new Set<string>();

  constructor(world: HookWorld, chooser: Chooser) {
    this.world = world;
    this.chooser = chooser;
  }

  /**
   * Before `asker` sends to `target` over a link.
   * @param device the host's interface, or its bridge
   * @returns a stop where it is taken not to know the address and not to be able to learn it
   */
  meet(asker: End, target: End, device: string, crossing: Crossing): Stop | undefined {
    const { arp, frames } = this.world.rules;
    if (asker.address.family === 4 && arp.length === 0 && frames.length === 0) return undefined;
    const key = `${asker.who} ${spanText(target.address)}`;
    if (this.known.has(key)) return undefined;
    this.known.add(key);
    // Who is asked learns the address of who asks (RFC 4861, 7.2.3).
    this.known.add(`${target.who} ${spanText(asker.address)}`);
    const doubt = this.doubt(asker.address, target.address, device, crossing);
    if (!doubt || this.chooser.choose(2, () => doubt) === 0) return undefined;
    return new Stop('blocked', 'neighbour', doubt);
  }

  /** Before a neighbour on the link of the host's interface `iif` sends a packet in: it has to learn where the host is. */
  learnHost({ destination, source, family }: Packet, iif: string): Stop | undefined {
    const own = this.world.addresses(iif, family);
    const target =
      own.find(({ address }) => sameSpan(address, destination)) ?? own.find(({ address }) => !isLinkLocal(address));
    const isOnLink = own.some(({ subnet }) => covers(subnet, source));
    const asker = { who: 'outside', address: family === 4 || isOnLink ? source : anyLinkLocal };
    return this.meet(asker, { who: 'host', address: target?.address ?? destination }, iif, 'in');
  }

  /**
   * Before the host puts a packet on its interface `oif`: it has to learn where the next hop is, and asks with the packet's
   * source if that is an address of the interface.
   * @param who the next hop, as `End` has it
   */
  learnNext({ source, family }: Packet, oif: string, next: Span, who: string): Stop | undefined {
    const own = this.world.addresses(oif, family);
    const address =
      own.find(each => sameSpan(each.address, source)) ?? own.find(each => isLinkLocal(each.address)) ?? own[0];
    return this.meet({ who: 'host', address: address?.address ?? source }, { who, address: next }, oif, 'out');
  }

  private doubt(asker: Span, target: Span, device: string, crossing: Crossing): Doubt {
    const known = doubts.get(this.world) ?? new Map<string, Doubt>();
    doubts.set(this.world, known);
    const key = asker.family === 4 ? `arp ${device}` : `${crossing} ${device} ${spanText(asker)} ${spanText(target)}`;
    if (known.has(key)) return known.get(key);
    const { verdict, decidedBy } = explore(chooser =>
      asker.family === 4 ? this.arp(device, chooser) : this.discovery(asker, target, device, crossing, chooser),
    );
    const name = asker.family === 4 ? 'ARP' : 'neighbour discovery';
    const doubt: Doubt =
      verdict === 'reachable' || !decidedBy
        ? undefined
        : {
            ...decidedBy,
            detail: `${name} on ${device} ${verdict === 'blocked' ? 'is' : 'may be'} stopped, so that it works only while neighbour caches hold the addresses: ${decidedBy.detail}`,
          };
    known.set(key, doubt);
    return doubt;
  }

  /** The question and the answer of ICMPv6. */
  private discovery(asker: Span, target: Span, device: string, crossing: Crossing, chooser: Chooser): Verdict {
    const hooks = new HookWalk(this.world, chooser, () => undefined);
    const question = icmp(solicitation, asker, solicited(target));
    const answer = icmp(advertisement, target, asker);
    const goIn = (packet: Packet): Stop | undefined => {
      packet.iif = device;
      return hooks.frame(packet) ?? hooks.pass(packet, 'prerouting') ?? hooks.pass(packet, 'input');
    };
    const goOut = (packet: Packet): Stop | undefined => {
      packet.oif = device;
      return hooks.pass(packet, 'output') ?? hooks.pass(packet, 'postrouting') ?? hooks.frame(packet);
    };
    const goOver = (packet: Packet): Stop | undefined => {
      packet.iif = device;
      const framed = hooks.frame(packet);
      if (framed || !seesFrames(this.world, device, 6)) return framed;
      const before = hooks.pass(packet, 'prerouting');
      packet.oif = device;
      return before ?? hooks.pass(packet, 'forward') ?? hooks.pass(packet, 'postrouting');
    };
    const ways = { in: [goIn, goOut], out: [goOut, goIn], over: [goOver, goOver] } as const;
    const [there, back] = ways[crossing];
    return verdictOf(there(question) ?? back(answer));
  }

  /** ARP, as chains of the families arp, bridge and netdev see it. */
  private arp(device: string, chooser: Chooser): Verdict {
    const { arp, frames } = this.world.rules;
    const chains = new ChainWalk(this.world.rules, chooser);
    const nobody: Span = { family: 4, from: 0, to: 0 };
    for (const direction of ['input', 'output'] as const) {
      const packet = fromClient(connection(nobody, nobody, 0), 'arp', 'syn');
      if (direction === 'input') packet.iif = device;
      else packet.oif = device;
      for (const chain of [...arp.filter(({ reading }) => reading.hook === direction), ...frames]) {
        const result = chains.base(chain, packet);
        if (result.kind === 'drop') return verdictOf(new Stop('blocked', 'ARP', result.by()));
      }
    }
    return verdictOf(undefined);
  }
}

const verdictOf = (stopped: Stop | undefined): Verdict =>
  stopped ? { verdict: stopped.verdict, decidedBy: stopped.decidedBy, path: [] } : { verdict: 'reachable', path: [] };

function icmp(icmpType: number, source: Span, destination: Span): Packet {
  const packet = fromClient(connection(source, destination, 0), 'ipv6-icmp', 'syn');
  packet.ct.untracked = true;
  packet.sourcePort = [0, 0];
  return { ...packet, icmpType };
}

const everySolicited = parseAddress('ff02::1:ff00:0')?.from;

/** The multicast group in which an address is asked for (RFC 4291, 2.7.1): its last 24 bits count. */
function solicited(target: Span): Span {
  const base = typeof everySolicited === 'bigint' ? everySolicited : 0n;
  const [from, to] = [BigInt(target.from) & 0xffffffn, BigInt(target.to) & 0xffffffn];
  return target.from === target.to
    ? { family: 6, from: base | from, to: base | to }
    : { family: 6, from: base, to: base | 0xffffffn };
}
