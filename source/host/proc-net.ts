/** What /proc/<pid>/net says of the interfaces of a netns: counters, indexes and addresses (proc_net(5); net/ipv6/addrconf.c, net/ipv4/fib_trie.c of the kernel). */
import { addressOfBytes, ipv4Number, procAddress } from './addresses.ts';
import { ownText } from './own-text.ts';
import type { AddressReading, TrafficReading } from './readings.ts';

/** What the lines of /proc/net/dev said the last time: an interface without traffic has the same line, and keeps its object. */
export type KnownLines = Map<string, DevLine>;

interface DevLine {
  line: string;
  name: string;
  traffic: TrafficReading;
}

/**
 * /proc/net/dev: counters by interface name. Lines that are not understood are left out.
 * @param known what was made of the lines of before; is changed to those of now
 */
export function parseNetDev(table: string, known: KnownLines = new Map()): Record<string, TrafficReading> {
  const before = new Map(known);
  known.clear();
  for (const line of table.split('\n')) {
    const made = before.get(line) ?? parseDevLine(ownText(line));
    if (made) known.set(made.line, made);
  }
  // Not by assignment: an interface may be called __proto__.
  return Object.fromEntries(Array.from(known.values(), ({ name, traffic }) => [name, traffic]));
}

/** The names of the interfaces in /proc/net/dev, in its order, without their counters. */
export function interfaceNames(table: string): string[] {
  return table.split('\n').flatMap(line => /^\s*(\S.*):\s*\d/.exec(line)?.[1] ?? []);
}

function parseDevLine(line: string): DevLine | undefined {
  // A name may hold a colon (an old alias); the counters never do.
  const colon = line.lastIndexOf(':');
  if (colon < 0) return undefined;
  const counters = line
    .slice(colon + 1)
    .trim()
    .split(/\s+/)
    .map(Number);
  if (counters.length < 12 || counters.some(Number.isNaN)) return undefined;
  const traffic: TrafficReading = {
    rxBytes: counters[0]!,
    rxPackets: counters[1]!,
    rxDropped: counters[3]!,
    txBytes: counters[8]!,
    txPackets: counters[9]!,
    txDropped: counters[11]!,
  };
  return { line, name: line.slice(0, colon).trim(), traffic };
}

/** Names and ifindexes, which /proc/net/{igmp,dev_mcast,if_inet6} tell of the interfaces that have such entries. */
export function parseIfindexes(files: { igmp?: string; devMcast?: string; ifInet6?: string }): Map<string, number> {
  const indexes = new Map<string, number>();
  const note = (name: string | undefined, index: number) => {
    if (name && Number.isInteger(index) && index > 0) indexes.set(name, index);
  };
  for (const line of (files.igmp ?? '').split('\n')) {
    const match = /^(\d+)\s+(\S.*?)\s*:\s+\d+\s+V\d/.exec(line);
    if (match) note(match[2], Number(match[1]));
  }
  for (const line of (files.devMcast ?? '').split('\n')) {
    const match = /^(\d+)\s+(\S+)\s+\d+\s+\d+\s+[0-9a-f]+\s*$/i.exec(line);
    if (match) note(match[2], Number(match[1]));
  }
  for (const { name, ifindex } of parseIfInet6(files.ifInet6 ?? '')) note(name, ifindex);
  return indexes;
}

/** include/net/ipv6.h: IFA_LINK, IFA_SITE and IFA_HOST as /proc/net/if_inet6 prints the scope. */
const inet6Scopes: Record<string, string> = { '00': 'global', '10': 'host', '20': 'link', '40': 'site' };

/** /proc/net/if_inet6: `address ifindex prefixlength scope flags name`, all numbers in hex. */
export function parseIfInet6(table: string): { name: string; ifindex: number; address: AddressReading }[] {
  const entries: { name: string; ifindex: number; address: AddressReading }[] = [];
  for (const line of table.split('\n')) {
    const match = /^([0-9a-f]{32}) ([0-9a-f]+) ([0-9a-f]{2}) ([0-9a-f]{2}) [0-9a-f]{2}\s+(\S+)\s*$/i.exec(line);
    if (!match) continue;
    const bytes = match[1]!.match(/../g)!.map(byte => Number.parseInt(byte, 16));
    const address = addressOfBytes(bytes);
    if (address === undefined) continue;
    entries.push({
      name: match[5]!,
      ifindex: Number.parseInt(match[2]!, 16),
      address: {
        family: 6,
        address,
        prefixLength: Number.parseInt(match[3]!, 16),
        scope: inet6Scopes[match[4]!] ?? 'global',
      },
    });
  }
  return entries;
}

/** The IPv4 addresses that are local to a netns, from /proc/net/fib_trie: leaves with a `/32 host LOCAL` route. */
export function parseFibLocals(table: string): string[] {
  const locals = new Set<string>();
  let leaf: string | undefined;
  for (const line of table.split('\n')) {
    const node = /\|-- (\d+\.\d+\.\d+\.\d+)\s*$/.exec(line);
    if (node) leaf = node[1];
    else if (leaf !== undefined && /\/32 host LOCAL\s*$/.test(line)) locals.add(leaf);
  }
  return [...locals];
}

/** A route to a subnet that hangs directly on an interface. */
export interface ConnectedRoute {
  device: string;
  network: number;
  mask: number;
  prefixLength: number;
}

/** The connected IPv4 routes of /proc/net/route (main table): those without RTF_GATEWAY and with a mask. */
export function parseConnectedRoutes(table: string): ConnectedRoute[] {
  const routes: ConnectedRoute[] = [];
  for (const line of table.split('\n').slice(1)) {
    const [device, destination, gateway, flags, , , , mask] = line.trim().split(/\s+/);
    if (!device || mask === undefined || !flags || gateway !== '00000000' || (Number.parseInt(flags, 16) & 2) !== 0) {
      continue;
    }
    const network = ipv4Number(procAddress(destination ?? '') ?? '');
    const bits = ipv4Number(procAddress(mask) ?? '');
    if (network === undefined || bits === undefined || bits === 0) continue;
    const prefixLength = 32 - Math.log2(2 ** 32 - bits);
    if (!Number.isInteger(prefixLength)) continue;
    routes.push({ device, network, mask: bits, prefixLength });
  }
  return routes;
}
