import { listText } from '../holders.ts';
import type { Detector } from './detector.ts';
import { failedStart, placeText } from './shared.ts';
import { shellName } from '../shell-words.ts';

/** Docker could not bind the host address for another reason: the host does not have it, or the daemon may not. */
export const bindFailed: Detector = {
  code: 'bind-failed',
  severity: 'error',
  needs: ['docker'],
  detect: context =>
    (context.readings.docker.value?.containers ?? []).flatMap(container => {
      const error = failedStart(container);
      if (error?.kind !== 'not-local' && error?.kind !== 'not-permitted') return [];
      const place = placeText(error.address ?? '', error.port ?? 0);
      const why =
        error.kind === 'not-local'
          ? `the host had no address ${error.address}, which it asks to publish port ${error.port} on`
          : `Docker may not bind ${place}`;
      const hostAddresses = (context.facts.interfaces ?? []).flatMap(link =>
        link.addresses.map(({ address }) => address),
      );
      const now = error.kind === 'not-local' && hostAddresses.includes(error.address ?? '') ? '; it has it now' : '';
      return [
        {
          subject: { kind: 'container' as const, id: container.id, name: container.name },
          message: `${container.name} did not start: ${why}${now}`,
          evidence: [
            { source: `docker inspect ${shellName(container)}`, text: `State.Error: ${container.error}` },
            ...(error.kind === 'not-local'
              ? [{ source: 'ip -br addr', text: `addresses of the host: ${listText(hostAddresses, 8)}` }]
              : []),
          ],
          fix:
            error.kind === 'not-local'
              ? 'Publish on an address that the host has, or give the host that address'
              : 'Publish on a port from net.ipv4.ip_unprivileged_port_start upwards, or run the daemon with the right to bind it',
          confirm: `docker inspect -f '{{.State.Error}}' ${shellName(container)}; ip -br addr`,
          containerIds: [container.id],
          ports: [{ proto: error.proto ?? ('tcp' as const), address: error.address ?? '', port: error.port ?? 0 }],
        },
      ];
    }),
};
