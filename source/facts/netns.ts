/**
 * The network namespaces of the running containers: who shares one, and what was read inside it.
 */
import type { ContainerReading, InsideReading, NetworkReading, Reading } from '../host/readings.ts';
import { modeIndex, netnsOwner, networkOfEndpoint, type ModeIndex } from './network-mode.ts';

/** One network namespace other than the host's, with the running containers in it. */
export interface Netns {
  /** The container that made it first, then those that joined it. */
  members: ContainerReading[];
  /** What was read inside, through whichever member it was read. */
  inside?: InsideReading;
  /** Why nothing (or not the interfaces) is known of its inside. */
  reason?: string;
}

/** The namespaces, and where each running container is. */
export interface NetnsMap {
  namespaces: Netns[];
  /** By container id; a container in the host's netns, or one that does not run, has no entry. */
  byContainer: ReadonlyMap<string, Netns>;
  /** Ids of the running containers in the host's netns. */
  inHostNetns: ReadonlySet<string>;
}

/** Whether a container has processes now: `paused` ones have. */
export function isRunning(container: Pick<ContainerReading, 'state' | 'pid'>): boolean {
  return container.state === 'running' || container.state === 'paused';
}

/**
 * What was read inside a container, unless that was during an earlier run of it: a restart gives a new namespace with
 * new interfaces, and what the old one had says nothing about it.
 */
export function insideOf(
  container: Pick<ContainerReading, 'id' | 'pid'>,
  inside: Readonly<Record<string, Reading<InsideReading>>>,
): InsideReading | undefined {
  const value = inside[container.id]?.value;
  return value?.pid === container.pid ? value : undefined;
}

/** Why the inside of a running container is not known, in one line. */
export function insideReason(
  container: Pick<ContainerReading, 'id' | 'pid'>,
  inside: Readonly<Record<string, Reading<InsideReading>>>,
): string {
  const reading = inside[container.id];
  if (reading?.value && reading.value.pid !== container.pid) return 'not read again since it was started';
  return reading?.reason ?? 'not read yet';
}

const isOwner = (container: ContainerReading) => !container.networkMode.startsWith('container:');

/** Whether nothing has changed in a namespace. */
const isSame = (a: Netns, b: Netns): boolean =>
  a.inside === b.inside &&
  a.reason === b.reason &&
  a.members.length === b.members.length &&
  a.members.every((member, place) => member === b.members[place]);

/**
 * Groups the running containers by the network namespace they are in.
 * @param before the map of the moment before, whose namespaces keep their identity where nothing changed in them
 */
export function mapNetns(
  containers: readonly ContainerReading[],
  inside: Readonly<Record<string, Reading<InsideReading>>>,
  index: ModeIndex,
  before?: NetnsMap,
): NetnsMap {
  const byKey = new Map<string, Netns>();
  const byContainer = new Map<string, Netns>();
  const inHostNetns = new Set<string>();

  const inodeOf = (container: ContainerReading) => insideOf(container, inside)?.netns;
  const ownKey = (container: ContainerReading): string => {
    const inode = inodeOf(container);
    return inode === undefined ? container.id : `inode ${inode}`;
  };
  const keyOf = (container: ContainerReading): string => {
    const owner = netnsOwner(container, index);
    if (owner === undefined || owner === container || !isRunning(owner)) return ownKey(container);
    if (inodeOf(container) !== undefined && inodeOf(owner) !== undefined) return ownKey(container);
    // One that joined before its partner's current run is still in the namespace of the run before.
    const hasJoined = (container.startedAt ?? 0) >= (owner.startedAt ?? 0);
    return hasJoined ? ownKey(owner) : ownKey(container);
  };

  const running = containers.filter(isRunning);
  for (const container of [...running.filter(isOwner), ...running.filter(item => !isOwner(item))]) {
    if (netnsOwner(container, index)?.networkMode === 'host') {
      inHostNetns.add(container.id);
      continue;
    }
    const key = keyOf(container);
    const netns = byKey.get(key) ?? { members: [] };
    byKey.set(key, netns);
    byContainer.set(container.id, netns);
    netns.members.push(container);
    const value = insideOf(container, inside);
    if (value && (!netns.inside || (!netns.inside.interfaces && value.interfaces))) netns.inside = value;
  }
  for (const [key, netns] of byKey) {
    const [first] = netns.members;
    if (!netns.inside?.interfaces) {
      netns.reason = netns.inside?.interfacesReason ?? (first ? insideReason(first, inside) : undefined);
    }
    const last = first && before?.byContainer.get(first.id);
    if (!last || !isSame(last, netns)) continue;
    byKey.set(key, last);
    for (const { id } of netns.members) byContainer.set(id, last);
  }
  return { namespaces: [...byKey.values()], byContainer, inHostNetns };
}

/**
 * Whether somebody may have written rules in the netns of these containers: one of them that has the right, or Docker, which closes all
 * ports of a task on the ingress network but those that its service publishes (libnetwork, service_linux.go: `addRedirectRules`).
 */
export function mayHaveRules(members: readonly ContainerReading[], index: ModeIndex): boolean {
  return members.some(
    ({ mayChangeRules, endpoints }) =>
      mayChangeRules === true || endpoints.some(endpoint => networkOfEndpoint(endpoint, index)?.ingress === true),
  );
}

/**
 * Ids of the containers through which the rules of a netns are to be read since there may be some (`mayHaveRules`): the one that made
 * the netns, or, where that is not known, the one itself. The host's netns is not among them.
 */
export function ruleWriters(
  containers: readonly ContainerReading[],
  networks: readonly NetworkReading[],
): ReadonlySet<string> {
  const index = modeIndex(containers, networks);
  if (!mayHaveRules(containers, index)) return new Set();
  const { namespaces } = mapNetns(containers, {}, index);
  return new Set(
    namespaces.flatMap(({ members }) => (members[0] && mayHaveRules(members, index) ? [members[0].id] : [])),
  );
}
