/** A packet's way through the host: routing, hooks, bridges and network namespaces, one packet at a time. */
import { hasCarrier } from '../carrier.ts';
import { isLinkLocal, isLoopback, sameSpan, spanText, type Span } from './address.ts';
import type { Chooser } from './chooser.ts';
import { balanced, forwarding, validate } from './checks.ts';
import { InsideHooks } from './inside-hooks.ts';
import { HookWalk, unsureStop, type Note } from './hooks.ts';
import { Neighbours } from './neighbours.ts';
import { owns, pidIn, type Node, type NodeInterface } from './nodes.ts';
import { lostAddress, notYetUsed } from './lost-address.ts';
import type { Packet } from './packet.ts';
import type { Route } from './routes.ts';
import { Stop, stop } from './stop.ts';
import { astray, hostHasNoRoute, nodeHasNoRoute } from './way.ts';
import { nodeText, seesFrames, type World } from './world.ts';

/** Where a packet can be. `outside` is beyond a host interface. */
export type Place = { kind: 'host' } | { kind: 'node'; node: Node } | { kind: 'outside'; interface: string };

/** A packet that has come to a netns that it is meant for. */
export interface Arrival {
  at: Place;
  /** The interface it came by, as that netns calls it. */
  iif: string;
  packet: Packet;
}

const host: Place = { kind: 'host' };

/** The interface by which the host sends on a route; what is its own goes by lo. */
const oifOf = ({ reading }: Route): string => (reading.type === 'local' ? 'lo' : (reading.device ?? ''));

/** Sends packets. One for each connection; `outside` is where its client is, if that is beyond an interface. */
export class Journey {
  private readonly world: World;
  private readonly chooser: Chooser;
  private readonly hooks: HookWalk;
  private readonly neighbours: Neighbours;
  private readonly note: Note;
  private readonly outside: string | undefined;
  private readonly inside = new Map<Node, InsideHooks>();

  constructor(world: World, chooser: Chooser, note: Note, outside: string | undefined) {
    this.world = world;
    this.chooser = chooser;
    this.hooks = new HookWalk(world, chooser, note);
    this.neighbours = new Neighbours(world, chooser);
    this.note = note;
    this.outside = outside;
  }

  /** Sends a packet from where it starts. */
  send(packet: Packet, from: Place): Arrival | Stop {
    if (from.kind === 'host') return this.fromHost(packet);
    if (from.kind === 'node') return this.fromNode(packet, from.node);
    const direct = this.world.onParent(from.interface, packet.destination);
    if (direct?.attached.kind === 'parent') return this.atNode(packet, direct);
    if (this.isBeside(packet, from.interface)) {
      const lost = lostAddress(packet, from.interface, this.world);
      if (lost) return lost;
      const who = spanText(packet.destination);
      return unsureStop(
        'route',
        `${who} is on the LAN of ${from.interface} itself: what comes from there does not pass this host`,
      );
    }
    const framed = this.hooks.frame(packet);
    return framed ?? this.neighbours.learnHost(packet, from.interface) ?? this.intoHost(packet, from.interface);
  }

  /** Whether a packet from beyond an interface is for somebody else who is there too, as the host's routes have it. */
  private isBeside({ destination, source }: Packet, iif: string): boolean {
    if (this.isOwn(destination)) return false;
    const answer = this.world.fib.lookup({ destination, source, iif });
    if (answer.kind !== 'route') return false;
    const { gateway, reading } = answer.route;
    return gateway === undefined && reading.type === 'unicast' && reading.device === iif;
  }

  /** The host's route for a packet; a stop where there is none. */
  route(packet: Packet, iif?: string): Route | Stop {
    const { destination, source, mark } = packet;
    const answer = this.world.fib.lookup({
      destination,
      source,
      ...(iif !== undefined && { iif }),
      ...(mark !== undefined && { mark }),
    });
    if (answer.kind === 'unknown') return unsureStop('route', answer.reason);
    const down = this.world.downBridgeOf(destination);
    if (down !== undefined) {
      return stop('blocked', down, 'route', `${down}, the bridge that ${spanText(destination)} is on, is down`);
    }
    const { route } = answer.kind === 'route' ? answer : { route: undefined };
    const type = route?.reading.type;
    if (!route) return hostHasNoRoute(destination, this.world);
    if (type !== 'unicast' && type !== 'local') {
      return stop(
        'blocked',
        'route',
        'route',
        `the host's route to ${route.reading.destination} is of type ${type ?? '?'}`,
        { routeTo: spanText(destination) },
      );
    }
    return astray(destination, route, this.world) ?? route;
  }

  /** A stop where what no rule has translated was for an address that the host lacks, and no table takes it all the same (AnyIP, TPROXY). */
  private lost(packet: Packet, route: Route | Stop, iif?: string): Stop | undefined {
    if (route instanceof Stop ? route.verdict === 'unknown' : route.reading.type === 'local') return undefined;
    return lostAddress(packet, route instanceof Stop ? iif : route.reading.device, this.world);
  }

  private isOwn(address: Span): boolean {
    return this.world.fib.localType(address) === 'local';
  }

  private fromHost(packet: Packet): Arrival | Stop {
    const first = this.route(packet);
    if (first instanceof Stop) return first;
    packet.iif = '';
    packet.oif = oifOf(first);
    const { source, destination } = packet;
    const stopped = this.hooks.pass(packet, 'output');
    if (stopped) return stopped;
    let route = first;
    const isTranslated = !sameSpan(destination, packet.destination);
    if (isTranslated || packet.mark !== 0) {
      const again = this.route(packet);
      if (again instanceof Stop) return again;
      route = again;
      packet.oif = oifOf(route);
    }
    const lost = isTranslated ? undefined : this.lost(packet, route);
    if (lost) return lost;
    const left = this.hooks.pass(packet, 'postrouting');
    if (left) return left;
    if (packet.oif !== 'lo') {
      // Translated or not: nothing that a socket on ::1 sends is ever answered from beyond lo (measured on 6.18).
      if (packet.family === 6 && isLoopback(source)) {
        return stop('blocked', packet.oif, 'route', `the kernel lets nothing from ::1 out by ${packet.oif}`);
      }
      return this.emit(packet, route);
    }
    // What the host sends to itself comes in again by lo, with the state it has; what was translated left otherwise.
    if (this.world.links.get('lo')?.up === false) return stop('blocked', 'lo', 'route', 'lo is down');
    packet.iif = 'lo';
    packet.oif = '';
    const back =
      this.hooks.pass(packet, 'prerouting') ?? this.hooks.pass(packet, 'input') ?? balanced(this.world, packet);
    return back ?? { at: host, iif: 'lo', packet };
  }

  /** A packet comes to the host itself by an interface. @param port the interface of the bridge port it came through */
  private intoHost(packet: Packet, iif: string, port?: NodeInterface): Arrival | Stop {
    const off = this.isOff(iif);
    if (off) return off;
    if (packet.family === 6 && (isLoopback(packet.destination) || isLoopback(packet.source))) {
      return stop('local-only', iif, 'route', 'the kernel takes ::1 from lo only');
    }
    packet.iif = iif;
    packet.oif = '';
    const { destination } = packet;
    const stopped = this.hooks.pass(packet, 'prerouting');
    return stopped ?? this.routed(packet, iif, port, !sameSpan(destination, packet.destination));
  }

  /** After PREROUTING: for this host, or on to another. */
  private routed(packet: Packet, iif: string, port: NodeInterface | undefined, translated: boolean): Arrival | Stop {
    const refused = validate(packet, iif, this.world, this.chooser);
    if (refused) return refused;
    if (this.isOwn(packet.destination)) {
      const stopped = this.hooks.pass(packet, 'input') ?? balanced(this.world, packet);
      return stopped ?? { at: host, iif, packet };
    }
    const found = this.route(packet, iif);
    const route = (translated ? undefined : this.lost(packet, found, iif)) ?? found;
    if (route instanceof Stop) return route;
    const oif = route.reading.device ?? '';
    packet.oif = oif;
    // With br_netfilter a translated frame that is to go back over its bridge is bridged, not routed (br_netfilter_hooks.c).
    const isBridged = translated && port !== undefined && oif === iif && seesFrames(this.world, iif, packet.family);
    const closed = forwarding(packet.family, iif, this.world, this.chooser);
    // Without forwarding such a frame is bridged all the same by some kernels, and dropped by others (6.18 does).
    if (closed && (!isBridged || this.chooser.choose(2, () => closed.decidedBy) === 1)) return closed;
    const stopped = this.hooks.pass(packet, 'forward') ?? this.hooks.pass(packet, 'postrouting');
    if (stopped) return stopped;
    this.note(() => ({ hop: 'route', ok: true, detail: `to ${spanText(packet.destination)} by ${oif}` }));
    return this.emit(packet, route, isBridged ? port : undefined);
  }

  /** Why nothing comes or goes by an interface of the host. What hangs on a bridge is looked at by itself. */
  private isOff(name: string): Stop | undefined {
    const link = this.world.links.get(name);
    if (!link || (link.up && (link.kind === 'bridge' || hasCarrier(link)))) return undefined;
    return stop('blocked', name, 'route', link.up ? `${name} has no carrier` : `${name} is down`, { off: name });
  }

  /** The host puts a packet on an interface. @param through the bridge port that it came in by, when it is bridged */
  private emit(packet: Packet, route: Route, through?: NodeInterface): Arrival | Stop {
    const oif = route.reading.device ?? '';
    const link = this.world.links.get(oif);
    const off = this.isOff(oif);
    if (off) return off;
    const next = route.gateway ?? packet.destination;
    const framed = this.hooks.frame(packet);
    if (framed) return framed;
    const neighbour = this.world.onBridge(oif, next);
    if (neighbour?.attached.kind === 'parent') {
      return stop(
        'blocked',
        oif,
        'bridge',
        `a ${neighbour.attached.driver} interface cannot exchange anything with its parent ${oif} on the same host`,
      );
    }
    if (neighbour) {
      if (through && through === neighbour) {
        const port = neighbour.attached.kind === 'bridge' ? neighbour.attached.port : undefined;
        if (port?.bridgePort?.hairpin === false) {
          return stop(
            'blocked',
            oif,
            'bridge',
            `hairpin is off at ${port.name}: ${oif} does not send back where it came from`,
          );
        }
      }
      return (
        this.neighbours.learnNext(packet, oif, next, neighbour.node.name) ?? this.overBridge(packet, oif, neighbour)
      );
    }
    if (this.outside === oif) {
      const unmet = this.neighbours.learnNext(packet, oif, next, 'outside');
      if (unmet) return unmet;
      return { at: { kind: 'outside', interface: oif }, iif: oif, packet };
    }
    if (link?.kind !== 'bridge') {
      const routeTo = spanText(packet.destination);
      return stop('unknown', 'route', 'route', `${routeTo} is beyond ${oif}, where netdash cannot see`, { routeTo });
    }
    return this.nobody(oif, next);
  }

  private nobody(bridge: string, address: Span): Stop {
    if (this.world.hasStrangers(bridge)) {
      return unsureStop(bridge, `who has ${spanText(address)} on ${bridge} is not known`);
    }
    return stop('nothing-listening', bridge, 'bridge', `nobody on ${bridge} has ${spanText(address)}`);
  }

  /** The last step over a bridge to the interface of a container. */
  private overBridge(packet: Packet, bridge: string, to: NodeInterface): Arrival | Stop {
    const port = to.attached.kind === 'bridge' ? to.attached.port : undefined;
    if (port && (!port.up || port.bridgePort?.state === 'disabled' || port.bridgePort?.state === 'blocking')) {
      return stop(
        'blocked',
        bridge,
        'bridge',
        `the port ${port.name} of ${bridge} is ${port.up ? port.bridgePort?.state : 'down'}`,
      );
    }
    const by = port ? ` by ${port.name}` : '';
    this.note({ hop: `bridge ${bridge}`, ok: true, detail: `to ${to.node.name}${by}` });
    return this.atNode(packet, to);
  }

  private atNode(packet: Packet, to: NodeInterface): Arrival | Stop {
    const { node } = to;
    const { source, destination } = packet;
    if (isLoopback(source)) {
      return stop(
        'blocked',
        node.name,
        'route',
        `${node.name} takes nothing from ${spanText(source)}: that address is its own loopback`,
        pidIn(node),
      );
    }
    if (owns(node, source)) {
      return stop(
        'blocked',
        node.name,
        'route',
        `${node.name} takes nothing from ${spanText(source)}: that is its own address`,
        pidIn(node),
      );
    }
    if (!owns(node, destination))
      return unsureStop(node.name, `${node.name} would have to pass it on to ${spanText(destination)}`);
    const way = node.fib.lookup({ destination: source });
    const device = way.kind === 'route' ? way.route.reading.device : undefined;
    // rp_filter inside is not read: it matters where the way back is another.
    if (packet.family === 4 && device !== undefined && device !== to.name) {
      const detail = `${node.name} reaches ${spanText(source)} by ${device}, not ${to.name}: its rp_filter is not known`;
      if (this.chooser.choose(2, () => ({ kind: 'sysctl', detail })) === 1)
        return stop('blocked', node.name, 'sysctl', detail);
    }
    const stopped = this.insideOf(node)?.arrive(packet, to.name);
    return stopped ?? { at: { kind: 'node', node }, iif: to.name, packet };
  }

  /** The hooks of a container's own netns, if somebody in there may have written rules. */
  private insideOf(node: Node): InsideHooks | undefined {
    const { firewall } = node;
    if (!firewall) return undefined;
    const known = this.inside.get(node);
    if (known) return known;
    const made = new InsideHooks(node, firewall, this.chooser, this.note);
    this.inside.set(node, made);
    return made;
  }

  private fromNode(packet: Packet, node: Node): Arrival | Stop {
    const { destination } = packet;
    const inside = this.insideOf(node);
    if (owns(node, destination) || isLoopback(destination))
      return inside?.turn(packet) ?? { at: { kind: 'node', node }, iif: 'lo', packet };
    const answer = node.fib.lookup({ destination });
    if (answer.kind !== 'route' || answer.route.reading.type !== 'unicast') {
      return nodeHasNoRoute(node, destination);
    }
    const { route } = answer;
    const out = node.interfaces.find(({ name }) => name === route.reading.device);
    if (!out)
      return unsureStop(
        node.name,
        `${node.name} sends it by ${route.reading.device ?? '?'}, of which nothing is known`,
      );
    const stopped = inside?.leave(packet, out.name);
    if (stopped) return stopped;
    const next = route.gateway ?? destination;
    if (out.attached.kind === 'unknown') return unsureStop(node.name, out.attached.reason);
    if (out.attached.kind === 'parent') return this.fromParent(packet, out, next);
    const { bridge, port } = out.attached;
    if (port && !port.up) return stop('blocked', bridge, 'bridge', `${port.name} is down`);
    const framed = this.hooks.frame(packet);
    if (framed) return framed;
    const asker = { who: node.name, address: packet.source };
    if (this.isOwn(next)) {
      const unmet = this.neighbours.meet(asker, { who: 'host', address: next }, bridge, 'in');
      return unmet ?? this.intoHost(packet, bridge, out);
    }
    const neighbour = this.world.onBridge(bridge, next);
    if (neighbour && neighbour !== out) return this.bridged(packet, bridge, out, neighbour, next);
    if (isLinkLocal(next) || this.world.hasStrangers(bridge)) {
      return unsureStop(bridge, `who has ${spanText(next)} on ${bridge} is not known`);
    }
    if (this.world.addresses(bridge, next.family).some(({ address }) => sameSpan(address, next)))
      return notYetUsed(bridge, next);
    return stop('blocked', bridge, 'bridge', `nobody on ${bridge} has ${spanText(next)}`);
  }

  /** From one container to another over their bridge. */
  private bridged(packet: Packet, bridge: string, from: NodeInterface, to: NodeInterface, next: Span): Arrival | Stop {
    const ports = [from, to].map(({ attached }) =>
      attached.kind === 'bridge' ? attached.port?.bridgePort : undefined,
    );
    if (ports.every(port => port?.isolated)) {
      return stop(
        'blocked',
        bridge,
        'bridge',
        `the ports of ${from.node.name} and ${to.node.name} on ${bridge} are isolated`,
      );
    }
    const [asker, target] = [
      { who: from.node.name, address: packet.source },
      { who: to.node.name, address: next },
    ];
    const unmet = this.neighbours.meet(asker, target, bridge, 'over');
    if (unmet) return unmet;
    if (seesFrames(this.world, bridge, packet.family)) {
      const { destination } = packet;
      packet.iif = bridge;
      packet.oif = '';
      const stopped = this.hooks.pass(packet, 'prerouting');
      if (stopped) return stopped;
      if (!sameSpan(destination, packet.destination)) return this.routed(packet, bridge, from, true);
      packet.oif = bridge;
      const blocked = this.hooks.pass(packet, 'forward') ?? this.hooks.pass(packet, 'postrouting');
      if (blocked) return blocked;
    }
    if (!to.addresses.some(({ address }) => sameSpan(address, packet.destination))) {
      return unsureStop(bridge, `${nodeText(to.node, packet.destination)} would have to pass it on`);
    }
    return this.overBridge(packet, bridge, to);
  }

  /** macvlan and ipvlan: out on the parent's wire, past the host. */
  private fromParent(packet: Packet, out: NodeInterface, next: Span): Arrival | Stop {
    if (out.attached.kind !== 'parent') return unsureStop(out.node.name, 'no parent');
    const { parent, driver, mode } = out.attached;
    if (this.isOwn(packet.destination) || this.isOwn(next)) {
      return stop(
        'blocked',
        parent,
        'bridge',
        `a ${driver} interface cannot exchange anything with its parent ${parent} on the same host`,
      );
    }
    const neighbour = this.world.onParent(parent, next);
    if (neighbour && neighbour !== out) {
      if (mode !== '' && mode !== 'bridge' && mode !== 'l2')
        return unsureStop(parent, `${driver} mode ${mode} is not followed`);
      return this.atNode(packet, neighbour);
    }
    if (this.outside === parent) return { at: { kind: 'outside', interface: parent }, iif: parent, packet };
    return unsureStop(parent, `${spanText(packet.destination)} is beyond ${parent}, where netdash cannot see`);
  }
}
