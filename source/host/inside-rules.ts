/** The netfilter rules in a container's netns, read by the same tools as the host's, each entered by `nsenter`. */
import { HostError, type Host } from './host.ts';
import { readNetfilter } from './netfilter/netfilter.ts';
import type { InsideReading } from './readings.ts';

/** The host as a process in another netns sees it: its tools run there, and /proc/net is of there. */
function asSeenBy(host: Host, pid: number): Host {
  return {
    ...host,
    name: host.name,
    readFile: path => host.readFile(path.replace(/^\/proc\/net\//, `/proc/${pid}/net/`)),
    run: (tool, args, options) => host.run('nsenter', ['-t', String(pid), '-n', tool, ...args], options),
  };
}

/**
 * The rules of the netns that a process is in, and why they are not known, or not all. Needs root, without which nothing is
 * run. Never throws.
 */
export async function readInsideRules(host: Host, pid: number): Promise<Pick<InsideReading, 'rules' | 'rulesReason'>> {
  if (host.uid !== 0) return { rulesReason: 'needs root to read them' };
  try {
    const { value, missing } = await readNetfilter(asSeenBy(host, pid));
    return { rules: value, ...(missing !== undefined && { rulesReason: missing }) };
  } catch (error) {
    if (!(error instanceof HostError)) throw error;
    return {
      rulesReason: error.code === 'denied' ? 'needs root (CAP_SYS_ADMIN, CAP_NET_ADMIN) to read them' : error.message,
    };
  }
}
