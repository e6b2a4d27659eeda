/** Rows of listeners: of the host, and inside containers. Whose they are is found in owners.ts. */
import type { ContainerReading, SocketReading } from '../host/readings.ts';
import {
  cgroupOwner,
  containerOfCgroup,
  type Holder,
  holderOf,
  type OwnerIndex,
  ownerOf,
  processOf,
  unitOfCgroup,
} from './owners.ts';
import type { Listener, PortOwner } from './schema.ts';
import { boundAddress } from './walk/address.ts';

/**
 * IPV6_V6ONLY of an IPv6 socket; undefined where that is not known. One that is bound to a v4-mapped address cannot have it: bind()
 * refuses that with EINVAL, and once it is bound the option can no longer be set (inet6_bind, do_ipv6_setsockopt; ipv6(7)).
 */
const v6onlyOf = ({ address, v6only }: SocketReading): boolean | undefined =>
  v6only ?? (boundAddress(address) === address ? undefined : false);

/** Puts a socket and its holder together in a row. `unread` is why its process is not known. */
function row(socket: SocketReading, holder: Holder, index: OwnerIndex, unread?: string): Listener {
  const { process, owner, target } = holder;
  const listener: Listener = {
    proto: socket.proto,
    address: socket.address,
    port: socket.port,
    pid: process?.pid ?? null,
    process: process?.name ?? null,
    owner,
  };
  const why: Record<string, string> = {};
  if (socket.family === 6) {
    const v6only = v6onlyOf(socket);
    listener.v6only = v6only ?? null;
    if (v6only === undefined) {
      why.v6only = socket.v6onlyReason ?? 'only ss, run in this netns, tells it, and has not told';
    }
  }
  if (socket.device !== undefined) listener.device = socket.device;
  const unit = (process && processOf(process, index)?.unit) ?? unitOfCgroup(socket.cgroup);
  if (unit !== undefined) listener.unit = unit;
  if (target) listener.target = target;
  if (!process && socket.processes === undefined) {
    why.pid = socket.processesReason ?? unread ?? 'the process that holds it could not be read';
  }
  if (Object.keys(why).length > 0) listener.unknown = why;
  return listener;
}

/** The row of a socket in the host's netns. */
export function listenerRow(socket: SocketReading, index: OwnerIndex): Listener {
  return row(socket, holderOf(socket, index), index, index.ownersReason);
}

/**
 * The row of a socket inside a container's netns.
 * @param members the running containers that share that netns
 * @param ownPids host pids of their processes, each with its container's id, where those were read
 * @param unread why its process is not known, where it is not
 */
export function insideRow(
  socket: SocketReading,
  members: readonly ContainerReading[],
  ownPids: ReadonlyMap<number, string>,
  index: OwnerIndex,
  unread = 'which process has it open is found out with a second look, by root',
): Listener {
  const [opener] = socket.processes ?? [];
  const process = opener && processOf(opener, index);
  // Docker's DNS server for user networks: dockerd opens its sockets, on ephemeral ports, inside the container's netns.
  const isDns = opener ? opener.name === 'dockerd' : socket.port >= 1024;
  if (socket.address === '127.0.0.11' && isDns) {
    return {
      ...row(socket, { owner: { kind: 'docker', via: 'dockerd' }, process: opener }, index, unread),
      embeddedDns: true,
    };
  }
  // A process of the host that entered the namespace (nsenter), or one of a container that shares it.
  if (opener?.cgroup !== undefined) {
    const owner = cgroupOwner(opener.cgroup, index) ?? { kind: 'process' };
    return row({ ...socket, cgroup: opener.cgroup }, { owner, process: opener }, index, unread);
  }
  const container =
    containerOfCgroup(process?.cgroup ?? socket.cgroup, index) ??
    (opener && index.containersById.get(ownPids.get(opener.pid) ?? ''));
  if (container) return row(socket, { owner: ownerOf(container, 'own'), process: opener }, index, unread);
  // A process of the host that entered the namespace (nsenter) is in no container's cgroup.
  if (process) return row(socket, { owner: { kind: 'process' }, process: opener }, index, unread);
  // Its own processes were looked into, and all others.
  if (socket.processesReason !== undefined && !opener)
    return row(socket, { owner: { kind: 'unknown', reason: socket.processesReason } }, index, unread);
  const [only] = members;
  const owner: PortOwner =
    only && members.length === 1
      ? ownerOf(only, 'own')
      : { kind: 'unknown', reason: `one of ${members.map(member => member.name).join(', ')}, which share a netns` };
  return row(socket, { owner, process: opener }, index, unread);
}

/** How the Ports pane orders listeners. */
const compareRows = (a: Listener, b: Listener): number =>
  a.port - b.port ||
  compare(a.proto, b.proto) ||
  compare(a.address, b.address) ||
  compare(a.device ?? '', b.device ?? '') ||
  (a.pid ?? 0) - (b.pid ?? 0) ||
  compare(String(a.v6only ?? ''), String(b.v6only ?? ''));

/**
 * Orders listeners as the Ports pane lists them and drops rows that say the same twice (SO_REUSEPORT in one process).
 * @param places which of several that say the same comes first; by default as they are given
 */
export function orderListeners(listeners: readonly Listener[], places?: ReadonlyMap<Listener, number>): Listener[] {
  const rows = listeners.toSorted(
    (a, b) => compareRows(a, b) || (places ? (places.get(a) ?? 0) - (places.get(b) ?? 0) : 0),
  );
  return rows.filter((each, place) => place === 0 || compareRows(rows[place - 1]!, each) !== 0);
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
