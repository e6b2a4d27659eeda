/** A connection's packets at the hooks inside a container's netns, which has a conntrack of its own. */
import { covers, isLoopback, sameSpan, spanText, type Span } from './address.ts';
import type { Chooser } from './chooser.ts';
import { HookWalk, unsureStop, type HookWorld, type Note } from './hooks.ts';
import { Neighbours } from './neighbours.ts';
import type { Node } from './nodes.ts';
import { connection, type Conntrack, type Packet } from './packet.ts';
import { Stop } from './stop.ts';

/** As the netns sees it: a connection that it makes, one that it takes, or one with itself. */
type Role = 'client' | 'server' | 'itself';

/** The hooks of one netns, for one connection. */
export class InsideHooks {
  private readonly node: Node;
  private readonly world: HookWorld;
  private readonly hooks: HookWalk;
  private readonly neighbours: Neighbours;
  private readonly known = new Map<Role, Conntrack>();

  constructor(node: Node, world: HookWorld, chooser: Chooser, note: Note) {
    this.node = node;
    this.world = world;
    this.hooks = new HookWalk(world, chooser, told =>
      note(() => {
        const hop = typeof told === 'function' ? told() : told;
        return { ...hop, hop: this.titled(hop.hop) };
      }),
    );
    this.neighbours = new Neighbours(world, chooser);
  }

  /** A packet for it comes by an interface; it may be translated by that. */
  arrive(packet: Packet, iif: string): Stop | undefined {
    const role = packet.direction === 'original' ? 'server' : 'client';
    const own = this.asSeen(packet, role, iif, '');
    const stopped = this.meet(own, iif, 'in') ?? this.hooks.frame(own) ?? this.in(own);
    return stopped ? this.named(stopped) : this.take(packet, own);
  }

  /** It sends a packet by an interface; an answer may be translated by that. */
  leave(packet: Packet, oif: string): Stop | undefined {
    const role = packet.direction === 'original' ? 'client' : 'server';
    const own = this.asSeen(packet, role, '', oif);
    const stopped = this.out(own) ?? this.hooks.frame(own) ?? this.meet(own, oif, 'out');
    if (stopped) return this.named(stopped);
    const isTurned = !sameSpan(own.destination, packet.destination) || own.port[0] !== packet.port[0];
    if (isTurned || own.mark !== 0 || (role === 'client' && !sameSpan(own.source, packet.source))) {
      const what = isTurned || own.mark === 0 ? 'translate' : 'mark';
      return unsureStop(
        this.titled('OUTPUT'),
        `rules inside ${this.node.name} ${what} what it sends, which is not followed`,
      );
    }
    return role === 'server' ? this.take(packet, own) : undefined;
  }

  /** It sends a packet to itself, over lo. */
  turn(packet: Packet): Stop | undefined {
    const own = this.asSeen(packet, 'itself', '', 'lo');
    const left = this.out(own);
    if (left) return this.named(left);
    own.iif = 'lo';
    own.oif = '';
    const stopped = this.in(own);
    return stopped ? this.named(stopped) : this.take(packet, own);
  }

  private in(own: Packet): Stop | undefined {
    const before = this.hooks.pass(own, 'prerouting');
    if (before) return before;
    const isHere =
      own.iif === 'lo' ? this.owns(own.destination) || isLoopback(own.destination) : this.owns(own.destination);
    if (!isHere)
      return unsureStop('PREROUTING', `${this.node.name} would have to pass it on to ${spanText(own.destination)}`);
    return this.hooks.pass(own, 'input');
  }

  private out(own: Packet): Stop | undefined {
    return this.hooks.pass(own, 'output') ?? this.hooks.pass(own, 'postrouting');
  }

  private owns(address: Span): boolean {
    return this.node.interfaces.some(item => item.addresses.some(own => sameSpan(own.address, address)));
  }

  /** The packet without what another netns knows of it: marks and conntrack stay behind (skb_scrub_packet). */
  private asSeen(packet: Packet, role: Role, iif: string, oif: string): Packet {
    const { source, destination, port, sourcePort } = packet;
    const ct = this.known.get(role) ?? connection(source, destination, port[0], sourcePort);
    this.known.set(role, ct);
    return { ...packet, ct, iif, oif, mark: 0, tracked: false };
  }

  private take(packet: Packet, own: Packet): undefined {
    packet.source = own.source;
    packet.sourcePort = own.sourcePort;
    packet.destination = own.destination;
    packet.port = own.port;
  }

  /** Its part in learning link-layer addresses: of whoever is next on the way. */
  private meet(own: Packet, device: string, crossing: 'in' | 'out'): Stop | undefined {
    // Rules that were not read are asked about once, for the packet itself.
    if (this.world.rulesGap !== undefined) return undefined;
    const far = crossing === 'in' ? own.source : own.destination;
    const near = crossing === 'in' ? own.destination : own.source;
    const way = this.world.fib.lookup({ destination: far });
    const isNear = this.world.addresses(device, far.family).some(({ subnet }) => covers(subnet, far));
    const next = { who: 'next', address: isNear ? far : (way.kind === 'route' && way.route.gateway) || far };
    const self = { who: this.node.name, address: near };
    return crossing === 'in'
      ? this.neighbours.meet(next, self, device, crossing)
      : this.neighbours.meet(self, next, device, crossing);
  }

  private titled(hop: string): string {
    return `${this.node.name} ${hop}`;
  }

  private named({ verdict, hop, decidedBy }: Stop): Stop {
    return new Stop(verdict, this.titled(hop), decidedBy);
  }
}
