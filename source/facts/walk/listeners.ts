/** Which socket takes a packet: the kernel's choice among listeners (net/ipv4/inet_hashtables.c, ipv6(7)). */
import type { Proto } from '../../host/readings.ts';
import type { Interface, Listener } from '../schema.ts';
import { boundAddress, isLoopback, parseAddress, placeText, sameSpan, type Span, type Truth } from './address.ts';
import { metBy, type Met } from './bound-device.ts';
import type { Whereabouts } from './stop.ts';

/** A packet's goal in one netns. */
export interface Goal {
  address: Span;
  port: number;
  proto: Proto;
  /** The interface that it came by; of what the netns sends to itself, the one that has the address (inet_iif): `lo` for loopback ones. */
  iif: string;
}

function takes(listener: Listener, { address, iif }: Goal): Truth {
  if (listener.device !== undefined && listener.device !== iif) return 'no';
  if (boundAddress(listener.address) === '0.0.0.0') return address.family === 4 ? 'yes' : 'no';
  if (listener.address === '::') {
    if (address.family === 6) return 'yes';
    return listener.v6only === false ? 'yes' : listener.v6only === true ? 'no' : 'maybe';
  }
  const own = parseAddress(listener.address);
  return own && sameSpan(own, address) ? 'yes' : 'no';
}

/** Whether it takes what is sent to any address, of one family or of both. */
export const isForAny = ({ address }: Listener): boolean => ['0.0.0.0', '::'].includes(boundAddress(address));

/** A specific address before a wildcard, a bound device before none, a socket of the packet's own family (not v4-mapped) before one of IPv6. */
const rank = (listener: Listener, family: 4 | 6): number =>
  (isForAny(listener) ? 0 : 4) +
  (listener.device === undefined ? 0 : 2) +
  (family === 4 && !listener.address.includes(':') ? 1 : 0);

export interface Found {
  /** The one that takes it for certain; absent when there is none. */
  sure?: Listener;
  /** One that may take it, since its IPV6_V6ONLY is not known. */
  maybe?: Listener;
  /** Those on the same port that do not take it. */
  others: Listener[];
}

const indexes = new WeakMap<readonly Listener[], ReadonlyMap<number, readonly Listener[]>>();

/** Those on a port, in their order. */
function onPort(listeners: readonly Listener[], port: number): readonly Listener[] {
  const known = indexes.get(listeners);
  if (known) return known.get(port) ?? [];
  const made = new Map<number, Listener[]>();
  for (const each of listeners) {
    const there = made.get(each.port);
    if (there) there.push(each);
    else made.set(each.port, [each]);
  }
  indexes.set(listeners, made);
  return made.get(port) ?? [];
}

/** The listeners of a netns for a packet. */
export function findListener(listeners: readonly Listener[], goal: Goal): Found {
  const there = onPort(listeners, goal.port).filter(each => each.proto === goal.proto && !each.embeddedDns);
  const best = (truth: Truth) =>
    there
      .filter(each => takes(each, goal) === truth)
      .sort((a, b) => rank(b, goal.address.family) - rank(a, goal.address.family))[0];
  const [sure, maybe] = [best('yes'), best('maybe')];
  return {
    ...(sure && { sure }),
    ...(maybe && { maybe }),
    others: there.filter(each => takes(each, goal) === 'no'),
  };
}

/** Who gets to a listener of the host: of what is bound to no interface, its address tells whether those off this host may. */
export function metByAny({ address, v6only, device }: Listener, interfaces: readonly Interface[]): Met {
  const own = parseAddress(address);
  if (device !== undefined) return metBy({ address, device, ...(v6only !== undefined && { v6only }) }, interfaces);
  if (own === undefined || !isLoopback(own)) return { by: 'others' };
  return { by: 'here', why: `it listens on ${address}: only this host itself reaches it` };
}

/** For which container Docker holds all of these, if they are all its own: they stand for a port that it publishes. */
export function publishedFor(listeners: readonly Listener[]): Whereabouts {
  const [first] = listeners;
  const container = first?.owner.containerName;
  const isDockers = listeners.every(
    ({ owner: { via, containerName } }) => (via === 'docker-proxy' || via === 'dockerd') && containerName === container,
  );
  if (container === undefined || !isDockers) return {};
  const containerPort = first?.target?.port;
  return { publishedFor: { container, ...(containerPort !== undefined && { containerPort }) } };
}

/** What listens on that port instead, or that nothing does, for the operator. */
export function elsewhereText(listeners: readonly Listener[], { others }: Found, goal: Goal, who: string): string {
  const wanted = `${placeText(goal.address, goal.port)}/${goal.proto}`;
  if (others.length > 0) {
    const places = others.map(({ address, device }) => address + (device === undefined ? '' : ` on ${device}`));
    return `${who} listens on port ${goal.port} only at ${[...new Set(places)].join(', ')}, not at ${wanted}`;
  }
  const ports = listeners
    .filter(({ proto, embeddedDns }) => proto === goal.proto && !embeddedDns)
    .map(({ port }) => port);
  const elsewhere = [...new Set(ports)].slice(0, 6);
  const rest = elsewhere.length > 0 && who !== 'the host' ? `; it listens on ${elsewhere.join(', ')}` : '';
  return `nothing of ${who} listens on port ${goal.port}/${goal.proto}${rest}`;
}
