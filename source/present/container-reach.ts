/** How those off this host meet the ports of a container. */
import type { Place } from '../facts/exposure.ts';
import type { Exposures } from '../facts/reachability.ts';
import type { Container } from '../facts/schema.ts';
import { familyOf, isWildcard } from './addresses.ts';
import { publishedOf } from './published.ts';
import { portReach, type PortReach } from './reach.ts';

interface Row {
  container: Container;
  exposures?: Exposures;
}

/** Each of its ports: what it publishes, or what a host-mode container listens on. Empty when it does not run. */
export function reachesOf({ container, exposures }: Row): PortReach[] {
  if (!exposures || (container.state !== 'running' && container.state !== 'paused')) return [];
  const places = container.networkMode === 'host' ? ownPlaces(container) : publishedPlaces(container);
  const byPort = new Map<string, { family: 4 | 6; place: Place }[]>();
  for (const { name, place } of places) {
    const family = familyOf(place.address);
    byPort.set(name, [...(byPort.get(name) ?? []), { family, place }]);
  }
  return [...byPort.values()].flatMap(
    families => portReach(families.map(({ family, place }) => ({ family, exposure: exposures.of(place) }))) ?? [],
  );
}

interface Named {
  /** The same for both families of one port. */
  name: string;
  place: Place;
}

const wildName = (address: string): string => (isWildcard(address) ? '' : address);

function publishedPlaces(container: Container): Named[] {
  const { id } = container;
  return publishedOf(container).map(({ proto, hostIp, hostPort, containerPort }) => {
    const address = hostIp === '' ? '0.0.0.0' : hostIp;
    // Without a port of the host, whoever reaches it sends to the container itself.
    const isRouted = hostPort === 0;
    const place = { address, port: isRouted ? containerPort : hostPort, proto };
    return {
      name: `${wildName(address)} ${hostPort} ${containerPort}/${proto}`,
      place: isRouted ? { ...place, netns: id } : place,
    };
  });
}

function ownPlaces({ listeners }: Container): Named[] {
  return (listeners ?? []).map(({ proto, address, port, v6only }) => ({
    name: `${wildName(address)} ${port}/${proto}`,
    place: { address, port, proto, ...(v6only !== undefined && { v6only }) },
  }));
}
