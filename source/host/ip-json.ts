/** What `ip -j -d addr` and `ip -j route` print (iproute2; ip-address(8), ip-route(8)), as readings. */
import * as v from 'valibot';
import { canonicalAddress } from './addresses.ts';
import type { ToolResult } from './host.ts';
import { ipEntries, type KnownEntries } from './ip-entries.ts';
import type { AddressReading, LinkReading, RouteReading } from './readings.ts';

const text = v.optional(v.string());
const number = v.optional(v.number());
/** iproute2 has printed these flags as booleans, as "on"/"off" and as 0/1. */
const flag = v.optional(v.union([v.boolean(), v.string(), v.number()]));

const LinkSchema = v.object({
  ifindex: v.number(),
  ifname: v.string(),
  flags: v.optional(v.array(v.string()), []),
  mtu: v.optional(v.number(), 0),
  operstate: v.optional(v.string(), 'UNKNOWN'),
  link_type: text,
  address: text,
  master: text,
  link: v.optional(v.nullable(v.string())),
  link_index: number,
  link_netnsid: number,
  linkinfo: v.optional(
    v.object({
      info_kind: text,
      info_data: v.fallback(v.optional(v.object({ nf_call_iptables: flag, nf_call_ip6tables: flag })), undefined),
      info_slave_kind: text,
      info_slave_data: v.optional(v.object({ state: text, hairpin: flag, isolated: flag })),
    }),
  ),
  addr_info: v.optional(
    v.array(v.object({ family: text, local: text, address: text, prefixlen: number, scope: text })),
    [],
  ),
});

const RouteSchema = v.object({
  dst: v.string(),
  type: text,
  gateway: text,
  via: v.optional(v.object({ host: text })),
  dev: text,
  table: text,
  protocol: text,
  prefsrc: text,
  metric: number,
  pref: text,
  flags: v.optional(v.array(v.string()), []),
  nexthops: v.optional(
    v.array(
      v.object({
        gateway: text,
        via: v.optional(v.object({ host: text })),
        dev: text,
        flags: v.optional(v.array(v.string()), []),
      }),
    ),
    [],
  ),
});

type IpLink = v.InferOutput<typeof LinkSchema>;

function on(value: boolean | string | number | undefined): boolean {
  return value === true || value === 'on' || value === 1;
}

function addressesOf(link: IpLink): AddressReading[] {
  const addresses: AddressReading[] = [];
  // Of an address with a peer, `address` is that one (print_addrinfo of iproute2); else it is absent.
  for (const { family, local, address: other, prefixlen, scope } of link.addr_info) {
    const address = local === undefined ? undefined : canonicalAddress(local);
    if (address === undefined || prefixlen === undefined || (family !== 'inet' && family !== 'inet6')) continue;
    const peer = other === undefined ? undefined : canonicalAddress(other);
    addresses.push({
      family: family === 'inet' ? 4 : 6,
      address,
      ...(peer !== undefined && peer !== address && { peer }),
      prefixLength: prefixlen,
      scope: scope ?? 'global',
    });
  }
  return addresses;
}

function linkReading(link: IpLink, byName: ReadonlyMap<string, number>): LinkReading {
  const reading: LinkReading = {
    ifindex: link.ifindex,
    name: link.ifname,
    mtu: link.mtu,
    up: link.flags.includes('UP'),
    operstate: link.operstate,
    addresses: addressesOf(link),
  };
  const info = link.linkinfo;
  if (info?.info_kind) reading.kind = info.info_kind;
  if (link.master) reading.master = link.master;
  if (link.link_type !== 'loopback' && link.address && /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/i.test(link.address)) {
    reading.mac = link.address.toLowerCase();
  }
  // A peer in this netns is given by name, one elsewhere by index; a name that is not known here is printed as ifN.
  const peer =
    link.link_index ??
    (link.link ? (byName.get(link.link) ?? Number(/^if(\d+)$/.exec(link.link)?.[1] ?? Number.NaN)) : undefined);
  if (peer !== undefined && Number.isInteger(peer) && peer > 0) reading.peerIfindex = peer;
  if (link.link_netnsid !== undefined) reading.peerNetnsId = link.link_netnsid;
  if (info?.info_kind === 'bridge') {
    const called = ([4, 6] as const).filter(family =>
      on(family === 4 ? info.info_data?.nf_call_iptables : info.info_data?.nf_call_ip6tables),
    );
    if (called.length > 0) reading.nfCall = called;
  }
  const port = info?.info_slave_data;
  if (info?.info_slave_kind === 'bridge' && port) {
    reading.bridgePort = { state: port.state ?? 'unknown', hairpin: on(port.hairpin), isolated: on(port.isolated) };
  }
  return reading;
}

/** What an entry of a table says: nothing where it is an empty object, as filters leave, and undefined where it is not understood. */
type Understood<T> = readonly T[] | undefined;

/** What was understood, and of how many entries nothing was. */
function sorted<T>(entries: readonly Understood<T>[]): { items: T[]; skipped: number } {
  return {
    items: entries.flatMap(entry => entry ?? []),
    skipped: entries.filter(entry => entry === undefined).length,
  };
}

interface KnownLink {
  link: IpLink;
  /** What it is whatever other interfaces there are; absent where that hangs on their names. */
  reading?: LinkReading;
}

const noNames: ReadonlyMap<string, number> = new Map();

function understandLink(entry: unknown): Understood<KnownLink> {
  const parsed = v.safeParse(LinkSchema, entry);
  if (!parsed.success) return isEmptyObject(entry) ? [] : undefined;
  const link = parsed.output;
  const isByName = link.link_index === undefined && Boolean(link.link);
  return [isByName ? { link } : { link, reading: linkReading(link, noNames) }];
}

function linksOf(entries: readonly Understood<KnownLink>[]): { links: LinkReading[]; skipped: number } {
  const { items, skipped } = sorted(entries);
  const byName = new Map(items.map(({ link }) => [link.ifname, link.ifindex]));
  return { links: items.map(({ link, reading }) => reading ?? linkReading(link, byName)), skipped };
}

/** The interfaces of `ip -j -d addr`, and how many entries were not understood. Empty objects, which filters leave, count as nothing. */
export function parseLinks(entries: readonly unknown[]): { links: LinkReading[]; skipped: number } {
  return linksOf(entries.map(understandLink));
}

/** What the entries of tables said the last time; see `ipEntries`. */
export interface KnownTables {
  links: KnownEntries<Understood<KnownLink>>;
  routes: KnownEntries<Understood<RouteReading>>;
}

/** No tables yet. */
export const noTables = (): KnownTables => ({ links: new Map(), routes: new Map() });

/**
 * `parseLinks` of what `ip -j -d addr` printed: with hundreds of containers, only those interfaces are read anew that are described otherwise than before.
 * @param known is changed to what is printed now
 * @throws HostError as `ipArray`
 */
export function parseLinkTable(result: ToolResult, known: KnownTables): { links: LinkReading[]; skipped: number } {
  return linksOf(ipEntries('ip -j -d addr', result, understandLink, known.links));
}

function understandRoute(entry: unknown): Understood<RouteReading> {
  const parsed = v.safeParse(RouteSchema, entry);
  if (!parsed.success) return isEmptyObject(entry) ? [] : undefined;
  const route = parsed.output;
  const gateway = route.gateway ?? route.via?.host;
  const family = familyOf(route.dst, [gateway, route.prefsrc, ...route.nexthops.map(hop => hop.gateway)], route.pref);
  const destination = destinationOf(route.dst, family);
  if (destination === undefined) return undefined;
  const base: RouteReading = {
    family,
    destination,
    table: route.table ?? 'main',
    type: route.type ?? 'unicast',
    protocol: route.protocol ?? 'boot',
    flags: route.flags,
  };
  if (route.prefsrc) base.source = canonicalAddress(route.prefsrc) ?? route.prefsrc;
  if (route.metric !== undefined) base.metric = route.metric;
  const hops = route.nexthops.length > 0 ? route.nexthops : [{ gateway, dev: route.dev, via: undefined, flags: [] }];
  return hops.map(hop => {
    const reading: RouteReading = { ...base, flags: [...base.flags, ...hop.flags] };
    const through = hop.gateway ?? hop.via?.host;
    if (through) reading.gateway = canonicalAddress(through) ?? through;
    if (hop.dev) reading.device = hop.dev;
    return reading;
  });
}

function routesOf(entries: readonly Understood<RouteReading>[]): { routes: RouteReading[]; skipped: number } {
  const { items: routes, skipped } = sorted(entries);
  return { routes, skipped };
}

/** The routes of `ip -j route show table all`, one entry per next hop, and how many entries were not understood. */
export function parseRoutes(entries: readonly unknown[]): { routes: RouteReading[]; skipped: number } {
  return routesOf(entries.map(understandRoute));
}

/** `parseRoutes` of what `ip -j route show table all` printed, as `parseLinkTable`. @throws HostError as `ipArray` */
export function parseRouteTable(result: ToolResult, known: KnownTables): { routes: RouteReading[]; skipped: number } {
  return routesOf(ipEntries('ip -j route show table all', result, understandRoute, known.routes));
}

/** Neither `default` nor its JSON names a family; IPv6 routes alone carry a router preference (`pref`), which `ip` always prints. */
function familyOf(destination: string, others: (string | undefined)[], preference: string | undefined): 4 | 6 {
  if (destination.includes(':')) return 6;
  if (destination.includes('.')) return 4;
  if (others.some(address => address?.includes(':'))) return 6;
  if (others.some(address => address?.includes('.'))) return 4;
  return preference === undefined ? 4 : 6;
}

function destinationOf(text_: string, family: 4 | 6): string | undefined {
  if (text_ === 'default') return 'default';
  const [address, length] = text_.split('/');
  const canonical = canonicalAddress(address!);
  const prefix = length === undefined ? (family === 4 ? 32 : 128) : Number(length);
  if (canonical === undefined || !Number.isInteger(prefix) || prefix < 0) return undefined;
  return prefix === 0 ? 'default' : `${canonical}/${prefix}`;
}

function isEmptyObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.keys(value).length === 0;
}
