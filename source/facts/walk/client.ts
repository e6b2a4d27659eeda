/** Who asks: where a question of the walk starts, and with which address. */
import { isLinkLocal, isLoopback, parseAddress, sameSpan, spanText, type Family, type Span } from './address.ts';
import type { Chooser } from './chooser.ts';
import type { Place } from './journey.ts';
import { isRefusing } from './lan-parts.ts';
import { anyNeighbour } from './lan-sources.ts';
import type { Node } from './nodes.ts';
import { stop, Stop } from './stop.ts';
import { lanInterfaces } from './subjects.ts';
import type { Vantage } from './verdict.ts';
import { hostHasNoRoute, nodeHasNoRoute } from './way.ts';
import type { World } from './world.ts';

/** Somebody who asks. */
export interface Client {
  place: Place;
  /** The address that its packets have; of many neighbours, all that they may have. */
  source: Span;
  /** Why it is not known where that is: no route of the host leads there, so that only what keeps an answer from it is certain. */
  adrift?: string;
}

/**
 * The client that a vantage means.
 * @param chooser where there are several, each is tried
 * @returns a stop where it is not known who that is, or where it has no way to ask
 */
export function clientFrom(world: World, from: Vantage, destination: Span, chooser: Chooser): Client | Stop {
  const { family } = destination;
  switch (from.kind) {
    case 'loopback':
      return hostClient(world, destination);
    case 'container': {
      if (world.nodes.inHostNetns.has(from.containerId)) return hostClient(world, destination);
      const node = world.nodes.byContainer.get(from.containerId);
      return node ? nodeClient(node, destination) : stop('unknown', 'start', 'route', 'that container does not run');
    }
    case 'lan': {
      const place: Place = { kind: 'outside', interface: from.interface };
      if (from.address !== undefined) return neighbour(from.address, place, family);
      const source = anyNeighbour(world, from.interface, destination, chooser);
      return source instanceof Stop ? source : { place, source };
    }
    case 'address':
      break;
  }
  return addressed(world, from.address, destination, chooser);
}

function neighbour(text: string, place: Place, family: Family): Client | Stop {
  const source = parseAddress(text);
  if (source?.family !== family) return stop('unknown', 'start', 'route', `${text} is no IPv${family} address`);
  return { place, source };
}

/** Somebody with this address: the host, a container, or whoever is where the host would send answers. */
function addressed(world: World, text: string, destination: Span, chooser: Chooser): Client | Stop {
  const source = parseAddress(text);
  if (source?.family !== destination.family) {
    return stop('unknown', 'start', 'route', `${text} is no IPv${destination.family} address`);
  }
  if (world.fib.localType(source) === 'local') return { place: { kind: 'host' }, source };
  const node = world.withAddress(source);
  if (node) return { place: { kind: 'node', node }, source };
  const answer = world.fib.lookup({ destination: source, source: destination, mark: 0 });
  const route = answer.kind === 'route' && !isRefusing(answer.route) ? answer.route : undefined;
  const device = route?.reading.device;
  if (device !== undefined) return { place: { kind: 'outside', interface: device }, source };
  const adrift = `where ${text} would come from is not known`;
  const isCertain = answer.kind === 'none' ? world.routesGap === undefined : answer.kind === 'route' && !route;
  // Somebody who has no way back may come by any interface: what is sent to him is lost all the same.
  const names = isCertain ? lanInterfaces(world).map(({ name }) => name) : [];
  const name = names[chooser.choose(Math.max(names.length, 1), () => ({ kind: 'route', detail: adrift }))];
  if (name === undefined) return stop('unknown', 'start', 'route', adrift);
  return { place: { kind: 'outside', interface: name }, source, adrift };
}

/** This host itself, as a program on it that binds to nothing: the kernel chooses its address by the route (ip-route(8), `src`). */
export function hostClient(world: World, destination: Span): Client | Stop {
  // A socket without an address of its own is routed as if it had the address of nobody (ip_route_connect).
  const { family } = destination;
  const nobody: Span = family === 4 ? { family, from: 0, to: 0 } : { family, from: 0n, to: 0n };
  const answer = world.fib.lookup({ destination, source: nobody, mark: 0 });
  const place: Place = { kind: 'host' };
  if (answer.kind === 'unknown') return stop('unknown', 'route', 'route', answer.reason);
  if (answer.kind === 'none') return hostHasNoRoute(destination, world);
  const { route } = answer;
  if (route.source) return { place, source: route.source };
  if (route.reading.type === 'local') return { place, source: destination };
  const source = sourceOn(world, route.reading.device ?? '', destination);
  return source
    ? { place, source }
    : stop('unknown', 'route', 'route', `the host's address for ${spanText(destination)} is not known`);
}

/** The address that the host takes on an interface for a destination: of its subnet, else the first of its scope. */
function sourceOn(world: World, device: string, destination: Span): Span | undefined {
  const own = world.addresses(device, destination.family);
  const local = isLinkLocal(destination);
  const fit = own.filter(({ address }) => isLinkLocal(address) === local);
  const near = fit.find(({ subnet }) => subnet.from <= destination.from && destination.to <= subnet.to);
  return (near ?? fit[0] ?? own[0])?.address;
}

function nodeClient(node: Node, destination: Span): Client | Stop {
  const place: Place = { kind: 'node', node };
  const all = node.interfaces.flatMap(({ addresses }) => addresses);
  if (isLoopback(destination) || all.some(({ address }) => sameSpan(address, destination))) {
    return { place, source: destination };
  }
  const answer = node.fib.lookup({ destination });
  if (answer.kind !== 'route') return nodeHasNoRoute(node, destination);
  const { route } = answer;
  const device = node.interfaces.find(({ name }) => name === route.reading.device);
  const own = (device?.addresses ?? []).filter(({ address }) => address.family === destination.family);
  const next = route.gateway ?? destination;
  const near = own.find(({ subnet }) => subnet.from <= next.from && next.to <= subnet.to);
  const source = route.source ?? (near ?? own[0])?.address;
  return source ? { place, source } : stop('unknown', node.name, 'route', `${node.name}'s own address is not known`);
}
