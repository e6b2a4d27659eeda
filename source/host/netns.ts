/** Network namespaces and who is in which (namespaces(7)). */
import type { Host, HostError } from './host.ts';

function inodeOf(link: string | HostError | undefined): number | undefined {
  const digits = typeof link === 'string' ? /^net:\[(\d+)\]$/.exec(link)?.[1] : undefined;
  return digits === undefined ? undefined : Number(digits);
}

/** The inode of a process's netns; undefined when it may not be read (that needs CAP_SYS_PTRACE) or the process is gone. */
export function netnsOf(host: Host, pid: number): number | undefined {
  return inodeOf(host.readLinks([`/proc/${pid}/ns/net`])[0]);
}

/** The inode of the netns that netdash runs in, which it takes for the host's. */
export function hostNetns(host: Host): number | undefined {
  return inodeOf(host.readLinks(['/proc/self/ns/net'])[0]);
}

/** Whether a process is in the netns that netdash runs in. Who may not follow /proc/<pid>/ns goes by the interfaces that both see. */
export function sharesHostNetns(host: Host, pid: number): boolean {
  const ours = hostNetns(host);
  const theirs = netnsOf(host, pid);
  if (ours !== undefined && theirs !== undefined) return ours === theirs;
  const [here, there] = host.readFiles(['/proc/self/net/igmp', `/proc/${pid}/net/igmp`]);
  return typeof here === 'string' && typeof there === 'string' && lastingInterfaces(here) === lastingInterfaces(there);
}

/** Index and name of the interfaces in /proc/net/igmp, without veths: those come and go between two reads. */
function lastingInterfaces(igmp: string): string {
  return igmp
    .split('\n')
    .map(line => /^(\d+)\s+(\S+)/.exec(line))
    .filter(match => match !== null && !match[2]!.startsWith('veth'))
    .map(match => `${match![1]} ${match![2]}`)
    .join('\n');
}
