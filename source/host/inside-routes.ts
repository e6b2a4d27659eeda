/** The main routing table of a netns, from /proc/<pid>/net/route and ipv6_route (proc_net(5); net/ipv4/fib_trie.c and net/ipv6/route.c of the kernel). */
import { addressOfBytes, ipv4Number, procAddress } from './addresses.ts';
import type { Host } from './host.ts';
import type { RouteReading } from './readings.ts';

/** linux/route.h and linux/ipv6_route.h */
const flag = { up: 1, reject: 0x200, anycast: 0x100000, local: 0x80000000 } as const;

/** What routes were made of, as long as anybody has them. */
const textOf = new WeakMap<readonly RouteReading[], string>();

/**
 * The routes that a process has; undefined when the table of IPv4 cannot be read. A kernel without IPv6 has no ipv6_route.
 * @param previous of the reading before, which are given back where the kernel says what it said then
 */
export function readInsideRoutes(host: Host, pid: number, previous?: RouteReading[]): RouteReading[] | undefined {
  const [route, route6] = host.readFiles([`/proc/${pid}/net/route`, `/proc/${pid}/net/ipv6_route`]);
  if (typeof route !== 'string') return undefined;
  const text = typeof route6 === 'string' ? `${route}\n\n${route6}` : route;
  if (previous && textOf.get(previous) === text) return previous;
  const routes = [...parseRoutes4(route), ...(typeof route6 === 'string' ? parseRoutes6(route6) : [])];
  textOf.set(routes, text);
  return routes;
}

const base = (flags: number) => ({
  table: 'main',
  type: (flags & flag.reject) === 0 ? 'unicast' : 'unreachable',
  protocol: 'unknown',
  flags: [],
});

/** /proc/net/route */
export function parseRoutes4(table: string): RouteReading[] {
  return table
    .split('\n')
    .slice(1)
    .flatMap((line): RouteReading[] => {
      const [device, destination = '', gateway = '', flagText = '', , , metric, mask = ''] = line.trim().split(/\s+/);
      const flags = Number.parseInt(flagText, 16);
      const bits = ipv4Number(procAddress(mask) ?? '');
      const network = procAddress(destination);
      const via = procAddress(gateway);
      if (!device || bits === undefined || network === undefined || via === undefined || (flags & flag.up) === 0)
        return [];
      const prefix = bits === 0 ? 0 : 32 - Math.log2(2 ** 32 - bits);
      const reading: RouteReading = {
        family: 4,
        destination: prefix === 0 ? 'default' : `${network}/${prefix}`,
        device,
        ...base(flags),
      };
      if (via !== '0.0.0.0') reading.gateway = via;
      if (Number(metric) > 0) reading.metric = Number(metric);
      return [reading];
    });
}

const bytesOf = (hex: string): number[] => (hex.match(/../g) ?? []).map(byte => Number.parseInt(byte, 16));

/** /proc/net/ipv6_route: the routes of every table in one list; those to the netns' own addresses are left out. */
export function parseRoutes6(table: string): RouteReading[] {
  return table.split('\n').flatMap((line): RouteReading[] => {
    const [network, length, , , gateway, metric, , , flagText, device] = line.trim().split(/\s+/);
    if (!device || network === undefined || length === undefined || gateway === undefined || flagText === undefined)
      return [];
    const flags = Number.parseInt(flagText, 16);
    const destination = addressOfBytes(bytesOf(network));
    const via = addressOfBytes(bytesOf(gateway));
    if (destination === undefined || via === undefined) return [];
    // Bit 31 makes the number negative in bit operations.
    if ((flags & flag.up) === 0 || (flags & flag.anycast) !== 0 || flags >= flag.local || destination.startsWith('ff'))
      return [];
    const prefix = Number.parseInt(length, 16);
    const reading: RouteReading = {
      family: 6,
      destination: prefix === 0 ? 'default' : `${destination}/${prefix}`,
      device,
      ...base(flags),
      metric: Number.parseInt(metric ?? '0', 16),
    };
    if (via !== '::') reading.gateway = via;
    return [reading];
  });
}
