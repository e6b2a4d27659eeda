/**
 * The parts of a LAN to which answers take ways of their own: the kernel takes the route with the longest prefix (ip-route(8)),
 * so that a route to half of a LAN, by a VPN or into a blackhole, comes before the LAN's own.
 */
import { isSingle, sameSpan, type Span } from './address.ts';
import type { Fib, Route } from './routes.ts';
import type { World } from './world.ts';

type Where = Pick<World, 'fib' | 'nodes'>;

/** A part with fewer than one address in so many does not count: what is done with it does not make the verdict a matter of luck. */
const fewIn = 1000n;

/** Routes of these types give no answer a way: ip-route(8). */
const refusing = new Set(['blackhole', 'unreachable', 'prohibit', 'throw']);

const size = ({ from, to }: Span): bigint => BigInt(to) - BigInt(from) + 1n;

const holds = (outer: Span, inner: Span): boolean => outer.from <= inner.from && inner.to <= outer.to;

const keyOf = ({ from, to }: Span): string => `${from} ${to}`;

const distinct = (spans: readonly Span[]): Span[] => [...new Map(spans.map(span => [keyOf(span), span])).values()];

/** How many addresses of each span are in none of the narrower ones, the widest span first. Prefixes lie in each other or apart. */
function ownSizes(spans: readonly Span[]): { span: Span; own: bigint }[] {
  const narrowFirst = distinct(spans).sort((a, b) => (size(a) < size(b) ? -1 : size(a) > size(b) ? 1 : 0));
  const sizes: { span: Span; own: bigint }[] = [];
  for (const span of narrowFirst) {
    const inner = sizes.filter(each => holds(span, each.span));
    sizes.push({ span, own: inner.reduce((rest, { own }) => rest - own, size(span)) });
  }
  return sizes.toReversed();
}

/** Whether a route gives no answer a way. */
export const isRefusing = ({ reading }: Pick<Route, 'reading'>): boolean => refusing.has(reading.type);

/**
 * Routes to single addresses that count. One that is reached otherwise is no neighbour's (a guest's, or a macvlan's), and one that is
 * refused is a single neighbour: few of them say nothing about the LAN.
 */
function singlesThatCount(singles: readonly Route[], total: bigint): Span[] {
  const refused = distinct(singles.filter(isRefusing).map(({ span }) => span));
  const reached = distinct(singles.filter(route => !isRefusing(route)).map(({ span }) => span));
  const [cut, elsewhere] = [BigInt(refused.length), BigInt(reached.length)];
  const areFewCut = cut === 1n ? total >= 8n : cut * fewIn < total;
  return [...(areFewCut ? [] : refused), ...(elsewhere * 8n <= total ? [] : reached)];
}

/** Whether two routes lead on in the same way, on the link itself. */
const isAlike = (one: Route, other: Route): boolean =>
  !one.gateway &&
  !other.gateway &&
  one.reading.type === other.reading.type &&
  one.reading.device === other.reading.device &&
  one.reading.table === other.reading.table;

/** The parts of a LAN, all of it among them where enough of it is left to its own route, as one netns routes to them. */
function partsIn(fib: Fib, lan: Span, isNobodys: (span: Span) => boolean): Span[] {
  const usual = fib.lookup({ destination: lan });
  const routes = fib.within(lan);
  const alike = new Set(
    routes.filter(route => usual.kind === 'route' && isAlike(route, usual.route)).map(({ span }) => keyOf(span)),
  );
  // Of IPv4 the address with nothing but zeros for the host is nobody's (RFC 1122, 3.2.1.3), but where there are only two (RFC 3021).
  const zeros = lan.family === 4 && size(lan) > 2n ? [{ ...lan, to: lan.from }] : [];
  const sizes = ownSizes([lan, ...zeros, ...routes.map(({ span }) => span)]);
  const isUsual = (span: Span): boolean => sameSpan(span, lan) || alike.has(keyOf(span));
  const left = sizes.filter(({ span }) => isUsual(span)).reduce((sum, { own }) => sum + own, 0n);
  const isFew = (count: bigint): boolean => count === 0n || count * fewIn < size(lan);
  const apart = sizes.filter(({ span, own }) => !isSingle(span) && !isUsual(span) && !isFew(own));
  const singles = routes.filter(({ span }) => isSingle(span) && !alike.has(keyOf(span)) && !isNobodys(span));
  return [...(isFew(left) ? [] : [lan]), ...apart.map(({ span }) => span), ...singlesThatCount(singles, size(lan))];
}

const known = new WeakMap<object, Map<string, readonly Span[]>>();

/**
 * The sources that stand for all neighbours in the prefix of a LAN: the prefix for those whom its own route reaches, and each part
 * of it to which the host, or a container, has a route of its own. `Fib.lookup` takes each as one.
 */
export function partsOf({ fib, nodes }: Where, lan: Span): readonly Span[] {
  const of = known.get(fib) ?? new Map<string, readonly Span[]>();
  known.set(fib, of);
  const before = of.get(keyOf(lan));
  if (before) return before;
  const isInside = (span: Span): boolean =>
    nodes.all.some(({ interfaces }) =>
      interfaces.some(({ addresses }) => addresses.some(({ address }) => sameSpan(address, span))),
    );
  const isNobodys = (span: Span): boolean => fib.localType(span) !== undefined || isInside(span);
  const outside = partsIn(fib, lan, isNobodys);
  // What a container answers follows its own routes first; whom they leave to the LAN's, the host's tell.
  const inside = nodes.all
    .filter(node => node.fib.within(lan).length > 0)
    .flatMap(node => partsIn(node.fib, lan, isNobodys).filter(span => !sameSpan(span, lan)));
  const parts = distinct([...outside, ...inside]);
  const result = parts.length > 0 ? parts : [lan];
  of.set(keyOf(lan), result);
  return result;
}
