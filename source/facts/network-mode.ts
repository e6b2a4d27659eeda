/**
 * The network mode of each container: which kind of network namespace it has and with whom it shares it. Judged from
 * `HostConfig.NetworkMode`, what the container is connected to now, and the drivers of those networks.
 */
import type { ContainerReading, NetworkReading } from '../host/readings.ts';
import type { NetworkMode } from './schema.ts';

/** A container's mode, and whose netns it joined. */
export interface ModeFact {
  mode: NetworkMode;
  /** For `container`: the partner; without a name when no such container exists any more. */
  sharesNetnsWith?: { id: string; name?: string };
  /** Why the mode is only `custom`: its network could not be found. */
  reason?: string;
}

/** Containers and networks by what a `NetworkMode` may call them. */
export interface ModeIndex {
  containersById: ReadonlyMap<string, ContainerReading>;
  containersByName: ReadonlyMap<string, ContainerReading>;
  networksById: ReadonlyMap<string, NetworkReading>;
  networksByName: ReadonlyMap<string, NetworkReading>;
}

/** Indexes containers and networks for `networkMode`. */
export function modeIndex(containers: readonly ContainerReading[], networks: readonly NetworkReading[]): ModeIndex {
  return {
    containersById: new Map(containers.map(container => [container.id, container])),
    containersByName: new Map(containers.map(container => [container.name, container])),
    networksById: new Map(networks.map(network => [network.id, network])),
    networksByName: new Map(networks.map(network => [network.name, network])),
  };
}

/** Finds what Docker finds for a name, an id, or the unambiguous beginning of an id. */
function byNameOrId<T extends { id: string }>(
  text: string,
  byName: ReadonlyMap<string, T>,
  byId: ReadonlyMap<string, T>,
): T | undefined {
  const exact = byId.get(text) ?? byName.get(text);
  if (exact || !/^[0-9a-f]+$/.test(text)) return exact;
  const begun = [...byId.values()].filter(item => item.id.startsWith(text));
  return begun.length === 1 ? begun[0] : undefined;
}

/** The mode that a network of this driver gives (drivers: Docker's own and those of plugins). */
export function modeOfNetwork(network: Pick<NetworkReading, 'name' | 'driver' | 'options'>): NetworkMode {
  switch (network.driver) {
    case 'bridge':
      return network.name === 'bridge' || network.options['com.docker.network.bridge.default_bridge'] === 'true'
        ? 'bridge'
        : 'user-bridge';
    case 'host':
      return 'host';
    case 'null':
      return 'none';
    case 'overlay':
    case 'macvlan':
    case 'ipvlan':
      return network.driver;
    default:
      return 'custom';
  }
}

/** The network of an endpoint: by id, which a network keeps when another takes its name, else by name. */
export function networkOfEndpoint(
  endpoint: { network: string; networkId?: string },
  index: Pick<ModeIndex, 'networksById' | 'networksByName'>,
): NetworkReading | undefined {
  return endpoint.networkId === undefined
    ? byNameOrId(endpoint.network, index.networksByName, index.networksById)
    : index.networksById.get(endpoint.networkId);
}

/**
 * The mode of one container.
 *
 * `HostConfig.NetworkMode` names the network it was created on. Where the container is connected elsewhere instead, that
 * decides: a swarm task has `default` there but hangs on its service's networks, and `docker network disconnect` leaves
 * the old name behind.
 */
export function networkMode(container: ContainerReading, index: ModeIndex): ModeFact {
  const asked = container.networkMode === '' || container.networkMode === 'default' ? 'bridge' : container.networkMode;
  if (asked === 'host' || asked === 'none') return { mode: asked };
  if (asked.startsWith('container:')) {
    const partner = asked.slice('container:'.length);
    const found = byNameOrId(partner, index.containersByName, index.containersById);
    return { mode: 'container', sharesNetnsWith: found ? { id: found.id, name: found.name } : { id: partner } };
  }
  const primary = byNameOrId(asked, index.networksByName, index.networksById);
  const connected = container.endpoints.map(endpoint => networkOfEndpoint(endpoint, index));
  const isOnPrimary =
    container.endpoints.length === 0 ||
    container.endpoints.some(
      (endpoint, i) => endpoint.network === asked || (primary !== undefined && connected[i] === primary),
    );
  if (isOnPrimary && primary) return { mode: modeOfNetwork(primary) };
  if (isOnPrimary && asked === 'bridge') return { mode: 'bridge' };
  const elsewhere = isOnPrimary ? undefined : connected.find(network => network !== undefined);
  if (elsewhere) return { mode: modeOfNetwork(elsewhere) };
  const missing = isOnPrimary ? asked : (container.endpoints[0]?.network ?? asked);
  return {
    mode: 'custom',
    reason: `the network ${missing} is not among Docker's networks, so its driver is not known`,
  };
}

/** Containers by what a `NetworkMode` may call them. */
type ContainerIndex = Pick<ModeIndex, 'containersById' | 'containersByName'>;

/**
 * Follows `container:` to the end.
 * @returns the containers behind a container's `container:`, its partner first and the one with a netns of its own last, and
 * the name or id of the one that no longer exists, which ends them; undefined when they refer to each other in a circle
 */
export function netnsChain(
  container: ContainerReading,
  index: ContainerIndex,
): { partners: ContainerReading[]; missing?: string } | undefined {
  const partners: ContainerReading[] = [];
  let last = container;
  while (last.networkMode.startsWith('container:')) {
    const name = last.networkMode.slice('container:'.length);
    const next = byNameOrId(name, index.containersByName, index.containersById);
    if (next === undefined) return { partners, missing: name };
    if (next === container || partners.includes(next)) return undefined;
    partners.push(next);
    last = next;
  }
  return { partners };
}

/**
 * Whose network namespace a container uses.
 * @returns the container itself when it has its own; undefined when the partner no longer exists or they refer to each
 * other in a circle
 */
export function netnsOwner(container: ContainerReading, index: ContainerIndex): ContainerReading | undefined {
  if (!container.networkMode.startsWith('container:')) return container;
  const chain = netnsChain(container, index);
  return chain?.missing === undefined ? chain?.partners.at(-1) : undefined;
}
