/** What the command line of the daemon itself says, where it is certain which process that is. */
import type { Host } from './host.ts';
import { parseCmdline } from './proc-pid.ts';
import { scanOpeners } from './socket-owners.ts';

/** Where dockerd writes its pid, unless it is told otherwise (`--pidfile`). */
const pidFile = '/run/docker.pid';

/** As the kernel has a socket's path is how it was bound: /var/run is a link to /run. */
const plainPath = (path: string): string => path.replace(/^\/var\/run\//, '/run/');

/** The inodes of the sockets that listen at a path, in /proc/net/unix (proc_net(5); 00010000 is __SO_ACCEPTCON). */
function listenersAt(path: string, table: string): Set<number> {
  const inodes = table.split('\n').flatMap(line => {
    const [, flags, inode, at] = /^\S+ \S+ \S+ (\S+) \S+ \S+ +(\d+) (\S+)$/.exec(line) ?? [];
    return flags === '00010000' && plainPath(at ?? '') === plainPath(path) ? [Number(inode)] : [];
  });
  return new Set(inodes);
}

/** `--userland-proxy` of a command line, as Go's pflag takes it (the last one counts); undefined where it does not say. */
export function userlandProxyOf(args: readonly string[]): boolean | undefined {
  const [said] = args.filter(arg => /^--userland-proxy(?:=|$)/.test(arg)).slice(-1);
  if (said === undefined) return undefined;
  const [, value = 'true'] = said.split('=');
  if (/^(?:1|t|true)$/i.test(value)) return true;
  return /^(?:0|f|false)$/i.test(value) ? false : undefined;
}

/**
 * Whether the daemon was started with docker-proxies or without. dockerd does not start when its configuration file says it too, so
 * that a word of its command line holds as long as it runs. Only root may see that the process listens where the daemon is asked.
 * @returns undefined where it is not said there (the configuration file may have been changed since), or cannot be read
 */
export async function userlandProxyHere(host: Host): Promise<boolean | undefined> {
  const [, path] = /^unix:\/\/(\/.*)$/.exec(host.docker.endpoint) ?? [];
  if (host.uid !== 0 || path === undefined) return undefined;
  const [said] = host.readFiles([pidFile]);
  const pid = typeof said === 'string' ? Number(said.trim()) : Number.NaN;
  if (!Number.isInteger(pid) || pid <= 0) return undefined;
  const [cmdline] = host.readFiles([`/proc/${pid}/cmdline`]);
  if (typeof cmdline !== 'string') return undefined;
  const [program = '', ...args] = parseCmdline(cmdline);
  const word = program.split('/').at(-1) === 'dockerd' ? userlandProxyOf(args) : undefined;
  if (word === undefined) return undefined;
  // A long table on a host with many containers.
  const [table] = host.readFiles(['/proc/net/unix']);
  if (typeof table !== 'string') return undefined;
  const openers = await scanOpeners(host, listenersAt(path, table), [pid]);
  return openers.size > 0 ? word : undefined;
}
