/** What `ip -j -d addr` and `ip -j route` print (iproute2; ip-address(8), ip-route(8)), as readings. */
import * as v from 'valibot';
import { canonicalAddress } from './addresses.ts';
import { HostError, type ToolResult } from './host.ts';
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
  addr_info: v.optional(v.array(v.object({ family: text, local: text, prefixlen: number, scope: text })), []),
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

/**
 * The elements of the JSON array that `ip -j` printed.
 * @param what the command, for messages
 * @throws HostError failed or denied when it printed something else
 */
export function ipArray(what: string, result: ToolResult): unknown[] {
  const complaint = result.stderr.trim().split('\n')[0] ?? '';
  if (result.code !== 0) {
    const how = result.signal ? `was ended by ${result.signal}` : `ended with status ${result.code}`;
    const denied = /not permitted|permission denied/i.test(complaint);
    throw new HostError(denied ? 'denied' : 'failed', `${what} ${how}${complaint && `: ${complaint}`}`);
  }
  // With nothing to show, some releases print nothing at all.
  if (result.stdout.trim() === '') return [];
  let parsed: unknown;
  try {
    parsed = JSON.parse(withEscapes(result.stdout));
  } catch {
    throw new HostError('failed', `${what} printed no valid JSON`);
  }
  if (!Array.isArray(parsed)) throw new HostError('failed', `${what} printed no JSON array`);
  return parsed;
}

/**
 * Control characters in the form that JSON has for them. An interface may be called anything but white space, `/` and `:`
 * (dev_valid_name in net/core/dev.c), and iproute2 prints most control characters as they are (lib/json_writer.c).
 */
function withEscapes(json: string): string {
  return json.replace(/[\0-\x08\x0e-\x1f]/g, control => `\\u${control.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

function on(value: boolean | string | number | undefined): boolean {
  return value === true || value === 'on' || value === 1;
}

function addressesOf(link: IpLink): AddressReading[] {
  const addresses: AddressReading[] = [];
  for (const { family, local, prefixlen, scope } of link.addr_info) {
    const address = local === undefined ? undefined : canonicalAddress(local);
    if (address === undefined || prefixlen === undefined || (family !== 'inet' && family !== 'inet6')) continue;
    addresses.push({ family: family === 'inet' ? 4 : 6, address, prefixLength: prefixlen, scope: scope ?? 'global' });
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

/** The interfaces of `ip -j -d addr`, and how many entries were not understood. Empty objects, which filters leave, count as nothing. */
export function parseLinks(entries: readonly unknown[]): { links: LinkReading[]; skipped: number } {
  const links: IpLink[] = [];
  let skipped = 0;
  for (const entry of entries) {
    const parsed = v.safeParse(LinkSchema, entry);
    if (parsed.success) links.push(parsed.output);
    else if (!isEmptyObject(entry)) skipped += 1;
  }
  const byName = new Map(links.map(link => [link.ifname, link.ifindex]));
  return { links: links.map(link => linkReading(link, byName)), skipped };
}

/** The routes of `ip -j route show table all`, one entry per next hop, and how many entries were not understood. */
export function parseRoutes(entries: readonly unknown[]): { routes: RouteReading[]; skipped: number } {
  const routes: RouteReading[] = [];
  let skipped = 0;
  for (const entry of entries) {
    const parsed = v.safeParse(RouteSchema, entry);
    if (!parsed.success) {
      if (!isEmptyObject(entry)) skipped += 1;
      continue;
    }
    const route = parsed.output;
    const gateway = route.gateway ?? route.via?.host;
    const family = familyOf(route.dst, [gateway, route.prefsrc, ...route.nexthops.map(hop => hop.gateway)], route.pref);
    const destination = destinationOf(route.dst, family);
    if (destination === undefined) {
      skipped += 1;
      continue;
    }
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
    for (const hop of hops) {
      const reading: RouteReading = { ...base, flags: [...base.flags, ...hop.flags] };
      const through = hop.gateway ?? hop.via?.host;
      if (through) reading.gateway = canonicalAddress(through) ?? through;
      if (hop.dev) reading.device = hop.dev;
      routes.push(reading);
    }
  }
  return { routes, skipped };
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
