/**
 * Tells without a walk through the socket tables that the listeners of a netns are those that were last read. As long as the
 * number of sockets stays (`readSocketCounts`), a new listener can only have taken the place of another socket. Where
 * every socket is either an established connection or a listener whose owner is known, both can be looked at: the kernel counts
 * the connections that begin, fail and end (/proc/net/snmp, proc_net(5); RFC 4022), and a listener that was closed is no open
 * file of its owner any more.
 */
import type { Host } from './host.ts';
import type { SocketReading } from './readings.ts';
import { socketInode } from './socket-owners.ts';

/** What of TCP's counters moves when a connection begins, is established or ends. */
const counted = ['ActiveOpens', 'PassiveOpens', 'AttemptFails', 'EstabResets', 'CurrEstab'];

/** The connections of a netns, counted. */
export interface Connections {
  /** TCP sockets that are ESTABLISHED or CLOSE-WAIT, of both families. */
  established: number;
  /** The same text as long as no connection began or ended. */
  text: string;
}

/**
 * The connections of the netns of a process; undefined when the kernel's counters cannot be read.
 * @param pid a pid, or `self`
 */
export function readConnections(host: Host, pid: number | 'self'): Connections | undefined {
  const [file] = host.readFiles([`/proc/${pid}/net/snmp`]);
  if (typeof file !== 'string') return undefined;
  const [names, values] = file
    .split('\n')
    .filter(line => line.startsWith('Tcp: '))
    .map(line => line.split(' '));
  const found = counted.map(name => values?.[names?.indexOf(name) ?? -1]);
  if (!found.every(value => value !== undefined && /^\d+$/.test(value))) return undefined;
  return { established: Number(found.at(-1)), text: found.join(' ') };
}

/**
 * Whether every socket that the kernel counts is an established connection or one of these listeners, each open in processes
 * that are known. Only then does `stillOpen` tell that the listeners are the same.
 * @param counts of `readSocketCounts`, without those in TIME-WAIT
 * @param lasts tells sockets that are known to last, though not whose they are
 */
export function isProvable(
  counts: string | undefined,
  connections: Connections | undefined,
  listeners: readonly SocketReading[],
  lasts: (socket: SocketReading) => boolean = () => false,
): boolean {
  if (counts === undefined || !connections) return false;
  const sum = (proto: 'TCP' | 'UDP') =>
    [...counts.matchAll(new RegExp(`${proto}6?: inuse (\\d+)`, 'g'))].reduce(
      (total, [, value]) => total + Number(value),
      0,
    );
  const tcp = listeners.filter(({ proto }) => proto === 'tcp').length;
  const udp = listeners.length - tcp;
  if (sum('TCP') !== tcp + connections.established || sum('UDP') !== udp) return false;
  return listeners.every(
    socket =>
      lasts(socket) ||
      (socket.inode !== 0 && socket.processes?.length && socket.processes.every(({ fd }) => fd !== undefined)),
  );
}

/** Whether each of these listeners is still an open file of all that had it open. */
export function stillOpen(host: Host, listeners: readonly SocketReading[]): boolean {
  const expected: number[] = [];
  const paths: string[] = [];
  for (const { inode, processes = [] } of listeners) {
    for (const { pid, fd } of processes) {
      paths.push(`/proc/${pid}/fd/${fd}`);
      expected.push(inode);
    }
  }
  return host.readLinks(paths).every((link, index) => socketInode(link) === expected[index]);
}
