/** What a lab that has ended may not have left behind. */
import { existsSync, readFileSync, readdirSync, readlinkSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';

/** How a lab can be recognised from outside while and after it runs. */
export interface Traces {
  dir: string;
  /** Its namespaces as `/proc/PID/ns` shows them, such as `net:[4026532177]`. */
  namespaces: string[];
}

const attempt = <T>(read: () => T): T | undefined => {
  try {
    return read();
  } catch {
    return undefined;
  }
};

const kinds = ['net', 'mnt', 'pid', 'uts', 'ipc'];

const namespacesOf = (pid: string): string[] =>
  kinds.map(kind => attempt(() => readlinkSync(`/proc/${pid}/ns/${kind}`)) ?? '').filter(Boolean);

const processes = (): string[] => readdirSync('/proc').filter(entry => /^\d+$/.test(entry));

/** Takes down what to look for, while the lab in that folder runs: every namespace that a process of it has, and the neighbour's. */
export const tracesOf = (dir: string): Traces => {
  const init = readFileSync(join(dir, 'init.pid'), 'utf8').trim();
  const home = readlinkSync(`/proc/${init}/ns/pid`);
  const inside = processes().filter(pid => attempt(() => readlinkSync(`/proc/${pid}/ns/pid`)) === home);
  const neighbour = statSync(`/proc/${init}/root/run/netns/lan`).ino;
  const own = new Set(namespacesOf('self'));
  const all = new Set([...inside.flatMap(namespacesOf), `net:[${neighbour}]`]);
  return { dir, namespaces: [...all].filter(name => !own.has(name)) };
};

/** When a process started, in ms since the epoch (proc(5): `starttime` in hundredths of a second, `btime` in seconds). */
const startOf = (pid: string): number => {
  const stat = attempt(() => readFileSync(`/proc/${pid}/stat`, 'utf8')) ?? '';
  const ticks = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]);
  const booted = Number(/^btime (\d+)$/m.exec(readFileSync('/proc/stat', 'utf8'))?.[1]);
  return booted * 1000 + ticks * 10;
};

/**
 * A line for each thing of the lab that is still there; empty when nothing is.
 * @param endedAt when it was ended: what starts later belongs to others, for whom the kernel uses numbers of namespaces again
 */
export const leftovers = ({ dir, namespaces }: Traces, endedAt = Date.now()): string[] => {
  const name = basename(dir);
  const found: string[] = [];
  if (existsSync(dir)) found.push(`folder ${dir}`);
  for (const pid of processes()) {
    const command = attempt(() => readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')) ?? '';
    const inside = namespacesOf(pid).filter(namespace => namespaces.includes(namespace));
    const isLater = startOf(pid) > endedAt + 1000;
    if (command.includes(name) || (inside.length > 0 && !isLater))
      found.push(`process ${pid} ${command}${inside.join(' ')}`);
  }
  for (const mount of readFileSync('/proc/self/mountinfo', 'utf8').split('\n')) {
    if (mount.includes(name) || namespaces.some(namespace => mount.includes(namespace))) found.push(`mount ${mount}`);
  }
  const cgroups = '/sys/fs/cgroup';
  for (const folder of [cgroups, ...(attempt(() => readdirSync(cgroups)) ?? []).map(entry => join(cgroups, entry))]) {
    if (existsSync(join(folder, name))) found.push(`cgroup ${join(folder, name)}`);
  }
  return found;
};
