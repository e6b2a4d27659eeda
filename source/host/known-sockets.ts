/** What is known of sockets without asking anybody again. */
import type { Host } from './host.ts';
import type { SocketReading } from './readings.ts';
import { socketInode } from './socket-owners.ts';

/** What a socket is bound to, as text. */
export function socketKey(socket: { proto: string; address: string; port: number }): string {
  return `${socket.proto} ${socket.address} ${socket.port}`;
}

const isSamePlace = (a: SocketReading, b: SocketReading): boolean =>
  a.port === b.port && a.address === b.address && a.proto === b.proto;

/**
 * Carries over what the reading before knew of each socket, which its inode identifies. Owners are carried while they
 * still have it open under the same descriptor.
 * @param seen tells sockets of which that is seen to elsewhere, so that it is not looked at here
 * @returns the sockets of which nothing could be carried
 */
export function keepKnown(
  host: Host,
  sockets: SocketReading[],
  previous: readonly SocketReading[] | undefined,
  seen: (before: SocketReading) => boolean = () => false,
): SocketReading[] {
  if (!previous || previous.length === 0) return sockets;
  const known = new Map<number, SocketReading>();
  for (const each of previous) if (each.inode !== 0) known.set(each.inode, each);
  const unknown: SocketReading[] = [];
  const paths: string[] = [];
  const checks: { socket: SocketReading; known: SocketReading; from: number; to: number }[] = [];
  for (const socket of sockets) {
    const before = known.get(socket.inode);
    if (!before || !isSamePlace(before, socket)) {
      unknown.push(socket);
      continue;
    }
    if (before.v6only !== undefined) socket.v6only = before.v6only;
    if (before.device !== undefined) socket.device = before.device;
    if (before.cgroup !== undefined) socket.cgroup = before.cgroup;
    if (before.processes === undefined) continue;
    if (seen(before)) {
      socket.processes = before.processes;
      continue;
    }
    const from = paths.length;
    for (const { pid, fd } of before.processes) if (fd !== undefined) paths.push(`/proc/${pid}/fd/${fd}`);
    checks.push({ socket, known: before, from, to: paths.length });
  }
  const links = host.readLinks(paths);
  for (const { socket, known: before, from, to } of checks) {
    const holds = links.slice(from, to).map(link => socketInode(link) === socket.inode);
    const processes = before.processes!.filter((_, index) => holds[index]);
    // The first opener names the owner: when it is gone, the order among the rest is to be found anew.
    if (processes.length === before.processes!.length) socket.processes = before.processes;
    else unknown.push(socket);
  }
  return unknown;
}

/**
 * A TCP wildcard of IPv6 beside an IPv4 listener on the same port must be IPV6_V6ONLY, or bind() would have refused the
 * second one. The exception is SO_REUSEPORT on both, which needs one user for both and is used to have many alike.
 */
export function proveV6only(listeners: readonly SocketReading[]): void {
  const tcp = listeners.filter(({ proto }) => proto === 'tcp');
  for (const socket of tcp) {
    if (socket.v6only !== undefined || socket.address !== '::') continue;
    const samePort = tcp.filter(({ port }) => port === socket.port);
    const twins = samePort.filter(({ family }) => family === 4);
    const alone = samePort.filter(({ address }) => address === '::').length === 1;
    if (twins.some(({ uid }) => uid !== socket.uid) || (twins.length > 0 && alone)) socket.v6only = true;
  }
}
