/** Other Docker daemons on this host, as far as their docker-proxies show them: what is theirs is none of ours, and nobody's orphan. */
import type { DockerReading, ProxyReading } from '../../host/readings.ts';
import { isUp } from '../publishing.ts';
import type { FindingContext } from './detector.ts';

/** Containers that are up, found by what they publish and by their addresses: a host has a proxy or two for every port. */
interface Up {
  byPort: ReadonlyMap<string, readonly DockerReading['containers'][number][]>;
  addresses: ReadonlySet<string>;
}

const portKey = (proto: string, hostPort: number, containerPort: number): string =>
  `${proto} ${hostPort} ${containerPort}`;

function indexOf({ containers }: DockerReading): Up {
  const byPort = new Map<string, DockerReading['containers']>();
  const addresses = new Set<string>();
  for (const container of containers.filter(isUp)) {
    for (const { proto, hostPort, containerPort } of container.publishedPorts) {
      const key = portKey(proto, Number(hostPort), containerPort);
      const there = byPort.get(key);
      if (there) there.push(container);
      else byPort.set(key, [container]);
    }
    for (const { ipv4, ipv6 } of container.endpoints) {
      if (ipv4 !== undefined) addresses.add(ipv4);
      if (ipv6 !== undefined) addresses.add(ipv6);
    }
  }
  return { byPort, addresses };
}

/** Whether a container that is up publishes what a docker-proxy serves. */
function isServed({ proto, hostPort, containerPort, containerIp }: ProxyReading, { byPort, addresses }: Up): boolean {
  return (byPort.get(portKey(proto, hostPort, containerPort)) ?? []).some(
    ({ endpoints }) =>
      endpoints.some(({ ipv4, ipv6 }) => ipv4 === containerIp || ipv6 === containerIp) ||
      // On an overlay network the proxy leads to docker_gwbridge, which is no endpoint that Docker lists.
      endpoints.every(({ ipv4, ipv6 }) => ipv4 === undefined && ipv6 === undefined) ||
      !addresses.has(containerIp),
  );
}

/** The docker-proxies of this host by whom they serve. */
export interface Proxies {
  /** Those that serve no container that is up, and may be this daemon's own. */
  stale: readonly ProxyReading[];
  /** Those of another daemon, or of one of which it is not known which it is: a dockerd that runs and has started none of ours. */
  foreign: readonly ProxyReading[];
}

/** Tells them apart; a dockerd is this host's own if it has started a proxy that serves one of its containers. */
export function proxiesOf({ readings: { docker, processes } }: Pick<FindingContext, 'readings'>): Proxies {
  const { proxies = [], processes: known = {} } = processes.value ?? {};
  if (!docker.value) return { stale: [], foreign: [] };
  const up = indexOf(docker.value);
  const served = new Set(proxies.filter(proxy => isServed(proxy, up)));
  const parentOf = ({ pid }: ProxyReading): number => known[pid]?.ppid ?? 0;
  const own = new Set([...served].map(parentOf));
  const isForeign = (proxy: ProxyReading): boolean =>
    !own.has(parentOf(proxy)) && known[parentOf(proxy)]?.name === 'dockerd';
  const others = proxies.filter(proxy => !served.has(proxy));
  return { stale: others.filter(proxy => !isForeign(proxy)), foreign: others.filter(isForeign) };
}
