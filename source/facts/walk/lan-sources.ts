/** Who "any neighbour" of an interface is: the sources that what comes from its network may have. */
import {
  covers,
  isLinkLocal,
  isLoopback,
  isMulticast,
  isSingle,
  parseSpan,
  sameSpan,
  spanOfPrefix,
  spanText,
  type Family,
  type Span,
} from './address.ts';
import type { Chooser } from './chooser.ts';
import { partsOf } from './lan-parts.ts';
import type { Route } from './routes.ts';
import { stop, type Stop } from './stop.ts';
import type { World } from './world.ts';

type Where = Pick<World, 'addresses' | 'fib' | 'nodes'>;

/** What is routed on the Internet, and IPv6's own like of private networks: where those beyond a default route are. */
const beyondDefault: Record<Family, readonly Span[]> = {
  4: [
    '1.0.0.0-9.255.255.255',
    '11.0.0.0-100.63.255.255',
    '100.128.0.0-126.255.255.255',
    '128.0.0.0-169.253.255.255',
    '169.255.0.0-172.15.255.255',
    '172.32.0.0-192.167.255.255',
    '192.169.0.0-223.255.255.255',
  ].flatMap(text => parseSpan(text) ?? []),
  6: ['2000::/3', 'fc00::/7'].flatMap(text => parseSpan(text) ?? []),
};

/** Of what is beyond a route, so many pieces are asked from, the largest: its narrower routes may cut it to hundreds. */
const mostPieces = 8;

/** Routes with shorter prefixes are taken as default ones: VPNs have 0.0.0.0/1 and 128.0.0.0/1 for them. */
const broadBelow = 7;

const isBroad = ({ prefix }: Route): boolean => prefix < broadBelow;

/** Those on the network of an interface, where all of its addresses are alone in their prefixes: as the routes by it have it. */
function byRoutes({ fib }: Where, device: string, destination: Span): Span[] {
  const routes = fib.through(device, destination.family);
  const isNeighbour = (span: Span): boolean => {
    if (isLinkLocal(span) || isMulticast(span) || isLoopback(span)) return false;
    if (isSingle(span) && fib.localType(span) !== undefined) return false;
    // Who is reached by another interface is none; where routing rules hide that, the walk says so.
    const back = fib.lookup({ destination: span, source: destination, mark: 0 });
    return back.kind === 'unknown' || (back.kind === 'route' && back.route.reading.device === device);
  };
  const onLink = routes.filter(route => !route.gateway && !isBroad(route));
  const ways: (() => readonly Span[])[] = [
    // The kernel makes a route to the peer of an address.
    () => onLink.filter(({ reading }) => reading.protocol === 'kernel').map(({ span }) => span),
    () => routes.flatMap(({ gateway }) => (gateway?.family === destination.family ? [gateway] : [])),
    () => onLink.map(({ span }) => span),
    () => routes.filter(route => route.gateway !== undefined || isBroad(route)).flatMap(route => beyond(route, fib)),
  ];
  for (const way of ways) {
    const found = way().filter(isNeighbour);
    const distinct = found.filter((span, index) => found.findIndex(each => sameSpan(each, span)) === index);
    if (distinct.length > 0) return distinct;
  }
  return [];
}

/** What a route leads to and no narrower one. */
function beyond(route: Route, fib: World['fib']): Span[] {
  const { span, prefix } = route;
  const { family } = span;
  const whole = isBroad(route) ? beyondDefault[family].flatMap(each => common(each, span)) : [span];
  const inner = fib.spans(family).filter(each => each.prefix > prefix && each.prefix >= broadBelow);
  const pieces = inner.reduce((rest, each) => rest.flatMap(piece => without(piece, each.span)), whole);
  return pieces.sort((a, b) => (size(a) < size(b) ? 1 : size(a) > size(b) ? -1 : 0)).slice(0, mostPieces);
}

const size = ({ from, to }: Span): bigint => BigInt(to) - BigInt(from);

function common(a: Span, b: Span): Span[] {
  const from = a.from > b.from ? a.from : b.from;
  const to = a.to < b.to ? a.to : b.to;
  return from <= to ? [{ family: a.family, from, to }] : [];
}

function without(whole: Span, hole: Span): Span[] {
  if (common(whole, hole).length === 0) return [whole];
  const { family, from, to } = whole;
  const before = typeof hole.from === 'bigint' ? hole.from - 1n : hole.from - 1;
  const after = typeof hole.to === 'bigint' ? hole.to + 1n : hole.to + 1;
  return [
    ...(from <= before ? [{ family, from, to: before }] : []),
    ...(after <= to ? [{ family, from: after, to }] : []),
  ];
}

/**
 * The sources that neighbours on the network of an interface have when they ask for an address: of a prefix with room for
 * others all of it, else those that the routes name.
 */
function sourcesOf(where: Where, device: string, destination: Span): Span[] | undefined {
  const wanted = isLinkLocal(destination);
  const own = where.addresses(device, destination.family).filter(({ address }) => isLinkLocal(address) === wanted);
  const [first] = own;
  if (!first) return undefined;
  const wide = own.filter(({ subnet }) => !isSingle(subnet));
  const fit = wide.find(({ subnet }) => covers(subnet, destination)) ?? wide[0];
  if (fit) return [...partsOf(where, fit.subnet)];
  // Every link has all of fe80::/64, whatever the prefix of an address in it (RFC 4291, 2.5.6).
  if (wanted) return [spanOfPrefix(first.address, 64) ?? first.subnet];
  return byRoutes(where, device, destination);
}

/** Any neighbour on the network of an interface: where these are apart from each other, each is tried. */
export function anyNeighbour(where: Where, device: string, destination: Span, chooser: Chooser): Span | Stop {
  const { family } = destination;
  const sources = sourcesOf(where, device, destination);
  if (!sources) return stop('unknown', 'start', 'route', `${device} has no IPv${family} network`);
  const [only] = sources;
  if (!only) {
    const own = where.addresses(device, family).map(({ address }) => spanText(address));
    const detail = `who else is on the network of ${device} is not known: its addresses (${own.join(', ')}) are alone in their prefixes, and no route names a neighbour`;
    return stop('unknown', 'start', 'route', detail);
  }
  if (sources.length === 1) return only;
  const lan = sources.find(span => sources.every(each => covers(span, each)));
  const apart = sources.filter(span => span !== lan).map(spanText);
  const named = [...apart.slice(0, 3), ...(apart.length > 3 ? [`${apart.length - 3} more`] : [])].join(', ');
  const about = () => ({
    kind: 'route' as const,
    detail: `it depends on who asks: ${
      lan
        ? `parts of the network of ${device} have routes of their own (${named})`
        : `by its routes, ${device} has neighbours apart from each other`
    }`,
  });
  return sources[chooser.choose(sources.length, about)] ?? only;
}
