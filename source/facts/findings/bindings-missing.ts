import type { ContainerReading, PortBindingReading } from '../../host/readings.ts';
import { listText } from '../holders.ts';
import { gatewayMode, isUp, publishingOf } from '../publishing.ts';
import { bindingsAsked, containerPortText, portsAsked } from '../requests.ts';
import type { Detector } from './detector.ts';
import { shellName } from '../shell-words.ts';

/** `8080 → 80/tcp`, `127.0.0.1: ephemeral → 80/tcp`. */
function bindingText({ hostIp, hostPort, ...binding }: PortBindingReading): string {
  const port = portsAsked(hostPort) === undefined ? 'ephemeral' : hostPort;
  return `${hostIp === '' ? '' : `${hostIp}:`}${port} → ${containerPortText(binding)}`;
}

/** Whether Docker has mapped what a binding asks for, on whichever address it takes for none. */
function isMapped(asked: PortBindingReading, published: readonly PortBindingReading[]): boolean {
  const wanted = portsAsked(asked.hostPort);
  return published.some(({ proto, containerPort, hostIp, hostPort }) => {
    if (proto !== asked.proto || containerPort !== asked.containerPort) return false;
    if (asked.hostIp !== '' && hostIp !== asked.hostIp) return false;
    const port = Number(hostPort);
    return wanted === undefined ? port > 0 : wanted[0] <= port && port <= wanted[1];
  });
}

/** Which requested bindings a running container lacks, and whether it lacks every network. */
function missingOf(
  container: ContainerReading,
  networks: Parameters<typeof publishingOf>[1],
): { missing: PortBindingReading[]; isDetached: boolean } {
  const publishing = publishingOf(container, networks);
  if (publishing.kind === 'detached') return { missing: bindingsAsked(container), isDetached: true };
  if (publishing.kind !== 'publishes') return { missing: [], isDetached: false };
  // A routed network gives its containers' own addresses to the LAN: no host port is mapped, by design.
  if (
    publishing.networks.some(network => gatewayMode(network, 4) === 'routed' || gatewayMode(network, 6) === 'routed')
  ) {
    return { missing: [], isDetached: false };
  }
  const missing = bindingsAsked(container).filter(asked => !isMapped(asked, container.publishedPorts));
  return { missing, isDetached: false };
}

/**
 * A running container lacks a binding that it asks for although its network publishes ports. Docker 29 starts a container
 * without network and ports after a failed start (moby#51758), and says nothing.
 */
export const bindingsMissing: Detector = {
  code: 'bindings-missing',
  severity: 'error',
  needs: ['docker'],
  detect: context => {
    const docker = context.readings.docker.value;
    return (docker?.containers ?? []).flatMap(container => {
      if (docker === undefined || !isUp(container) || container.inspectError !== undefined) return [];
      const { missing, isDetached } = missingOf(container, docker.networks);
      if (missing.length === 0) return [];
      const what = listText(missing.map(bindingText));
      const why = isDetached ? 'it has no network at all' : 'Docker has not mapped it';
      return [
        {
          subject: { kind: 'container' as const, id: container.id, name: container.name },
          message: `${container.name} runs, but asks for ${what} and does not have it: ${why}`,
          evidence: [
            { source: `docker inspect ${shellName(container)}`, text: `HostConfig.PortBindings has ${what}` },
            {
              source: `docker port ${shellName(container)}`,
              text:
                container.publishedPorts.length === 0
                  ? 'nothing'
                  : container.publishedPorts
                      .map(port => `${containerPortText(port)} -> ${port.hostIp}:${port.hostPort}`)
                      .join(', '),
            },
            {
              source: `docker inspect ${shellName(container)}`,
              text: `networks: ${container.endpoints.map(({ network }) => network).join(', ') || 'none'}`,
            },
          ],
          // A restart gives back no network that was taken away.
          fix: isDetached
            ? `docker network connect NETWORK ${container.name}; without a network before, docker rm ${container.name} and run it again`
            : `docker restart ${shellName(container)}`,
          confirm: `docker inspect -f '{{json .HostConfig.PortBindings}} {{json .NetworkSettings.Ports}} {{json .NetworkSettings.Networks}}' ${shellName(container)}`,
          containerIds: [container.id],
          ports: missing.flatMap(({ proto, hostIp, hostPort }) => {
            const [port] = portsAsked(hostPort) ?? [];
            return port === undefined ? [] : [{ proto, address: hostIp === '' ? '0.0.0.0' : hostIp, port }];
          }),
        },
      ];
    });
  },
};
