/** Whether and where Docker publishes a container's ports, by its network mode and networks. */
import type { ContainerReading, NetworkReading } from '../host/readings.ts';

/**
 * - `publishes`: through one of `networks`
 * - `ignored`: Docker keeps the request and maps nothing, without an error; `reason` ends a sentence "…, which has no
 *   published ports"
 * - `detached`: it runs, but has no network at all
 * - `unknown`: it hangs on a network that is not listed, or on a plugin's driver
 */
export type Publishing =
  | { kind: 'publishes'; networks: NetworkReading[] }
  | { kind: 'ignored'; reason: string }
  | { kind: 'detached' }
  | { kind: 'unknown'; reason: string };

/** Is it running in the sense that its netns exists: running or paused. */
export const isUp = (container: Pick<ContainerReading, 'state'>): boolean =>
  container.state === 'running' || container.state === 'paused';

/** Finds a network by id or name, as `HostConfig.NetworkMode` and endpoints refer to it; `default` is `bridge`. */
export function findNetwork(networks: readonly NetworkReading[], nameOrId: string): NetworkReading | undefined {
  const wanted = nameOrId === 'default' || nameOrId === '' ? 'bridge' : nameOrId;
  return networks.find(network => network.id === wanted) ?? networks.find(network => network.name === wanted);
}

/** How a gateway mode option of a bridge network reads; `nat` when it is not set. */
export const gatewayMode = (network: NetworkReading, family: 4 | 6): string =>
  network.options[`com.docker.network.bridge.gateway_mode_ipv${family}`] ?? 'nat';

/** Judges a container's network mode and networks. */
export function publishingOf(container: ContainerReading, networks: readonly NetworkReading[]): Publishing {
  const mode = container.networkMode;
  if (mode === 'host') return { kind: 'ignored', reason: 'the host network' };
  if (mode === 'none') return { kind: 'ignored', reason: 'the network none' };
  if (mode.startsWith('container:')) return { kind: 'ignored', reason: "another container's netns" };
  const names = container.endpoints.map(endpoint => endpoint.networkId ?? endpoint.network);
  if (names.length === 0) {
    if (isUp(container)) return { kind: 'detached' };
    names.push(mode);
  }
  const found = names.map(name => ({ name, network: findNetwork(networks, name) }));
  const publishing: NetworkReading[] = [];
  const reasons: string[] = [];
  let unknown: string | undefined;
  for (const { name, network } of found) {
    if (network === undefined) unknown = `network ${name.slice(0, 32)} is not listed`;
    else if (network.driver === 'macvlan' || network.driver === 'ipvlan')
      reasons.push(`the ${network.driver} network ${network.name}`);
    else if (network.driver === 'host' || network.driver === 'null') reasons.push(`the ${network.name} network`);
    else if (network.driver !== 'bridge' && network.driver !== 'overlay')
      unknown = `driver ${network.driver} is a plugin`;
    else if (network.internal) reasons.push(`the internal network ${network.name}`);
    else publishing.push(network);
  }
  if (publishing.length > 0) return { kind: 'publishes', networks: publishing };
  if (unknown !== undefined) return { kind: 'unknown', reason: unknown };
  return { kind: 'ignored', reason: reasons.join(' and ') };
}
