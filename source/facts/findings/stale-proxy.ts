import type { ContainerReading, DockerReading, ProxyReading } from '../../host/readings.ts';
import { isUp } from '../publishing.ts';
import type { Detector, FindingContext } from './detector.ts';
import { saidBetween, shownSince } from './earlier.ts';
import { isNotDockers, placeText, uniquePorts, wasRaised } from './shared.ts';

/** How far apart readings must be for one to tell what was there before or after the other. */
const marginMs = 1000;

/** Containers that are up, found by what they publish and by their addresses: a host has a proxy or two for every port. */
interface Up {
  byPort: ReadonlyMap<string, readonly ContainerReading[]>;
  addresses: ReadonlySet<string>;
}

const portKey = (proto: string, hostPort: number, containerPort: number): string =>
  `${proto} ${hostPort} ${containerPort}`;

function indexOf({ containers }: DockerReading): Up {
  const byPort = new Map<string, ContainerReading[]>();
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

/**
 * Whether a proxy was there both before and after Docker was asked, so that it does not belong to a container that was
 * about to start or to stop. With one round of readings (`earlier` absent) there is nothing to compare.
 */
function wasThereAround(proxy: ProxyReading, context: FindingContext): boolean {
  const { readings, earlier } = context;
  if (earlier === undefined) return true;
  const before = earlier.processes?.value?.proxies;
  const wasBefore = before?.some(({ pid, hostPort }) => pid === proxy.pid && hostPort === proxy.hostPort) === true;
  const from = shownSince('processes', wasBefore, context);
  const { at } = readings.processes;
  return from !== undefined && at !== undefined && saidBetween('docker', from + marginMs, at - marginMs, context);
}

/** A docker-proxy runs whose container is not: it keeps the port and accepts what nobody answers. */
export const staleProxy: Detector = {
  code: 'stale-proxy',
  severity: 'warning',
  needs: ['docker', 'processes'],
  detect: context => {
    const { docker, processes } = context.readings;
    const reading = docker.value;
    if (reading === undefined || isNotDockers(reading.engine)) return [];
    const up = indexOf(reading);
    return (processes.value?.proxies ?? [])
      .filter(proxy => !isServed(proxy, up))
      .filter(proxy => wasThereAround(proxy, context) || wasRaised('stale-proxy', proxyId(proxy), context))
      .map(proxy => {
        const place = `${placeText(proxy.hostIp, proxy.hostPort)}/${proxy.proto}`;
        const target = placeText(proxy.containerIp, proxy.containerPort);
        return {
          subject: { kind: 'listener' as const, id: proxyId(proxy), name: place },
          message: `docker-proxy (pid ${proxy.pid}) holds ${place} for ${target}, which no running container publishes`,
          evidence: [
            { source: `/proc/${proxy.pid}/cmdline`, text: `docker-proxy for ${place} to ${target}` },
            {
              source: 'docker ps',
              text: `no running container publishes ${proxy.containerPort}/${proxy.proto} at ${proxy.hostPort}`,
            },
          ],
          fix: `kill ${proxy.pid}, or restart the Docker daemon`,
          confirm: `ps -fp ${proxy.pid}; docker ps --filter publish=${proxy.hostPort}`,
          containerIds: [],
          ports: uniquePorts([{ proto: proxy.proto, address: proxy.hostIp, port: proxy.hostPort }]),
        };
      });
  },
};

const proxyId = (proxy: ProxyReading): string =>
  `${placeText(proxy.hostIp, proxy.hostPort)}/${proxy.proto}:${proxy.pid}`;
