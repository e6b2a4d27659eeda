/** The host's interfaces, addresses, routes and traffic counters. */
import { HostError, type Host } from './host.ts';
import { ipArray, parseLinks, parseRoutes } from './ip-json.ts';
import { parseRoutingRules } from './ip-rules.ts';
import { parseNetDev } from './proc-net.ts';
import type { LinksReading, Outcome, RoutingRuleReading, TrafficReading } from './readings.ts';

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
 * @throws HostError when the interfaces cannot be read; routes or counters that cannot are named in `missing`
 */
export async function readLinks(host: Host): Promise<Outcome<LinksReading>> {
  const [linksResult, routesResult, rulesResult] = await Promise.allSettled([
    host.run('ip', linksCommand),
    host.run('ip', routesCommand),
    readRules(host),
  ]);
  if (linksResult.status === 'rejected') throw linksResult.reason;
  const { links, skipped } = parseLinks(ipArray('ip -j -d addr', linksResult.value));
  const missing = skipped > 0 ? [`${skipped} interfaces not understood`] : [];
  const value: LinksReading = { links, routes: [], traffic: {} };
  try {
    if (routesResult.status === 'rejected') throw routesResult.reason;
    const parsed = parseRoutes(ipArray('ip -j route show table all', routesResult.value));
    value.routes = parsed.routes;
    if (parsed.skipped > 0) missing.push(`${parsed.skipped} routes not understood`);
  } catch (error) {
    if (!(error instanceof HostError)) throw error;
    missing.push(`routes: ${error.message}`);
  }
  if (rulesResult.status === 'fulfilled') value.rules = rulesResult.value;
  else if (!(rulesResult.reason instanceof HostError)) throw rulesResult.reason;
  // A recording that was made before netdash asked for them has none.
  else if (rulesResult.reason.code !== 'missing') missing.push(`routing rules: ${rulesResult.reason.message}`);
  try {
    value.traffic = readTraffic(host);
  } catch (error) {
    if (!(error instanceof HostError)) throw error;
    missing.push(`traffic: ${error.message}`);
  }
  return missing.length > 0 ? { value, missing: missing.join('; ') } : { value };
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
  return parseNetDev(table);
}
