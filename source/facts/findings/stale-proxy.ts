import type { ProxyReading } from '../../host/readings.ts';
import type { Detector, FindingContext } from './detector.ts';
import { saidBetween, shownSince } from './earlier.ts';
import { proxiesOf } from './other-daemons.ts';
import { isNotDockers, placeText, uniquePorts, wasRaised } from './shared.ts';

/** How far apart readings must be for one to tell what was there before or after the other. */
const marginMs = 1000;

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
    const reading = context.readings.docker.value;
    if (reading === undefined || isNotDockers(reading.engine)) return [];
    return proxiesOf(context)
      .stale.filter(proxy => wasThereAround(proxy, context) || wasRaised('stale-proxy', proxyId(proxy), context))
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
