/** The tables under /proc/<pid>/net: sockets, counters, and the addresses of a netns (proc(5); net/ipv4/tcp_ipv4.c, net/ipv6/addrconf.c). */
import { endianness } from 'node:os';
import { canonicalAddress } from './addresses.ts';
import { HostError, type Host } from './host.ts';
import type { AddressReading, SocketReading, TrafficReading } from './readings.ts';

/** TCP states as include/net/tcp_states.h numbers them, named as `ss` prints them; UDP uses 01 (connected) and 07. */
const stateNames: Record<string, string> = {
  '01': 'ESTAB',
  '02': 'SYN-SENT',
  '03': 'SYN-RECV',
  '04': 'FIN-WAIT-1',
  '05': 'FIN-WAIT-2',
  '06': 'TIME-WAIT',
  '07': 'UNCONN',
  '08': 'CLOSE-WAIT',
  '09': 'LAST-ACK',
  '0A': 'LISTEN',
  '0B': 'CLOSING',
  '0C': 'NEW-SYN-RECV',
};

const littleEndian = endianness() === 'LE';

/** The address that the kernel printed as words of eight hex digits in the host's byte order; undefined for anything else. */
export function procAddress(hex: string, wordsAreLittleEndian = littleEndian): string | undefined {
  if (!/^(?:[0-9A-F]{8}|[0-9A-F]{32})$/i.test(hex)) return undefined;
  const bytes: number[] = [];
  for (let word = 0; word < hex.length; word += 8) {
    const four = [0, 2, 4, 6].map(offset => Number.parseInt(hex.slice(word + offset, word + offset + 2), 16));
    bytes.push(...(wordsAreLittleEndian ? four.reverse() : four));
  }
  if (bytes.length === 4) return bytes.join('.');
  return fromBytes(bytes);
}

const textOf = new Map<string, string>();

/** IPv6 text of 16 bytes, remembered: the same few addresses come with every reading. */
function fromBytes(bytes: readonly number[]): string | undefined {
  const groups: string[] = [];
  for (let at = 0; at < 16; at += 2) groups.push(((bytes[at]! << 8) | bytes[at + 1]!).toString(16));
  const long = groups.join(':');
  let text = textOf.get(long);
  if (text === undefined) {
    text = canonicalAddress(long);
    if (text === undefined) return undefined;
    if (textOf.size > 10_000) textOf.clear();
    textOf.set(long, text);
  }
  return text;
}

/** A table of sockets, parsed as far as it is understood. */
export interface SocketTable {
  /** LISTEN for TCP, unconnected for UDP. */
  listeners: SocketReading[];
  /** The others whose local port was wanted. */
  holding: SocketReading[];
  /** Lines that could not be understood. */
  skipped: number;
}

/**
 * /proc/net/{tcp,tcp6,udp,udp6}. A row that shows twice, as happens when the table changes between two reads of its
 * pages, counts once.
 */
export function parseSocketTable(
  table: string,
  proto: 'tcp' | 'udp',
  family: 4 | 6,
  wanted?: ReadonlySet<number>,
): SocketTable {
  const result: SocketTable = { listeners: [], holding: [], skipped: 0 };
  const listening = proto === 'tcp' ? '0A' : '07';
  const seen = new Set<string>();
  const lines = table.split('\n');
  for (let index = 1; index < lines.length; index += 1) {
    const line = lines[index]!;
    if (line === '') continue;
    // sl local_address rem_address st tx_queue:rx_queue tr:tm->when retrnsmt uid timeout inode …
    const fields = line.trim().split(/\s+/, 10);
    const [, local, , state, , , , uid, , inode] = fields;
    const [hex, portHex] = local?.split(':') ?? [];
    if (inode === undefined || portHex === undefined || !/^[0-9A-F]{4}$/i.test(portHex) || !/^\d+$/.test(inode)) {
      result.skipped += 1;
      continue;
    }
    const isListener = state === listening;
    const port = Number.parseInt(portHex, 16);
    if (!isListener && !wanted?.has(port)) continue;
    if (port === 0) continue;
    const address = procAddress(hex!);
    if (address === undefined || (family === 4) === address.includes(':')) {
      result.skipped += 1;
      continue;
    }
    const key = `${inode} ${local} ${fields[2]}`;
    if (seen.has(key)) continue;
    if (inode !== '0') seen.add(key);
    (isListener ? result.listeners : result.holding).push({
      proto,
      family,
      address,
      port,
      state: (state && stateNames[state]) ?? 'UNKNOWN',
      inode: Number(inode),
      uid: Number(uid),
    });
  }
  return result;
}

const tables = [
  { name: 'tcp', proto: 'tcp', family: 4 },
  { name: 'tcp6', proto: 'tcp', family: 6 },
  { name: 'udp', proto: 'udp', family: 4 },
  { name: 'udp6', proto: 'udp', family: 6 },
] as const;

/**
 * The four socket tables of the netns of a process.
 * @param pid a pid, or `self`
 * @returns the sockets, and `missing`, which names what could not be read
 * @throws HostError when no table can be read
 */
export function readSocketTables(
  host: Host,
  pid: number | 'self',
  wanted?: ReadonlySet<number>,
): SocketTable & { missing?: string } {
  const paths = tables.map(table => `/proc/${pid}/net/${table.name}`);
  const texts = host.readFiles(paths);
  const all: SocketTable = { listeners: [], holding: [], skipped: 0 };
  const errors: HostError[] = [];
  let read = 0;
  tables.forEach((table, index) => {
    const text = texts[index];
    if (text === undefined) return;
    if (text instanceof HostError) {
      // A kernel without IPv6 has no tcp6 and udp6, and nothing in them.
      if (table.family === 4 || (text.code !== 'missing' && text.code !== 'gone')) errors.push(text);
      return;
    }
    // Even an empty table has its heading; nothing at all is what a process that has just ended leaves.
    if (text === '') {
      errors.push(new HostError('gone', `${paths[index]}: empty`));
      return;
    }
    read += 1;
    const parsed = parseSocketTable(text, table.proto, table.family, wanted);
    all.listeners.push(...parsed.listeners);
    all.holding.push(...parsed.holding);
    all.skipped += parsed.skipped;
  });
  if (read === 0) throw errors[0] ?? new HostError('missing', `/proc/${pid}/net: no socket tables`);
  const missing = errors.map(error => error.message);
  if (all.skipped > 0) missing.push(`${all.skipped} lines of /proc/${pid}/net not understood`);
  return missing.length > 0 ? { ...all, missing: missing.join('; ') } : all;
}

/** /proc/net/dev: counters by interface name. Lines that are not understood are left out. */
export function parseNetDev(table: string): Record<string, TrafficReading> {
  const traffic: Record<string, TrafficReading> = {};
  for (const line of table.split('\n')) {
    // A name may hold a colon (an old alias); the counters never do.
    const colon = line.lastIndexOf(':');
    if (colon < 0) continue;
    const counters = line
      .slice(colon + 1)
      .trim()
      .split(/\s+/)
      .map(Number);
    if (counters.length < 12 || counters.some(Number.isNaN)) continue;
    traffic[line.slice(0, colon).trim()] = {
      rxBytes: counters[0]!,
      rxPackets: counters[1]!,
      rxDropped: counters[3]!,
      txBytes: counters[8]!,
      txPackets: counters[9]!,
      txDropped: counters[11]!,
    };
  }
  return traffic;
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
    const address = fromBytes(bytes);
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

/** An IPv4 address as an unsigned number; undefined for anything else. */
export function ipv4Number(address: string): number | undefined {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(address);
  if (!match) return undefined;
  return match.slice(1).reduce((number, byte) => number * 256 + Number(byte), 0);
}
