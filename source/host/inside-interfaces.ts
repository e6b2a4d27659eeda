/** A container's interfaces: from the sysfs that it has mounted where that shows its own netns, else from `ip` run in its netns. */
import { ipv4Number } from './addresses.ts';
import { HostError, type Host } from './host.ts';
import { ipArray } from './ip-entries.ts';
import { parseLinks } from './ip-json.ts';
import {
  interfaceNames,
  parseConnectedRoutes,
  parseFibLocals,
  parseIfindexes,
  parseIfInet6,
  type ConnectedRoute,
} from './proc-net.ts';
import type { InsideInterface } from './readings.ts';

/** The tables of its netns, world-readable and true whatever the container has mounted. */
interface NetnsTables {
  names: Set<string>;
  ifindexes: Map<string, number>;
  ifInet6: string;
  /** undefined: could not be read. */
  locals?: string[];
  connected: ConnectedRoute[];
}

/**
 * The interfaces of the netns of a process.
 * @param known as read before in this netns: taken again where the tables name the same interfaces by the same ifindexes with the same
 * addresses. What they do not tell, the MAC, is then as old as that
 * @returns `missing`, when addresses could not be told
 * @throws HostError; `denied` without the right to look into the process
 */
export async function readInterfaces(
  host: Host,
  pid: number,
  known?: InsideInterface[],
): Promise<{ interfaces: InsideInterface[]; missing?: string }> {
  const texts = readTexts(host, pid);
  if (known && textOf.get(known) === texts.all) return { interfaces: known };
  const tables = parseTables(texts);
  if (known && isAsKnown(known, tables)) {
    textOf.set(known, texts.all);
    return { interfaces: known };
  }
  const fromSysfs = await sysfsInterfaces(host, pid, tables);
  if (Array.isArray(fromSysfs) && addAddresses(fromSysfs, tables)) return { interfaces: fromSysfs };
  // Whoever may not look into the process may not enter its netns either.
  if (fromSysfs instanceof HostError && fromSysfs.code === 'denied' && host.uid !== 0) throw fromSysfs;
  try {
    return { interfaces: await enteredInterfaces(host, pid) };
  } catch (error) {
    if (!(error instanceof HostError) || !Array.isArray(fromSysfs)) throw error;
    return { interfaces: fromSysfs, missing: `IPv4 addresses inside: ${error.message}` };
  }
}

const text = (file: string | HostError | undefined) => (typeof file === 'string' ? file : '');

/** What the kernel said when interfaces were found to be what they are, as long as anybody has them. */
const textOf = new WeakMap<readonly InsideInterface[], string>();

/** The tables as text; `all` is everything that `parseTables` goes by, without the counters. */
interface TableTexts {
  names: string[];
  igmp: string;
  devMcast: string;
  ifInet6: string;
  fibTrie?: string;
  route: string;
  all: string;
}

function readTexts(host: Host, pid: number): TableTexts {
  const [dev, igmp, devMcast, ifInet6, fibTrie, route] = host.readFiles(
    ['dev', 'igmp', 'dev_mcast', 'if_inet6', 'fib_trie', 'route'].map(name => `/proc/${pid}/net/${name}`),
  );
  if (typeof dev !== 'string') throw dev ?? new HostError('failed', `/proc/${pid}/net/dev: nothing read`);
  const names = interfaceNames(dev);
  const texts = { names, igmp: text(igmp), devMcast: text(devMcast), ifInet6: text(ifInet6), route: text(route) };
  const rest = [texts.igmp, texts.devMcast, texts.ifInet6, texts.route].join('\n\n');
  if (typeof fibTrie !== 'string') return { ...texts, all: `${names.join(' ')}\n\n${rest}` };
  return { ...texts, fibTrie, all: `${names.join(' ')}\n\n${rest}\n\n${fibTrie}` };
}

function parseTables({ names, igmp, devMcast, ifInet6, fibTrie, route }: TableTexts): NetnsTables {
  const tables: NetnsTables = {
    names: new Set(names),
    ifindexes: parseIfindexes({ igmp, devMcast, ifInet6 }),
    ifInet6,
    connected: parseConnectedRoutes(route),
  };
  if (fibTrie !== undefined) tables.locals = parseFibLocals(fibTrie);
  return tables;
}

/** An ifindex is given to no second interface of a netns: one that has it still is the same, with the same peer. */
function isAsKnown(known: readonly InsideInterface[], tables: NetnsTables): boolean {
  const isSame = ({ name, ifindex }: InsideInterface) =>
    tables.names.has(name) && tables.ifindexes.get(name) === ifindex;
  if (known.length !== tables.names.size || !known.every(isSame)) return false;
  const again = known.map((each): InsideInterface => ({ ...each, addresses: [] }));
  return addAddresses(again, tables) && JSON.stringify(again) === JSON.stringify(known);
}

/**
 * What the sysfs under the process's root says; undefined when there is none to be trusted. A sysfs shows the netns of
 * whoever mounted it, which with `-v /sys:/sys` is not the container's, and what is found under a container's root may be
 * anything the container put there: only a real sysfs is read, and only one that agrees with the tables is believed.
 */
async function sysfsInterfaces(
  host: Host,
  pid: number,
  tables: NetnsTables,
): Promise<InsideInterface[] | HostError | undefined> {
  const [mountinfo] = host.readFiles([`/proc/${pid}/mountinfo`]);
  if (typeof mountinfo !== 'string') return mountinfo;
  if (!mountsSysfs(mountinfo)) return undefined;
  const folder = `/proc/${pid}/root/sys/class/net`;
  let names: string[];
  try {
    names = await host.list(folder);
  } catch (error) {
    return error instanceof HostError ? error : undefined;
  }
  if (names.some(name => !tables.names.has(name) && name !== 'bonding_masters')) return undefined;
  const interfaces: InsideInterface[] = [];
  for (const name of tables.names) {
    const [ifindex, iflink, address, uevent] = host.readFiles(
      ['ifindex', 'iflink', 'address', 'uevent'].map(file => `${folder}/${name}/${file}`),
    );
    const index = integer(ifindex);
    const link = integer(iflink);
    const told = tables.ifindexes.get(name);
    if (index === undefined || link === undefined || (told !== undefined && told !== index)) return undefined;
    const reading: InsideInterface = { name, ifindex: index, iflink: link, addresses: [] };
    const mac = typeof address === 'string' ? address.trim().toLowerCase() : '';
    if (/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/.test(mac) && mac !== '00:00:00:00:00:00') reading.mac = mac;
    const type = typeof uevent === 'string' ? /^DEVTYPE=(\S+)$/m.exec(uevent)?.[1] : undefined;
    if (type !== undefined) reading.kind = type;
    if (link !== index) reading.peerInside = false;
    interfaces.push(reading);
  }
  // sysfs gives the peer's index without its netns: where an interface here has that index too, and be it the same one,
  // it does not say which is meant.
  const own = new Set(interfaces.map(({ ifindex }) => ifindex));
  return interfaces.some(({ name, iflink }) => name !== 'lo' && own.has(iflink)) ? undefined : interfaces;
}

/** Whether a mount table (/proc/<pid>/mountinfo) has a whole sysfs on /sys, with nothing mounted over what is read of it. */
export function mountsSysfs(mountinfo: string): boolean {
  let sysfs = false;
  for (const line of mountinfo.split('\n')) {
    const [before, after] = line.split(' - ');
    const [, , , root, point] = before?.split(' ') ?? [];
    if (point === undefined || after === undefined) continue;
    if (point === '/' || point === '/sys') sysfs = point === '/sys' && root === '/' && after.startsWith('sysfs ');
    else if (/^\/sys\/(?:class|devices)(?:\/|$)/.test(point)) sysfs = sysfs && !coversNetwork(point);
  }
  return sysfs;
}

/** Docker masks parts of sysfs (/sys/devices/virtual/powercap) that have nothing to do with interfaces. */
function coversNetwork(point: string): boolean {
  return ['/sys/class', '/sys/class/net', '/sys/devices', '/sys/devices/virtual', '/sys/devices/virtual/net'].some(
    folder => point === folder || (folder.endsWith('/net') && point.startsWith(`${folder}/`)),
  );
}

function integer(file: string | HostError | undefined): number | undefined {
  return /^\d+\n?$/.test(text(file)) ? Number.parseInt(text(file), 10) : undefined;
}

/**
 * Puts the addresses on the interfaces as far as procfs tells them: of IPv6 it says everything; of IPv4 only which
 * addresses are local, and which subnets hang on which interface.
 * @returns false when an IPv4 address cannot be given to one interface for certain
 */
function addAddresses(interfaces: InsideInterface[], tables: NetnsTables): boolean {
  const byName = new Map(interfaces.map(each => [each.name, each]));
  for (const { name, address } of parseIfInet6(tables.ifInet6)) byName.get(name)?.addresses.push(address);
  let certain = tables.locals !== undefined;
  const given: string[] = [];
  for (const address of tables.locals ?? []) {
    if (address.startsWith('127.')) {
      byName.get('lo')?.addresses.unshift({ family: 4, address, prefixLength: 8, scope: 'host' });
      if (address !== '127.0.0.1') certain = false;
      continue;
    }
    const number = ipv4Number(address)!;
    const containing = tables.connected.filter(
      route =>
        Math.floor(number / 2 ** (32 - route.prefixLength)) ===
        Math.floor(route.network / 2 ** (32 - route.prefixLength)),
    );
    const longest = Math.max(...containing.map(route => route.prefixLength));
    const best = containing.filter(route => route.prefixLength === longest);
    const target = best.length === 1 ? byName.get(best[0]!.device) : undefined;
    // A second address in one subnet may as well be a /32 of another interface.
    if (!target || given.includes(target.name)) {
      certain = false;
      continue;
    }
    given.push(target.name);
    target.addresses.unshift({ family: 4, address, prefixLength: longest, scope: 'global' });
  }
  return certain;
}

/** By `ip` in the netns of the process: exact, for the price of a process. @throws HostError */
async function enteredInterfaces(host: Host, pid: number): Promise<InsideInterface[]> {
  const args = ['-t', String(pid), '-n', 'ip', '-j', '-d', 'addr'];
  const result = await host.run('nsenter', args);
  const { links } = parseLinks(ipArray(`nsenter ${args.join(' ')}`, result));
  return links.map(link => {
    const reading: InsideInterface = {
      name: link.name,
      ifindex: link.ifindex,
      iflink: link.peerIfindex ?? link.ifindex,
      addresses: link.addresses,
    };
    if (link.peerIfindex !== undefined) reading.peerInside = link.peerNetnsId === undefined;
    if (link.mac !== undefined) reading.mac = link.mac;
    if (link.kind !== undefined) reading.kind = link.kind;
    return reading;
  });
}
