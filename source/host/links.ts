/** The host's interfaces, addresses, routes and traffic counters. */
import { HostError, type Host, type ToolResult } from './host.ts';
import { ipArray } from './ip-entries.ts';
import { noTables, parseLinkTable, parseRouteTable, type KnownTables } from './ip-json.ts';
import { parseRoutingRules } from './ip-rules.ts';
import { parseNetDev, type KnownLines } from './proc-net.ts';
import type { LinkReading, LinksReading, Outcome, RoutingRuleReading, TrafficReading } from './readings.ts';

/** `ip addr` with details says all that `ip link` says and the addresses besides: one process instead of two. */
const linksCommand = ['-j', '-d', 'addr'] as const;
/** Without a family and with `table all`, `ip route` lists both IPv4 and IPv6. */
const routesCommand = ['-j', 'route', 'show', 'table', 'all'] as const;
/** Without a family, `ip rule` lists those of IPv4 only. */
const rulesCommands = [
  { family: 4, args: ['-j', '-4', 'rule'] },
  { family: 6, args: ['-j', '-6', 'rule'] },
] as const;

/**
 * The interfaces and routes of the netns that netdash runs in, with the counters of this moment.
 * @param known a reading whose routes and rules are taken over if nothing changed that routes hang on: only ports of
 * bridges came or went, as when containers start and stop. That spares three processes of four
 * @throws HostError when the interfaces cannot be read; routes or counters that cannot are named in `missing`
 */
export async function readLinks(host: Host, known?: LinksReading): Promise<Outcome<LinksReading>> {
  // Without a reading to compare with, all of it is asked at once.
  const asked = known ? undefined : askRouting(host);
  const answer = await host.run('ip', linksCommand).catch(async (error: unknown) => {
    await asked;
    throw error;
  });
  const tables: LastLook = lastTables.get(host) ?? noTables();
  lastTables.set(host, tables);
  const { links, skipped } = parseLinkTable(answer, tables);
  // Every netns has its loopback interface.
  if (links.length === 0 && skipped === 0) throw new HostError('failed', 'ip -j -d addr printed no interface at all');
  const missing = skipped > 0 ? [`${skipped} interfaces not understood`] : [];
  const value: LinksReading = { links, routes: [], traffic: {} };
  const routedBy = routed(links, tables.before);
  tables.before = links;
  if (known && tables.routedBy === routedBy) {
    value.routes = known.routes;
    if (known.rules) value.rules = known.rules;
  } else {
    missing.push(...takeRouting(value, await (asked ?? askRouting(host)), tables));
    tables.routedBy = routedBy;
  }
  try {
    value.traffic = readTraffic(host);
  } catch (error) {
    if (!(error instanceof HostError)) throw error;
    missing.push(`traffic: ${error.message}`);
  }
  return missing.length > 0 ? { value, missing: missing.join('; ') } : { value };
}

/** What was read at the last look. */
interface LastLook extends KnownTables {
  before?: readonly LinkReading[];
  /** By which interfaces packets were routed when the routes were read. */
  routedBy?: string;
}

const lastTables = new WeakMap<Host, LastLook>();

/**
 * All of the interfaces that packets are routed by: those that are no port of a bridge. A veth that has no address of its own is one only when it was none at
 * the look before either: Docker makes it, and takes it away, a moment before and after it is a port.
 */
function routed(links: readonly LinkReading[], before: readonly LinkReading[] | undefined): string {
  const wereFree = new Set(before?.filter(({ master }) => master === undefined).map(({ ifindex }) => ifindex));
  const isPassing = ({ kind, ifindex, addresses }: LinkReading): boolean =>
    kind === 'veth' && !wereFree.has(ifindex) && addresses.every(({ scope }) => scope === 'link');
  return JSON.stringify(links.filter(link => link.master === undefined && !(before && isPassing(link))));
}

type Routing = [PromiseSettledResult<ToolResult>, PromiseSettledResult<RoutingRuleReading[]>];

const askRouting = (host: Host): Promise<Routing> =>
  Promise.allSettled([host.run('ip', routesCommand), readRules(host)]);

/** Puts routes and rules into the reading. @returns what is missing of them */
function takeRouting(value: LinksReading, [routes, rules]: Routing, tables: KnownTables): string[] {
  const missing: string[] = [];
  try {
    if (routes.status === 'rejected') throw routes.reason;
    const parsed = parseRouteTable(routes.value, tables);
    value.routes = parsed.routes;
    // An address of an interface that is up makes a route, if only one to itself.
    const isConnected = value.links.some(({ up, addresses }) => up && addresses.length > 0);
    if (isConnected && parsed.routes.length + parsed.skipped === 0) missing.push('routes: ip printed none at all');
    if (parsed.skipped > 0) missing.push(`${parsed.skipped} routes not understood`);
  } catch (error) {
    if (!(error instanceof HostError)) throw error;
    missing.push(`routes: ${error.message}`);
  }
  if (rules.status === 'fulfilled') value.rules = rules.value;
  else if (!(rules.reason instanceof HostError)) throw rules.reason;
  // A recording that was made before netdash asked for them has none.
  else if (rules.reason.code !== 'missing') missing.push(`routing rules: ${rules.reason.message}`);
  return missing;
}

/** The routing rules of both families. @throws HostError */
async function readRules(host: Host): Promise<RoutingRuleReading[]> {
  const lists = await Promise.all(
    rulesCommands.map(async ({ family, args }) =>
      parseRoutingRules(ipArray(`ip ${args.join(' ')}`, await host.run('ip', args)), family),
    ),
  );
  return lists.flat();
}

/**
 * The counters of every interface of the netns that netdash runs in, by name: one read of /proc/self/net/dev.
 * @throws HostError
 */
export function readTraffic(host: Host): Record<string, TrafficReading> {
  const [table] = host.readFiles(['/proc/self/net/dev']);
  if (table === undefined || table instanceof HostError)
    throw table ?? new HostError('failed', '/proc/self/net/dev: nothing read');
  const known = lastTraffic.get(host);
  if (known?.table === table) return known.traffic;
  const lines: KnownLines = known?.lines ?? new Map();
  const traffic = parseNetDev(table, lines);
  lastTraffic.set(host, { table, lines, traffic });
  return traffic;
}

/** The table of the last look, what its lines said, and what became of it. */
const lastTraffic = new WeakMap<Host, { table: string; lines: KnownLines; traffic: Record<string, TrafficReading> }>();
