/** The listeners of the host's netns with their owners, and other sockets in the way of ports that containers ask for. */
import { HostError, type Host } from './host.ts';
import { readSocketTables } from './socket-tables.ts';
import type { Outcome, SocketReading, SocketsReading } from './readings.ts';
import { keepKnown, proveV6only, socketKey } from './known-sockets.ts';
import { hasCgroup2, ssLines, type Opener, type SsSocket } from './ss.ts';
import { allPids, closedProcess, missingRights, orderOpeners, ownersHidden, scanOpeners } from './socket-owners.ts';

/** `ss` takes its filter from the command line; beyond this many ports the processes of holding sockets stay unknown. */
const maximumFilterPorts = 64;

/** How the sockets are read. */
export interface SocketsOptions {
  /** Ports of which also sockets that do not listen are told (`holding`). */
  wanted?: ReadonlySet<number>;
  /** The reading before: what it knew of sockets that are still there is kept, and `ss` runs only for what is new. */
  previous?: SocketsReading;
  /** Asks for all owners again although no socket is new: a socket that is still open may have been handed to other processes. */
  fresh?: boolean;
  /** Tells listeners of `previous` of which it is seen to elsewhere that their owners still have them open. */
  seen?: (listener: SocketReading) => boolean;
}

/**
 * The sockets of the netns that netdash runs in. The tables of /proc/net are read in-process each time; `ss` is run once
 * for sockets that the reading before did not have.
 * @throws HostError when no socket table can be read
 */
export async function readSockets(host: Host, options: SocketsOptions = {}): Promise<Outcome<SocketsReading>> {
  const tables = await readSocketTables(host, 'self', options.wanted);
  const missing = tables.missing ? [tables.missing] : [];
  const value: SocketsReading = { listeners: tables.listeners, holding: tables.holding };
  const known = options.fresh ? undefined : options.previous?.listeners;
  const fresh = new Set(keepKnown(host, value.listeners, known, options.seen));
  // An `ss` that failed when they were new may do better now; until it does, this reading is not whole.
  const newListeners = value.listeners.filter(socket => fresh.has(socket) || isUnclear(socket));
  const newHolding = keepKnown(host, value.holding, options.fresh ? undefined : options.previous?.holding).filter(
    socket => socket.inode !== 0,
  );
  const hidden = ownersHidden(host);
  let closed: string | undefined;
  if (newListeners.length > 0 || newHolding.length > 0) {
    const complaint = await ask(host, value, newListeners, newHolding, hidden === undefined);
    closed = hidden === undefined ? await doubt(host, newListeners) : undefined;
    if (complaint) missing.push(complaint);
  }
  proveV6only(value.listeners);
  const ownerless = value.listeners.filter(socket => socket.processes === undefined).length;
  if (ownerless > 0)
    value.ownersReason = hidden ?? closed ?? options.previous?.ownersReason ?? 'their processes could not be read';
  return missing.length > 0 ? { value, missing: missing.join('; ') } : { value };
}

const isUnclear = ({ address, v6only }: SocketReading): boolean => address === '::' && v6only === undefined;

const goneReason = 'it was closed again before its process was looked up';

/** Takes back that nobody has a socket open where a process may not be looked into. @returns why */
async function doubt(host: Host, sockets: readonly SocketReading[]): Promise<string | undefined> {
  const ownerless = sockets.filter(({ processes }) => processes?.length === 0);
  if (ownerless.length === 0) return undefined;
  const pid = await closedProcess(host);
  if (pid === undefined) return undefined;
  for (const socket of ownerless) delete socket.processes;
  return `nothing that may be looked into has it open, and process ${pid} may not be`;
}

/** Asks `ss`, or failing that the descriptors of all processes, about sockets of which nothing is known. @returns what went wrong */
async function ask(
  host: Host,
  value: SocketsReading,
  newListeners: readonly SocketReading[],
  newHolding: readonly SocketReading[],
  seesAll: boolean,
): Promise<string | undefined> {
  const extended = hasCgroup2(host);
  let found: SsSocket[] = [];
  let complaint: string | undefined;
  try {
    if (newListeners.length > 0) found = await runSs(host, [extended ? '-tulnpe' : '-tuln']);
    const ports = [...new Set(newHolding.map(({ port }) => port))].sort((a, b) => a - b).slice(0, maximumFilterPorts);
    if (extended && ports.length > 0) {
      found = [
        ...found,
        ...(await runSs(host, ['-tunape', `( ${ports.map(port => `sport = :${port}`).join(' or ')} )`])),
      ];
    }
  } catch (error) {
    if (!(error instanceof HostError)) throw error;
    complaint = error.message;
  }
  const openers = new Map<number, Opener[]>();
  if (extended && complaint === undefined) {
    for (const socket of found) if (socket.inode && socket.openers) openers.set(socket.inode, socket.openers);
  }
  const sockets = [...value.listeners, ...newHolding].filter(({ inode }) => inode !== 0);
  const doubtful = new Set(found.flatMap(({ inode, openers: clear }) => (inode && !clear ? [inode] : [])));
  const usesSs = extended && complaint === undefined;
  if (usesSs)
    for (const inode of unopened(newListeners, openers, found, missingRights(host) === undefined)) doubtful.add(inode);
  if (newListeners.length > 0 && found.length === 0) complaint ??= 'ss printed no socket at all';
  const inodes = new Set(sockets.map(({ inode }) => inode).filter(inode => !usesSs || doubtful.has(inode)));
  if (inodes.size > 0) {
    const scanned = await openersAmongAll(host, inodes);
    if (scanned) for (const inode of inodes) openers.set(inode, scanned.get(inode) ?? []);
  }
  learn(host, value, found, openers, seesAll);
  if (usesSs && found.length > 0) {
    const told = new Set(found.map(({ inode }) => inode));
    for (const socket of newListeners) {
      if (socket.inode !== 0 && !socket.processes && !told.has(socket.inode)) socket.processesReason = goneReason;
    }
  }
  return complaint;
}

/** The openers of sockets among all processes; undefined where a recording does not say which there were: nobody looked for these then. */
async function openersAmongAll(host: Host, inodes: Set<number>): Promise<Map<number, Opener[]> | undefined> {
  try {
    return await scanOpeners(host, inodes, await allPids(host));
  } catch (error) {
    if (host.kind === 'recording' && error instanceof HostError && error.code === 'missing') return undefined;
    throw error;
  }
}

/**
 * Listeners of which `ss` told nothing, and where netdash may look into processes also those that it says nobody has open: an
 * `ss` with fewer rights than netdash says the same as of a socket that the kernel holds.
 */
function unopened(
  listeners: readonly SocketReading[],
  openers: ReadonlyMap<number, readonly Opener[]>,
  found: readonly SsSocket[],
  mayLook: boolean,
): number[] {
  const told = new Set(found.map(({ inode }) => inode));
  return listeners
    .map(({ inode }) => inode)
    .filter(inode => inode !== 0 && (!told.has(inode) || (mayLook && openers.get(inode)?.length === 0)));
}

async function runSs(host: Host, args: string[]): Promise<SsSocket[]> {
  const all = ['-H', ...args];
  return ssLines(`ss ${all.join(' ')}`, await host.run('ss', all, { timeoutMs: 10_000 }));
}

/** Puts what was found on every socket, also on those already known: it is newer. */
function learn(
  host: Host,
  value: SocketsReading,
  found: readonly SsSocket[],
  openers: ReadonlyMap<number, Opener[]>,
  seesAll: boolean,
): void {
  const byInode = new Map<number, SsSocket>();
  const byKey = new Map<string, SsSocket[]>();
  for (const socket of found) {
    if (socket.inode) byInode.set(socket.inode, socket);
    byKey.set(socketKey(socket), [...(byKey.get(socketKey(socket)) ?? []), socket]);
  }
  for (const socket of [...value.listeners, ...value.holding]) {
    if (socket.inode === 0) continue;
    const same = byInode.get(socket.inode);
    // Without inodes, lines of one address and port (SO_REUSEPORT) are told apart only where they agree.
    const candidates = same ? [same] : (byKey.get(socketKey(socket)) ?? []).filter(({ inode }) => inode === undefined);
    const v6only = agreed(candidates.map(each => each.v6only));
    if (socket.family === 6 && v6only !== undefined) socket.v6only = v6only;
    const device = agreed(candidates.map(each => each.device));
    if (device !== undefined) socket.device = device;
    if (same?.cgroup !== undefined) socket.cgroup = same.cgroup;
    const holders = openers.get(socket.inode);
    if (holders !== undefined && (holders.length > 0 || seesAll)) socket.processes = orderOpeners(host, holders);
  }
}

function agreed<T>(values: readonly (T | undefined)[]): T | undefined {
  return values.length > 0 && values.every(value => value === values[0]) ? values[0] : undefined;
}
