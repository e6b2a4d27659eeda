/** Who else than a container's own processes has sockets in its netns open. */
import { cgroupPath, parseCgroup } from './proc-pid.ts';
import type { Host } from './host.ts';
import type { SocketReading } from './readings.ts';
import { allPids, orderOpeners, scanOpeners } from './socket-owners.ts';

/** The last search on each host, which the next one waits for: each goes through the descriptors of all processes. */
const searches = new WeakMap<Host, Promise<void>>();

/**
 * Puts on each socket the processes of the machine that have it open, each with the cgroup it is in (/proc/<pid>/cgroup, cgroups(7)).
 * Nothing where none has that may be looked into.
 * @throws HostError when /proc cannot be listed
 */
export async function findOutsiders(host: Host, sockets: readonly SocketReading[]): Promise<void> {
  const search = (searches.get(host) ?? Promise.resolve()).then(() => look(host, sockets));
  searches.set(
    host,
    search.catch(() => undefined),
  );
  await search;
}

async function look(host: Host, sockets: readonly SocketReading[]): Promise<void> {
  const openers = await scanOpeners(host, new Set(sockets.map(({ inode }) => inode)), await allPids(host));
  for (const socket of sockets) {
    const found = orderOpeners(host, openers.get(socket.inode) ?? []).flatMap(opener => {
      const [cgroup] = host.readFiles([`/proc/${opener.pid}/cgroup`]);
      return typeof cgroup === 'string' ? [{ ...opener, cgroup: cgroupPath(parseCgroup(cgroup)) }] : [];
    });
    if (found.length > 0) socket.processes = found;
  }
}
