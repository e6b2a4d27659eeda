/** The processes that matter: who they are, which container or unit they belong to, and which of them are docker-proxies. */
import { setImmediate as breathe } from 'node:timers/promises';
import { containerPids } from './cgroups.ts';
import { parseProxy } from './docker-proxy.ts';
import { HostError, type Host } from './host.ts';
import { sharesHostNetns } from './netns.ts';
import {
  cgroupPath,
  containerIdOf,
  parseCgroup,
  parseCmdline,
  parseStat,
  parseUid,
  unitOf,
  type StatReading,
} from './proc-pid.ts';
import type { Outcome, ProcessesReading, ProcessReading, ProxyReading } from './readings.ts';
import { allPids } from './socket-owners.ts';

/** Which processes are read. */
export interface ProcessesOptions {
  /** Processes to tell about, in any order; those that have ended are left out of the reading. */
  pids: readonly number[];
  /** The reading before: of a process that is still the same, only /proc/<pid>/stat is read again. */
  previous?: ProcessesReading;
  /**
   * Whether to look through all processes for docker-proxies, beyond `pids`. Without it, that is done where sockets do not
   * lead to them: by anyone but root, and where SCTP ports are in use, whose sockets are in none of the tables.
   */
  searchProxies?: boolean;
}

/**
 * Processes by pid, and every docker-proxy of the netns that netdash runs in, with what started it.
 * @throws HostError when /proc cannot be read at all
 */
export async function readProcesses(host: Host, options: ProcessesOptions): Promise<Outcome<ProcessesReading>> {
  const known = options.previous?.processes ?? {};
  const pids = new Set(options.pids);
  const hidden: number[] = [];
  const search = options.searchProxies ?? (host.uid !== 0 || hasSctpListeners(host));
  if (search) for (const pid of await findProxies(host, options.previous)) pids.add(pid);
  const processes: Record<number, ProcessReading> = {};
  for (const process of describe(host, [...pids], known, hidden)) processes[process.pid] = process;
  const proxies: ProxyReading[] = [];
  for (const process of Object.values(processes)) {
    const proxy = mayBeProxy(process, host.uid) ? proxyOf(process) : undefined;
    if (proxy) proxies.push(proxy);
  }
  // Whose they are, where more than one daemon runs here.
  const parents = new Set(proxies.map(({ pid }) => processes[pid]!.ppid).filter(pid => !processes[pid]));
  for (const process of describe(host, [...parents], known, hidden)) processes[process.pid] = process;
  const value = { processes, proxies };
  return hidden.length > 0 ? { value, missing: `${hidden.length} processes are hidden from this user` } : { value };
}

const parsed = new WeakMap<ProcessReading, { proxy: ProxyReading | undefined }>();

/** The docker-proxy that a process is by its command line, which stays as long as the process. */
function proxyOf(process: ProcessReading): ProxyReading | undefined {
  const known = parsed.get(process) ?? { proxy: parseProxy(process.pid, process.cmdline) };
  parsed.set(process, known);
  return known.proxy;
}

/**
 * A process writes into its command line what it likes. Docker's own proxies run as root, or for rootless Docker as the
 * user who looks, and in no container.
 */
function mayBeProxy({ uid, containerId }: ProcessReading, ownUid: number): boolean {
  return containerId === undefined && (uid === 0 || uid === ownUid);
}

/**
 * The processes of a container, by the cgroup of its first process.
 * @param container its id, and the host pid of that process
 * @returns `missing` when some may not have been found
 * @throws HostError gone, when that process has ended
 */
export async function containerProcesses(
  host: Host,
  container: { containerId: string; pid: number },
  previous: readonly ProcessReading[] = [],
): Promise<Outcome<ProcessReading[]>> {
  const { pids, complete } = await containerPids(host, container);
  const value = describe(host, pids, Object.fromEntries(previous.map(each => [each.pid, each])), []);
  if (complete) return { value };
  return { value, missing: "the container's cgroup is not visible here: only the descendants of its first process" };
}

function describe(
  host: Host,
  pids: readonly number[],
  known: Readonly<Record<number, ProcessReading>>,
  hidden: number[],
): ProcessReading[] {
  const stats = host.readFiles(pids.map(pid => `/proc/${pid}/stat`));
  const processes: ProcessReading[] = [];
  for (const [index, pid] of pids.entries()) {
    const text = stats[index];
    if (text instanceof HostError) {
      if (text.code === 'denied') hidden.push(pid);
      continue;
    }
    const stat = parseStat(text ?? '');
    if (!stat) continue;
    const before = known[pid];
    // The start time tells a reused pid, the name most programs that took the place of another with exec.
    const same = before?.startTicks === stat.startTicks && before.name === stat.name && before.ppid === stat.ppid;
    const process = same ? before : readProcess(host, pid, stat);
    if (process) processes.push(process);
  }
  return processes;
}

/** undefined when it ended while it was read. */
function readProcess(host: Host, pid: number, stat: StatReading): ProcessReading | undefined {
  const [cmdline, cgroup, status] = host.readFiles([
    `/proc/${pid}/cmdline`,
    `/proc/${pid}/cgroup`,
    `/proc/${pid}/status`,
  ]);
  const uid = typeof status === 'string' ? parseUid(status) : undefined;
  if (typeof cmdline !== 'string' || typeof cgroup !== 'string' || uid === undefined) return undefined;
  const path = cgroupPath(parseCgroup(cgroup));
  const process: ProcessReading = {
    pid,
    ppid: stat.ppid,
    name: stat.name,
    cmdline: parseCmdline(cmdline),
    cgroup: path,
    uid,
    startTicks: stat.startTicks,
  };
  const containerId = containerIdOf(path);
  if (containerId !== undefined) process.containerId = containerId;
  const unit = unitOf(path);
  if (unit !== undefined) process.unit = unit;
  return process;
}

function hasSctpListeners(host: Host): boolean {
  const [endpoints] = host.readFiles(['/proc/self/net/sctp/eps']);
  return typeof endpoints === 'string' && endpoints.trim().split('\n').length > 1;
}

/** The docker-proxies of this netns among all processes. */
async function findProxies(host: Host, previous: ProcessesReading | undefined): Promise<number[]> {
  const before = new Set(previous?.proxies.map(proxy => proxy.pid));
  const found: number[] = [];
  for (const [index, pid] of (await allPids(host)).entries()) {
    if (index % 64 === 63) await breathe();
    const [cmdline] = host.readFiles([`/proc/${pid}/cmdline`]);
    if (typeof cmdline !== 'string' || !parseProxy(pid, parseCmdline(cmdline))) continue;
    if (before.has(pid) || sharesHostNetns(host, pid)) found.push(pid);
  }
  return found;
}
