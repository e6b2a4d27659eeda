/** What there is inside a running container's netns, seen through one of its processes. */
import { HostError, type Host } from './host.ts';
import { readInterfaces } from './inside-interfaces.ts';
import { readInsideRoutes } from './inside-routes.ts';
import { readInsideRules } from './inside-rules.ts';
import { keepKnown, proveV6only, socketKey } from './known-sockets.ts';
import { netnsOf, sharesHostNetns } from './netns.ts';
import { containerPids } from './cgroups.ts';
import { findOutsiders } from './outsiders.ts';
import { containerIdOf, parseCgroup } from './proc-pid.ts';
import { readSocketCounts, readSocketTables, sortSockets } from './socket-tables.ts';
import { containerProcesses } from './processes.ts';
import type { InsideInterface, InsideReading, LinkReading, Outcome, SocketReading } from './readings.ts';
import { missingRights, orderOpeners, scanOpeners } from './socket-owners.ts';
import { stillOpen } from './socket-proof.ts';
import { hasCgroup2, ssLines, type SsSocket } from './ss.ts';

/** Which container is read, and how much of it. */
export interface InsideOptions {
  containerId: string;
  /** Host pid of its first process, `State.Pid`. */
  pid: number;
  /** The host's interfaces, among which are the other ends of its own. */
  hostLinks: readonly LinkReading[];
  /** The reading before: what it knew of sockets that are still there is kept. */
  previous?: InsideReading;
  /** Whether to read the listeners: four tables, each read of which walks a table of the whole machine. */
  listeners: boolean;
  /**
   * It has as many sockets as for `previous` (`readSocketCounts`): the listeners of then are taken again, without a walk
   * through the tables, unless one of those that had them open has not any more. The same goes for interfaces that are as they were in
   * /proc/<pid>/net.
   */
  keepListeners?: boolean;
  /** Interfaces and routes of `previous` are taken again: nobody is known to have changed them since. */
  keepInterfaces?: boolean;
  /** The netfilter rules of its netns, three processes or more: read now, or those of `previous` taken again. Absent: of no interest. */
  rules?: 'read' | 'keep';
  /** Also its processes and which of them listen. Implies `exact`. */
  detail?: boolean;
  /**
   * Also which of its processes listen, without more about those: known, they tell at each later look whether listeners are the same
   * ones. Holds, by inode, the sockets whose openers are not looked for again, since no process had them open, with what is to be said of that;
   * grows.
   */
  fruitless?: Fruitless;
  /** Runs `ss` in the netns when whether an IPv6 listener takes IPv4 as well cannot be told otherwise; once per socket. */
  exact?: boolean;
}

/** Sockets by inode, each with why its openers are not known; undefined where its container's processes are not all known either. */
export type Fruitless = Map<number, string | undefined>;

const sharesHost = "it is in the host's netns";
const v4Question = 'whether :: listeners take IPv4';
const unreadable = (error: HostError) => (error.code === 'denied' ? 'needs root (CAP_SYS_PTRACE)' : error.message);

/**
 * The view inside. Each part that cannot be read is absent and has its reason; `missing` sums them up.
 * @throws HostError `gone` when the process has ended or its pid is now another's, before or while it was read
 */
export async function readInside(host: Host, options: InsideOptions): Promise<Outcome<InsideReading>> {
  const { containerId, pid, previous } = options;
  const value: InsideReading = { containerId, pid };
  const missing: string[] = [];
  const netns = netnsOf(host, pid);
  if (previous && netns !== undefined && netns === previous.netns && staysAsBefore(host, options, previous)) {
    assertContainer(host, containerId, pid);
    return { value: previous };
  }
  // In the netns of before it is the process of before, or one that tells the same of that netns.
  const isKnown = netns !== undefined && previous?.pid === pid && previous.netns === netns;
  if (!isKnown) assertContainer(host, containerId, pid);
  if (netns !== undefined) value.netns = netns;
  const sameNetns = previous?.pid === pid && previous.netns === netns ? previous : undefined;
  if (isKnown ? previous.sharesHostNetns : sharesHostNetns(host, pid)) {
    value.sharesHostNetns = true;
    value.interfacesReason = sharesHost;
    if (options.listeners) value.listenersReason = sharesHost;
  } else {
    if (options.keepInterfaces && sameNetns?.interfaces && sameNetns.routes) {
      takeInterfaces(value, sameNetns.interfaces, options.hostLinks);
      value.routes = sameNetns.routes;
    } else {
      await addInterfaces(host, options, sameNetns, value, missing);
      const routes = readInsideRoutes(host, pid, sameNetns?.routes);
      if (routes) value.routes = routes;
    }
    if (options.listeners) await addListeners(host, options, sameNetns, value, missing);
    if (options.rules === 'read') Object.assign(value, await readInsideRules(host, pid));
    else if (options.rules === 'keep' && sameNetns) {
      if (sameNetns.rules) value.rules = sameNetns.rules;
      if (sameNetns.rulesReason !== undefined) value.rulesReason = sameNetns.rulesReason;
    }
  }
  if (options.detail) await addProcesses(host, options, value, missing);
  else if (options.fruitless) await addOpeners(host, options, value, options.fruitless);
  assertContainer(host, containerId, pid);
  return missing.length > 0 ? { value, missing: missing.join('; ') } : { value };
}

/**
 * Whether a look that takes again all it may can only tell what the one before told, in the same netns: the end of most looks. What is compared is
 * what would be looked at: the host ends of its interfaces and the open files of the owners.
 */
function staysAsBefore(host: Host, options: InsideOptions, previous: InsideReading): boolean {
  const { interfaces, routes, listeners, netnsId, rules, rulesReason, processes, processesReason } = previous;
  const { fruitless } = options;
  const takesAll = options.keepListeners && options.keepInterfaces && !options.detail && previous.pid === options.pid;
  if (!takesAll || !interfaces || !routes || !listeners) return false;
  const takesRules = options.rules === undefined ? !rules && rulesReason === undefined : options.rules === 'keep';
  if (!takesRules || processes || processesReason !== undefined) return false;
  if (fruitless && !previous.openersSought) return false;
  const isSettled = (socket: SocketReading): boolean =>
    socket.inode !== 0 && !isUnclear(socket) && !(fruitless && isOwnerless(socket) && !fruitless.has(socket.inode));
  return (
    listeners.every(isSettled) && netnsIdOf(interfaces, options.hostLinks) === netnsId && stillOpen(host, listeners)
  );
}

/** Throws `gone` unless the process is still there and, as far as its cgroup tells, still one of the container's. */
function assertContainer(host: Host, containerId: string, pid: number): void {
  if (!Number.isSafeInteger(pid) || pid <= 0) throw new HostError('gone', `${containerId.slice(0, 12)} has no process`);
  const [text] = host.readFiles([`/proc/${pid}/cgroup`]);
  if (text === undefined || text instanceof HostError) {
    const code = text?.code === 'denied' ? 'denied' : 'gone';
    throw new HostError(code, code === 'denied' ? text!.message : "the container's process is gone");
  }
  const ids = parseCgroup(text).map(line => (line.path.includes(containerId) ? containerId : containerIdOf(line.path)));
  if (!ids.includes(containerId) && ids.some(id => id !== undefined)) {
    throw new HostError('gone', `process ${pid} is another container's now`);
  }
}

async function addInterfaces(
  host: Host,
  options: InsideOptions,
  previous: InsideReading | undefined,
  value: InsideReading,
  missing: string[],
): Promise<void> {
  try {
    const known = options.keepListeners ? previous?.interfaces : undefined;
    const { interfaces, missing: incomplete } = await readInterfaces(host, options.pid, known);
    takeInterfaces(value, interfaces, options.hostLinks);
    if (incomplete) missing.push(incomplete);
  } catch (error) {
    if (!(error instanceof HostError)) throw error;
    value.interfacesReason = unreadable(error);
    missing.push(`interfaces: ${value.interfacesReason}`);
  }
}

function takeInterfaces(value: InsideReading, interfaces: InsideInterface[], hostLinks: readonly LinkReading[]): void {
  value.interfaces = interfaces;
  const netnsId = netnsIdOf(interfaces, hostLinks);
  if (netnsId !== undefined) value.netnsId = netnsId;
}

/**
 * The id by which the host's netns knows the container's: what the host ends of its veths say. A link counts when both
 * ends name each other; where they disagree (an interface whose peer is in a third netns may match by chance), none does.
 */
export function netnsIdOf(
  interfaces: readonly InsideInterface[],
  hostLinks: readonly LinkReading[],
): number | undefined {
  const ids = new Set<number>();
  for (const { ifindex, iflink, peerInside } of interfaces) {
    if (peerInside !== false) continue;
    const link = hostLinks.find(each => each.ifindex === iflink && each.kind === 'veth');
    if (link && link.peerIfindex === ifindex && link.peerNetnsId !== undefined) ids.add(link.peerNetnsId);
  }
  return ids.size === 1 ? [...ids][0] : undefined;
}

async function addListeners(
  host: Host,
  options: InsideOptions,
  previous: InsideReading | undefined,
  value: InsideReading,
  missing: string[],
): Promise<void> {
  const exact = options.exact || options.detail;
  if (options.keepListeners && previous?.listeners && !(exact && previous.listeners.some(isUnclear))) {
    const kept = previous.listeners.map(socket => ({ ...socket, processes: undefined }));
    for (const socket of kept) delete socket.processes;
    if (keepKnown(host, kept, previous.listeners).length === 0) {
      value.listeners = kept;
      return;
    }
  }
  // Where it would have to be asked anyway, `ss` alone tells more than the tables, for the same price.
  if (exact && (!previous?.listeners || previous.listeners.some(isUnclear))) {
    value.listeners = await listenersBySs(host, options.pid);
    if (value.listeners) return;
  }
  try {
    const tables = await readSocketTables(host, options.pid);
    if (tables.missing) missing.push(tables.missing);
    keepKnown(host, tables.listeners, previous?.listeners);
    proveV6only(tables.listeners);
    value.listeners = tables.listeners;
  } catch (error) {
    if (!(error instanceof HostError)) throw error;
    value.listenersReason = unreadable(error);
    missing.push(`listeners: ${value.listenersReason}`);
    return;
  }
  const unclear = value.listeners.filter(isUnclear);
  if (exact && unclear.length > 0) {
    // Who may not even see which netns it is cannot enter it.
    const complaint =
      value.netns === undefined ? 'needs root (CAP_SYS_PTRACE)' : await askInside(host, options.pid, unclear);
    if (complaint === undefined) return;
    missing.push(`${v4Question}: ${complaint}`);
    for (const socket of unclear) if (socket.v6only === undefined) socket.v6onlyReason = complaint;
  }
}

/** A wildcard of IPv6 of which is not known whether it takes IPv4 as well. */
function isUnclear(socket: SocketReading): boolean {
  return socket.address === '::' && socket.v6only === undefined;
}

async function enterWithSs(host: Host, pid: number): Promise<SsSocket[]> {
  const args = ['-t', String(pid), '-n', 'ss', '-H', hasCgroup2(host) ? '-tulne' : '-tuln'];
  return ssLines(`nsenter ${args.join(' ')}`, await host.run('nsenter', args, { timeoutMs: 10_000 }));
}

/** The listeners as `ss` in the netns tells them; undefined where it cannot, or not by inode. */
async function listenersBySs(host: Host, pid: number): Promise<SocketReading[] | undefined> {
  if (host.uid !== 0 || !hasCgroup2(host)) return undefined;
  try {
    const lines = await enterWithSs(host, pid);
    if (lines.some(({ inode }) => inode === undefined)) return undefined;
    // No line at all is believed only where the kernel counts no socket either.
    if (lines.length === 0 && /inuse [1-9]/.test(readSocketCounts(host, pid, false) ?? 'inuse 1')) return undefined;
    const listeners = lines.map(line => {
      const socket: SocketReading = {
        proto: line.proto,
        family: line.address.includes(':') ? 6 : 4,
        address: line.address,
        port: line.port,
        state: line.state,
        inode: line.inode!,
        uid: line.uid,
      };
      if (line.v6only !== undefined) socket.v6only = line.v6only;
      if (line.device !== undefined) socket.device = line.device;
      if (line.cgroup !== undefined) socket.cgroup = line.cgroup;
      return socket;
    });
    return sortSockets(listeners);
  } catch (error) {
    if (error instanceof HostError) return undefined;
    throw error;
  }
}

/** Learns IPV6_V6ONLY from an `ss` that runs in the netns. @returns why it could not */
async function askInside(host: Host, pid: number, sockets: SocketReading[]): Promise<string | undefined> {
  try {
    const lines = await enterWithSs(host, pid);
    for (const socket of sockets) {
      const same = lines.filter(line =>
        line.inode === undefined ? socketKey(line) === socketKey(socket) : line.inode === socket.inode,
      );
      const [first] = same;
      if (first?.v6only !== undefined && same.every(line => line.v6only === first.v6only)) socket.v6only = first.v6only;
    }
    return sockets.some(isUnclear) ? 'ss, run in its netns, does not tell' : undefined;
  } catch (error) {
    if (!(error instanceof HostError)) throw error;
    // setns(2): CAP_SYS_ADMIN in the user namespaces of both.
    return /Operation not permitted/.test(error.message) ? 'needs root (CAP_SYS_ADMIN)' : error.message;
  }
}

async function addProcesses(
  host: Host,
  options: InsideOptions,
  value: InsideReading,
  missing: string[],
): Promise<void> {
  try {
    const outcome = await containerProcesses(host, options, options.previous?.processes);
    value.processes = outcome.value;
    if (outcome.missing) missing.push(outcome.missing);
  } catch (error) {
    if (!(error instanceof HostError)) throw error;
    value.processesReason = unreadable(error);
    missing.push(`processes: ${value.processesReason}`);
    return;
  }
  const pids = value.processes.map(({ pid }) => pid);
  const left = await findOpeners(host, (value.listeners ?? []).filter(isOwnerless), () => Promise.resolve(pids));
  const hidden = missingRights(host);
  if (hidden && left.length > 0) missing.push(`owners of listeners: ${hidden}`);
  await seekElsewhere(host, options, left, options.fruitless ?? new Map());
}

/**
 * Docker's DNS server for user networks: dockerd opens its sockets in the container's netns, on ephemeral ports, and closes them as the
 * container leaves the network, of which Docker tells.
 */
export const isEmbeddedDns = ({ address, port, processes }: SocketReading): boolean =>
  address === '127.0.0.11' && port >= 1024 && processes === undefined;

const isOwnerless = ({ processes, inode }: SocketReading): boolean => processes === undefined && inode !== 0;

/**
 * Finds out which of the container's processes have the sockets open. Others may have: dockerd has those of the embedded DNS, and a
 * netns may be shared.
 * @returns the sockets that none of them has
 */
async function findOpeners(
  host: Host,
  sockets: readonly SocketReading[],
  processes: () => Promise<readonly number[]>,
): Promise<readonly SocketReading[]> {
  if (sockets.length === 0) return sockets;
  const openers = await scanOpeners(host, new Set(sockets.map(({ inode }) => inode)), await processes());
  for (const socket of sockets) {
    const found = openers.get(socket.inode);
    if (found) socket.processes = orderOpeners(host, found);
  }
  return sockets.filter(isOwnerless);
}

/**
 * Looks for the openers of sockets that none of the container's processes has open among all others, once for each socket: a process
 * of the host that has entered the netns (setns(2)), or one of a container that shares it. Only where what is in the container is told by
 * its cgroup: otherwise one of its own might be taken for somebody else's.
 */
async function seekElsewhere(
  host: Host,
  options: InsideOptions,
  sockets: readonly SocketReading[],
  fruitless: Fruitless,
): Promise<void> {
  const fresh = sockets.filter(({ inode }) => !fruitless.has(inode));
  const others = fresh.filter(socket => !isEmbeddedDns(socket));
  const wanted = others.length > 0 && missingRights(host) === undefined ? others : [];
  const isSure = wanted.length > 0 && (await containerPids(host, options)).complete;
  if (isSure) await findOutsiders(host, wanted);
  for (const socket of fresh.filter(isOwnerless))
    fruitless.set(
      socket.inode,
      isSure && wanted.includes(socket) ? 'no process that may be looked into has it open' : undefined,
    );
  for (const socket of sockets.filter(isOwnerless)) {
    const reason = fruitless.get(socket.inode);
    if (reason !== undefined) socket.processesReason = reason;
  }
}

async function addOpeners(
  host: Host,
  options: InsideOptions,
  value: InsideReading,
  fruitless: Fruitless,
): Promise<void> {
  const wanted = (value.listeners ?? []).filter(socket => isOwnerless(socket) && !fruitless.has(socket.inode));
  try {
    await findOpeners(host, wanted, async () => (await containerPids(host, options)).pids);
    await seekElsewhere(host, options, (value.listeners ?? []).filter(isOwnerless), fruitless);
    const there = new Set(value.listeners?.map(({ inode }) => inode));
    for (const inode of fruitless.keys()) if (!there.has(inode)) fruitless.delete(inode);
    value.openersSought = true;
  } catch (error) {
    // Nobody has asked for them: that its processes cannot be read is told to who looks at it.
    if (!(error instanceof HostError)) throw error;
  }
}
