/** Where the kernel lists the processes of a container: its cgroup's folder (cgroups(7), `cgroup.procs`). */
import { HostError, type Host } from './host.ts';
import { parseCgroup, type CgroupLine } from './proc-pid.ts';

/** A mounted cgroup hierarchy, from /proc/self/mountinfo (proc_pid_mountinfo(5)). */
export interface CgroupMount {
  folder: string;
  /** The path within the hierarchy that is mounted there; `/` unless only a part of it is. */
  root: string;
  /** Empty for cgroup v2; `name=systemd` for a named hierarchy, as in /proc/<pid>/cgroup. */
  controllers: string[];
}

/** The cgroup hierarchies among the mounts. */
export function parseCgroupMounts(mountinfo: string): CgroupMount[] {
  const mounts: CgroupMount[] = [];
  for (const line of mountinfo.split('\n')) {
    const [before, after] = line.split(' - ');
    const fields = before?.split(' ') ?? [];
    const [type, , options = ''] = after?.split(' ') ?? [];
    if (fields[4] === undefined || (type !== 'cgroup' && type !== 'cgroup2')) continue;
    mounts.push({
      folder: unescapeMount(fields[4]),
      root: unescapeMount(fields[3]!),
      controllers: type === 'cgroup2' ? [] : options.split(',').filter(option => option !== 'rw' && option !== 'ro'),
    });
  }
  return mounts;
}

/** Spaces, tabs, newlines and backslashes stand in mountinfo as octal escapes. */
function unescapeMount(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}

/** The folders, as this mount namespace has them, of the cgroups a process is in; the most telling hierarchy first. */
export function cgroupFolders(mounts: readonly CgroupMount[], lines: readonly CgroupLine[]): string[] {
  const folders: string[] = [];
  for (const line of [...lines].sort((a, b) => a.controllers.length - b.controllers.length)) {
    // A path above the root of this cgroup namespace has no folder here.
    if (line.path === '/' || line.path.split('/').includes('..')) continue;
    for (const mount of mounts) {
      const same =
        line.controllers.length === 0
          ? mount.controllers.length === 0
          : line.controllers.some(controller => mount.controllers.includes(controller));
      if (!same) continue;
      const root = mount.root === '/' ? '' : mount.root;
      if (line.path !== root && !line.path.startsWith(`${root}/`)) continue;
      folders.push(mount.folder + line.path.slice(root.length));
    }
  }
  return folders;
}

/** Files of a cgroup's folder, which are no cgroups below it: `cgroup.procs`, `memory.max`, `tasks`… */
const cgroupFile =
  /^(?:tasks|notify_on_release|release_agent|(?:cgroup|cpu|cpuset|cpuacct|memory|io|blkio|pids|devices|freezer|hugetlb|net_cls|net_prio|perf_event|rdma|misc|irq|dmem)\..+)$/;
/** Beyond this many cgroups below one container, the rest is not looked at. */
const maximumCgroups = 500;

/** The pids in a cgroup and all below it. @throws HostError when the folder itself cannot be read */
async function pidsBelow(host: Host, folder: string): Promise<{ pids: number[]; complete: boolean }> {
  const pids: number[] = [];
  const folders = [folder];
  for (let index = 0; index < folders.length; index += 1) {
    const here = folders[index]!;
    const [procs] = host.readFiles([`${here}/cgroup.procs`]);
    if (procs === undefined || procs instanceof HostError) {
      if (index === 0) throw procs ?? new HostError('failed', `${here}: nothing read`);
      continue;
    }
    pids.push(
      ...procs
        .split('\n')
        .filter(line => /^[1-9]\d*$/.test(line))
        .map(Number),
    );
    const names = await host.list(here).catch(() => []);
    const below = names.filter(name => !cgroupFile.test(name)).map(name => `${here}/${name}`);
    folders.push(...below.slice(0, Math.max(0, maximumCgroups - folders.length)));
  }
  return { pids, complete: folders.length < maximumCgroups };
}

/** A process and its descendants, by /proc/<pid>/task/<pid>/children (CONFIG_PROC_CHILDREN). Those that were handed to another parent are missed. */
function descendants(host: Host, pid: number): number[] {
  const pids = new Set([pid]);
  // A Set hands out in a loop also what is added during it.
  for (const each of pids) {
    const [children] = host.readFiles([`/proc/${each}/task/${each}/children`]);
    if (typeof children !== 'string') continue;
    for (const child of children.split(' ')) if (/^[1-9]\d*$/.test(child)) pids.add(Number(child));
  }
  return [...pids];
}

const mountsOf = new WeakMap<Host, readonly CgroupMount[]>();

/**
 * The cgroup hierarchies that are mounted, as they were when last read, and then as they are now: a Docker host has hundreds of mounts, hardly
 * any of them of cgroups. That a process stands in the folder that was found is for the caller to see.
 */
function* mountTables(host: Host): Generator<readonly CgroupMount[]> {
  const known = mountsOf.get(host);
  if (known) yield known;
  const [mountinfo] = host.readFiles(['/proc/self/mountinfo']);
  const mounts = typeof mountinfo === 'string' ? parseCgroupMounts(mountinfo) : [];
  mountsOf.set(host, mounts);
  yield mounts;
}

/**
 * Every process of the container that `pid` is a process of, ascending, and whether that is certain to be all of them
 * (a walk from parent to child misses processes started by `docker exec`). Only a cgroup that has the container's id in
 * its path is the container's alone: rootless Docker on cgroup v1 leaves it in the one that the daemon was started in.
 * @throws HostError gone, when that process has ended
 */
export async function containerPids(
  host: Host,
  { containerId, pid }: { containerId: string; pid: number },
): Promise<{ pids: number[]; complete: boolean }> {
  const [cgroup] = host.readFiles([`/proc/${pid}/cgroup`]);
  if (cgroup instanceof HostError) throw cgroup;
  const own = parseCgroup(cgroup ?? '').filter(({ path }) => path.includes(containerId));
  for (const mounts of mountTables(host)) {
    for (const folder of cgroupFolders(mounts, own)) {
      try {
        const { pids, complete } = await pidsBelow(host, folder);
        if (pids.includes(pid)) return { pids: [...new Set(pids)].sort((a, b) => a - b), complete };
      } catch (error) {
        if (!(error instanceof HostError)) throw error;
      }
    }
  }
  return { pids: descendants(host, pid).sort((a, b) => a - b), complete: false };
}
