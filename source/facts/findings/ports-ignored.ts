import { listText } from '../holders.ts';
import { publishingOf } from '../publishing.ts';
import { bindingsAsked, containerPortText } from '../requests.ts';
import type { Detector } from './detector.ts';
import { shellName } from '../shell-words.ts';

/** A container asks for ports where its network mode gives none: Docker keeps the request, maps nothing and reports no error. */
export const portsIgnored: Detector = {
  code: 'ports-ignored',
  severity: 'warning',
  needs: ['docker'],
  detect: context => {
    const docker = context.readings.docker.value;
    return (docker?.containers ?? []).flatMap(container => {
      if (docker === undefined || container.inspectError !== undefined || container.state === 'removing') return [];
      const asked = bindingsAsked(container);
      const publishing = publishingOf(container, docker.networks);
      if (asked.length === 0 || publishing.kind !== 'ignored') return [];
      const what = listText([...new Set(asked.map(containerPortText))]);
      const isHost = container.networkMode === 'host';
      return [
        {
          subject: { kind: 'container' as const, id: container.id, name: container.name },
          message: `${container.name} asks to publish ${what}, but Docker publishes nothing on ${publishing.reason}`,
          evidence: [
            {
              source: `docker inspect ${shellName(container)}`,
              text: `HostConfig.PortBindings: ${asked.map(port => `${port.hostIp === '' ? '' : `${port.hostIp}:`}${port.hostPort || 'ephemeral'} → ${containerPortText(port)}`).join(', ')}`,
            },
            {
              source: `docker inspect ${shellName(container)}`,
              text: `NetworkMode ${container.networkMode}, networks ${container.endpoints.map(({ network }) => network).join(', ') || 'none'}`,
            },
          ],
          fix: isHost
            ? 'Drop the -p: the program listens on the host itself; or use a bridge network'
            : 'Connect it to a bridge network that is not internal as well, or drop the -p',
          confirm: `docker inspect -f '{{json .HostConfig.PortBindings}} {{.HostConfig.NetworkMode}} {{json .NetworkSettings.Ports}}' ${shellName(container)}`,
          containerIds: [container.id],
          ports: [],
        },
      ];
    });
  },
};
