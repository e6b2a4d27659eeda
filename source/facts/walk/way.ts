/** Whether a route leads to where its packet is to go: there may be none, or it leads past the bridge of a container. */
import { isLoopback, placeText, spanText, type Span } from './address.ts';
import { unsureStop } from './hooks.ts';
import { pidIn, type Node } from './nodes.ts';
import type { Packet } from './packet.ts';
import type { Route } from './routes.ts';
import { stop, type Stop } from './stop.ts';
import type { World } from './world.ts';

/** The host knows no way to an address. */
export function hostHasNoRoute(destination: Span, { routesGap, links }: Pick<World, 'routesGap' | 'links'>): Stop {
  if (routesGap !== undefined) return unsureStop('route', routesGap);
  // With lo, IPv6 takes the route to ::1 away.
  if (isLoopback(destination) && links.get('lo')?.up === false) return stop('blocked', 'lo', 'route', 'lo is down');
  const detail = `the host has no route to ${spanText(destination)}`;
  return stop('blocked', 'route', 'route', detail, { routeTo: oneOf(destination) });
}

/** The address itself; of a network the first that a neighbour may have. */
function oneOf({ family, from, to }: Span): string {
  if (typeof from === 'bigint')
    return spanText({ family, from: from === to ? from : from + 1n, to: from === to ? from : from + 1n });
  const address = from === to ? from : from + 1;
  return spanText({ family, from: address, to: address });
}

/**
 * A container sends its answer to a translated question by a macvlan or ipvlan interface, on its parent's wire: it does not come
 * back through the host, where its source would be translated back, and whoever asked takes it for somebody else's.
 * @param answer as it arrives @returns undefined where the answer goes another way
 */
export function goesPast(node: Node, { source, sourcePort, destination }: Packet): Stop | undefined {
  const way = node.fib.lookup({ destination });
  const out = node.interfaces.find(({ name }) => way.kind === 'route' && name === way.route.reading.device);
  if (out?.attached.kind !== 'parent') return undefined;
  const own = out.addresses.find(({ address }) => address.family === destination.family);
  const { driver, parent } = out.attached;
  const detail = `${node.name} answers by ${out.name}, its ${driver} on ${parent}, past the host, where the answer would be translated back: it comes from ${placeText(source, sourcePort[0])}, which was not asked`;
  return stop('blocked', 'answer', 'route', detail, {
    ...pidIn(node),
    routeTo: oneOf(destination),
    onAnswer: true,
    ...(own && { past: spanText(own.address) }),
  });
}

/** A container knows no way to an address. */
export function nodeHasNoRoute(node: Node, destination: Span): Stop {
  const detail = `${node.name} has no route to ${spanText(destination)}`;
  const where = { ...pidIn(node), routeTo: oneOf(destination) };
  // Only its main table is read: who has NET_ADMIN may route by rules and tables of its own, as VPN clients do.
  return node.members.some(({ mayChangeRules }) => mayChangeRules)
    ? stop(
        'unknown',
        node.name,
        'route',
        `${detail} in its main table, and its routing policy rules are not read`,
        where,
      )
    : stop('blocked', node.name, 'route', detail, where);
}

/**
 * A route that leads to no bridge of the container that has the address: the packet leaves by another interface, whatever
 * the rules say of it, and the container never sees it. Who is on a bridge is left to those who look at that bridge.
 */
export function astray(destination: Span, route: Route, world: World): Stop | undefined {
  const homes = world.bridgesOf(destination);
  const [home] = homes;
  const { device, type } = route.reading;
  if (home === undefined || device === undefined || type !== 'unicast' || homes.includes(device)) return undefined;
  const link = world.links.get(device);
  if (!link) return undefined;
  const next = route.gateway ?? destination;
  if (link.kind === 'bridge' && (world.onBridge(device, next) || world.hasStrangers(device))) return undefined;
  const routeTo = spanText(destination);
  const leads = `the host's route to ${routeTo} leads out of ${device}, not to ${home}, the bridge that it is on`;
  const doubt = world.routesGap ?? sideDoor(homes, link.peerIfindex, world);
  if (doubt !== undefined) return stop('unknown', 'route', 'route', `${leads}; ${doubt}`, { routeTo });
  const own = world.gatewayOf(destination);
  const isLost =
    own !== undefined && !world.addresses(home, destination.family).some(({ subnet }) => holds(subnet, destination));
  return stop('blocked', 'route', 'route', isLost ? `${leads}: ${home} does not have ${own}` : leads, { routeTo });
}

const holds = (subnet: Span, { from, to }: Span): boolean => subnet.from <= from && to <= subnet.to;

/** Why such a route may come to the bridge all the same: by a port of it of which nothing is known, or stacked on it. */
function sideDoor(homes: readonly string[], below: number | undefined, world: World): string | undefined {
  const stranger = homes.find(name => world.hasStrangers(name));
  if (stranger !== undefined) return `whether that comes to ${stranger} by a port of it is not known`;
  const stacked = homes.find(name => below !== undefined && world.links.get(name)?.ifindex === below);
  return stacked === undefined ? undefined : `that interface hangs on ${stacked}`;
}
