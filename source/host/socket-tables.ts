/** The socket tables of a netns: /proc/<pid>/net/{tcp,tcp6,udp,udp6} (proc_net(5); net/ipv4/tcp_ipv4.c and udp.c of the kernel). */
import { procAddress } from './addresses.ts';
import { HostError, type Host } from './host.ts';
import type { SocketReading } from './readings.ts';

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
  const seen = new Set<number>();
  for (let from = table.indexOf('\n') + 1, to = 0; from > 0 && from < table.length; from = to + 1) {
    to = table.indexOf('\n', from);
    if (to < 0) to = table.length;
    row.lastIndex = from;
    const fields = row.exec(table);
    if (!fields || row.lastIndex > to) {
      if (table.slice(from, to).trim() !== '') result.skipped += 1;
      continue;
    }
    const [, hex, portHex, state, uid, inodeText] = fields;
    const isListener = state === listening;
    const port = Number.parseInt(portHex!, 16);
    if (!isListener && !wanted?.has(port)) continue;
    if (port === 0) continue;
    const address = procAddress(hex!);
    if (address === undefined || (family === 4) === address.includes(':')) {
      result.skipped += 1;
      continue;
    }
    const inode = Number(inodeText);
    if (seen.has(inode)) continue;
    if (inode !== 0) seen.add(inode);
    (isListener ? result.listeners : result.holding).push({
      proto,
      family,
      address,
      port,
      state: (state && stateNames[state]) ?? 'UNKNOWN',
      inode,
      uid: Number(uid),
    });
  }
  return result;
}

/** sl local_address rem_address st tx_queue:rx_queue tr:tm->when retrnsmt uid timeout inode … */
const row =
  /[ \t]*\S+[ \t]+([^\s:]+):([0-9A-Fa-f]{4})[ \t]+\S+[ \t]+([0-9A-F]{2})(?:[ \t]+\S+){3}[ \t]+(\S+)[ \t]+\S+[ \t]+(\d+)(?!\S)/y;

const tables = [
  { name: 'tcp', proto: 'tcp', family: 4 },
  { name: 'tcp6', proto: 'tcp', family: 6 },
  { name: 'udp', proto: 'udp', family: 4 },
  { name: 'udp6', proto: 'udp', family: 6 },
] as const;

const attempt = (host: Host, path: string): Promise<string | HostError> =>
  host.readFile(path).catch((error: unknown) => {
    if (error instanceof HostError) return error;
    throw error;
  });

/**
 * The four socket tables of the netns of a process. They are read aside: the kernel walks for milliseconds, in which the program can do other things.
 * @param pid a pid, or `self`
 * @returns the sockets, and `missing`, which names what could not be read
 * @throws HostError when no table can be read
 */
export async function readSocketTables(
  host: Host,
  pid: number | 'self',
  wanted?: ReadonlySet<number>,
): Promise<SocketTable & { missing?: string }> {
  // To walk a table without sockets takes as long as to walk a full one. The counts leave out those that only wait (TIME-WAIT).
  const counts = wanted?.size ? undefined : readSocketCounts(host, pid, false);
  const filled = tables.filter(({ name }) => !counts?.split(/ (?=[TU])/).includes(`${name.toUpperCase()}: inuse 0`));
  const paths = filled.map(table => `/proc/${pid}/net/${table.name}`);
  const texts = await Promise.all(paths.map(path => attempt(host, path)));
  const all: SocketTable = { listeners: [], holding: [], skipped: 0 };
  const errors: HostError[] = [];
  let read = tables.length - filled.length;
  filled.forEach((table, index) => {
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
  sortSockets(all.listeners);
  sortSockets(all.holding);
  if (read === 0) throw errors[0] ?? new HostError('missing', `/proc/${pid}/net: no socket tables`);
  const missing = errors.map(error => error.message);
  if (all.skipped > 0) missing.push(`${all.skipped} lines of /proc/${pid}/net not understood`);
  return missing.length > 0 ? { ...all, missing: missing.join('; ') } : all;
}

/**
 * How many sockets of each kind the netns of a process has, as text: /proc/<pid>/net/sockstat and sockstat6 (proc_net(5);
 * net/ipv4/proc.c of the kernel, which counts them per netns as they are bound). A few sums, where every read of a table
 * walks the hash of the whole machine: while the counts stay, hardly anything began or ceased to listen.
 * @param pid a pid, or `self`
 * @param timeWait counts sockets in TIME-WAIT too, which still hold their ports
 * @returns undefined when they cannot be read
 */
export function readSocketCounts(host: Host, pid: number | 'self', timeWait: boolean): string | undefined {
  const [v4, v6] = host.readFiles([`/proc/${pid}/net/sockstat`, `/proc/${pid}/net/sockstat6`]);
  if (typeof v4 !== 'string') return undefined;
  const counted = timeWait ? /^(?:TCP|UDP)6?: inuse \d+| tw \d+/gm : /^(?:TCP|UDP)6?: inuse \d+/gm;
  return `${v4}${typeof v6 === 'string' ? v6 : ''}`.match(counted)?.join(' ');
}

/** Puts sockets, in place, into an order that does not depend on who listed them: by port, protocol, address and inode. */
export function sortSockets(sockets: SocketReading[]): SocketReading[] {
  return sockets.sort(
    (a, b) => a.port - b.port || compare(a.proto, b.proto) || compare(a.address, b.address) || a.inode - b.inode,
  );
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
