/** What /proc/<pid> says of one process (proc_pid_stat(5), proc_pid_cgroup(5)). */

/** The fields of /proc/<pid>/stat that netdash uses. */
export interface StatReading {
  pid: number;
  name: string;
  state: string;
  ppid: number;
  startTicks: number;
}

/** /proc/<pid>/stat; undefined when it is not understood. The name stands in brackets and may itself hold any of `( )` and spaces. */
export function parseStat(text: string): StatReading | undefined {
  const open = text.indexOf('(');
  const close = text.lastIndexOf(')');
  if (open < 0 || close < open) return undefined;
  const fields = text
    .slice(close + 1)
    .trim()
    .split(/\s+/);
  const reading = {
    pid: Number.parseInt(text, 10),
    name: text.slice(open + 1, close),
    state: fields[0] ?? '',
    ppid: Number(fields[1]),
    // Field 22; `fields` begins with field 3.
    startTicks: Number(fields[19]),
  };
  return [reading.pid, reading.ppid, reading.startTicks].every(Number.isInteger) ? reading : undefined;
}

/** The arguments in /proc/<pid>/cmdline: NUL after each; a process that rewrote its title may have none. */
export function parseCmdline(text: string): string[] {
  if (text === '') return [];
  return text.replace(/\0+$/, '').split('\0');
}

/** The effective uid in /proc/<pid>/status (`Uid: real effective saved fs`). */
export function parseUid(status: string): number | undefined {
  const digits = /^Uid:\s+\d+\s+(\d+)/m.exec(status)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

/** A line of /proc/<pid>/cgroup: cgroup v2 has no controllers. */
export interface CgroupLine {
  controllers: string[];
  path: string;
}

/** /proc/<pid>/cgroup, `hierarchy:controllers:path` (cgroups(7)). */
export function parseCgroup(text: string): CgroupLine[] {
  const lines: CgroupLine[] = [];
  for (const line of text.split('\n')) {
    const match = /^\d+:([^:]*):(\/.*)$/.exec(line);
    if (match) lines.push({ controllers: match[1] === '' ? [] : match[1]!.split(','), path: match[2]! });
  }
  return lines;
}

/** The one path that says most: cgroup v2's, or, where that is the root, the first of v1 that is not. */
export function cgroupPath(lines: readonly CgroupLine[]): string {
  const unified = lines.find(line => line.controllers.length === 0)?.path;
  if (unified !== undefined && unified !== '/') return unified;
  return lines.find(line => line.path !== '/')?.path ?? unified ?? '/';
}

/**
 * The container a cgroup path belongs to: `/docker/<id>`, `/system.slice/docker-<id>.scope`, `/kubepods/…/<id>`, each
 * with more around it. The last 64 hex digits that stand alone: with containers in containers, the innermost.
 */
export function containerIdOf(path: string): string | undefined {
  return [...path.matchAll(/(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])/g)].at(-1)?.[0];
}

/**
 * The systemd unit that a cgroup path names (systemd's own rule, cg_path_get_unit): below slices, the first service,
 * scope, socket, mount or swap; within `user@N.service`, the user's own unit. undefined in a container's scope, where
 * there is none.
 */
export function unitOf(path: string): string | undefined {
  if (containerIdOf(path) !== undefined) return undefined;
  let unit: string | undefined;
  for (const part of path.split('/')) {
    if (part === '' || part.endsWith('.slice')) continue;
    if (!/^.+\.(service|scope|socket|mount|swap)$/.test(part)) {
      if (unit !== undefined) break;
      continue;
    }
    unit = part;
    if (!/^user@\d+\.service$/.test(part)) break;
  }
  // `_` shields a name that would otherwise look like a file of cgroupfs.
  return unit?.replace(/^_/, '');
}
