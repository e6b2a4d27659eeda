/** Which processes have a socket open, and whether everything about that may be known. */
import { setImmediate as breathe } from 'node:timers/promises';
import { HostError, type Host } from './host.ts';
import { parseStat } from './proc-pid.ts';
import type { Opener } from './ss.ts';

/** Bits of CapEff in /proc/self/status (capabilities(7)). */
const CAP_DAC_OVERRIDE = 1n << 1n;
const CAP_DAC_READ_SEARCH = 1n << 2n;
const CAP_SYS_PTRACE = 1n << 19n;
/** The inode of the PID namespace that the kernel boots with (PROC_PID_INIT_INO, include/linux/proc_ns.h). */
const initialPidNamespace = 'pid:[4026531836]';

/** Why netdash may not look into the processes of others; undefined when it may. */
export function missingRights(host: Host): string | undefined {
  const [status] = host.readFiles(['/proc/self/status']);
  const digits = typeof status === 'string' ? /^CapEff:\s*([0-9a-f]+)$/im.exec(status)?.[1] : undefined;
  if (digits === undefined) return host.uid === 0 ? undefined : 'processes of other users need root';
  const capabilities = BigInt(`0x${digits}`);
  const searches = (capabilities & (CAP_DAC_OVERRIDE | CAP_DAC_READ_SEARCH)) !== 0n;
  const traces = (capabilities & CAP_SYS_PTRACE) !== 0n;
  if (searches && traces) return undefined;
  return host.uid === 0
    ? 'processes of others need CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH'
    : 'processes of other users need root';
}

/**
 * Why the processes of some sockets of a netns may stay hidden; undefined when every process can be seen, so that a socket
 * without one belongs to the kernel.
 */
export function ownersHidden(host: Host): string | undefined {
  const reason = missingRights(host);
  if (reason !== undefined) return reason;
  const [namespace] = host.readLinks(['/proc/self/ns/pid']);
  return typeof namespace === 'string' && namespace !== initialPidNamespace
    ? 'processes outside the PID namespace that netdash runs in cannot be seen (--pid=host)'
    : undefined;
}

/** The inode in `socket:[123]`, the target of /proc/<pid>/fd/<n> for a socket. */
export function socketInode(link: string | HostError | undefined): number | undefined {
  const digits = typeof link === 'string' ? /^socket:\[(\d+)\]$/.exec(link)?.[1] : undefined;
  return digits === undefined ? undefined : Number(digits);
}

/** Among `pids`, who has the sockets of these inodes open. Processes that may not be looked into, or end meanwhile, are passed over. */
export async function scanOpeners(
  host: Host,
  inodes: ReadonlySet<number>,
  pids: readonly number[],
): Promise<Map<number, Opener[]>> {
  const openers = new Map<number, Opener[]>();
  for (const [index, pid] of pids.entries()) {
    // Thousands of links may follow: leave room for the rest of netdash between them.
    if (index % 16 === 15) await breathe();
    let names: string[];
    try {
      names = await host.list(`/proc/${pid}/fd`);
    } catch {
      continue;
    }
    const links = host.readLinks(names.map(name => `/proc/${pid}/fd/${name}`));
    for (const [at, link] of links.entries()) {
      const inode = socketInode(link);
      if (inode === undefined || !inodes.has(inode)) continue;
      const [comm] = host.readFiles([`/proc/${pid}/comm`]);
      const opener = { pid, fd: Number(names[at]), name: typeof comm === 'string' ? comm.replace(/\n$/, '') : '' };
      openers.set(inode, [...(openers.get(inode) ?? []), opener]);
    }
  }
  return openers;
}

/**
 * A process whose descriptors may not be read although netdash has every capability for it, as a security module can
 * decide; undefined when there is none. A socket without a known process may be that one's.
 */
export async function closedProcess(host: Host): Promise<number | undefined> {
  for (const [index, pid] of (await allPids(host)).entries()) {
    if (index % 16 === 15) await breathe();
    try {
      // A folder may be listed and its links still be closed (ptrace(2), "Ptrace access mode checking").
      const [first] = await host.list(`/proc/${pid}/fd`);
      const [link] = first === undefined ? [] : host.readLinks([`/proc/${pid}/fd/${first}`]);
      if (link instanceof HostError && link.code === 'denied') return pid;
    } catch (error) {
      if (error instanceof HostError && error.code === 'denied') return pid;
    }
  }
  return undefined;
}

/** Every pid there is, ascending. @throws HostError */
export async function allPids(host: Host): Promise<number[]> {
  const names = await host.list('/proc');
  return names
    .filter(name => /^\d+$/.test(name))
    .map(Number)
    .sort((a, b) => a - b);
}

/**
 * The openers of one socket, one entry per process, the first opener first: the lowest pid whose parent does not have it
 * open too. init comes last: with socket activation it merely keeps the socket for the service that has it as well.
 */
export function orderOpeners(host: Host, openers: readonly Opener[]): Opener[] {
  const byPid = new Map<number, Opener>();
  for (const opener of openers) if (!byPid.has(opener.pid)) byPid.set(opener.pid, opener);
  const unique = [...byPid.values()].sort((a, b) => a.pid - b.pid);
  if (unique.length < 2) return unique;
  const stats = host.readFiles(unique.map(({ pid }) => `/proc/${pid}/stat`));
  const rank = new Map(
    unique.map(({ pid }, index) => {
      const text = stats[index];
      const parent = typeof text === 'string' ? parseStat(text)?.ppid : undefined;
      const inherited = parent !== undefined && parent !== 1 && byPid.has(parent);
      return [pid, pid === 1 ? 2 : inherited ? 1 : 0];
    }),
  );
  return unique.sort((a, b) => rank.get(a.pid)! - rank.get(b.pid)! || a.pid - b.pid);
}
