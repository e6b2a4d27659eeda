/**
 * Podman speaks Docker's language (`podman system service`), but does not say in it which bridge a network has. Its own
 * language does: `GET /libpod/networks/json`, `network_interface` (docs.podman.io, API reference; since 4.0).
 */
import { HostError, type Host } from './host.ts';
import { array, object, text } from './json.ts';
import type { NetworkReading } from './readings.ts';

/** The lowest version of its own language that Podman 4 and 5 answer to. */
const path = '/v4.0.0/libpod/networks/json';

/** Whether Podman made the network, by how it gives out addresses: Docker has no driver options there. */
export function isPodmans(network: Record<string, unknown>): boolean {
  return text(object(object(network['IPAM'])['Options'])['driver']) === 'host-local';
}

/**
 * Networks with the bridges that Podman says they have; those of Docker as they are, without a question.
 * @returns new objects where something is added; `bridge` stays '' where Podman does not answer
 */
export async function withBridges(host: Host, networks: NetworkReading[]): Promise<NetworkReading[]> {
  if (!networks.some(({ bridge }) => bridge === '')) return networks;
  let answer: unknown;
  try {
    answer = await host.docker.get(path);
  } catch (error) {
    if (error instanceof HostError) return networks;
    throw error;
  }
  const bridges = new Map(
    array(answer).map(item => [text(object(item)['id']), text(object(item)['network_interface'])]),
  );
  return networks.map(network =>
    network.bridge === '' ? { ...network, bridge: bridges.get(network.id) ?? '' } : network,
  );
}
