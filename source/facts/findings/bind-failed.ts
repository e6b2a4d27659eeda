import type { ContainerReading, Proto } from '../../host/readings.ts';
import { listText } from '../holders.ts';
import { portsAsked } from '../requests.ts';
import type { StartError } from '../start-errors.ts';
import type { Detector } from './detector.ts';
import { failedStart, placeText } from './shared.ts';
import { shellName } from '../shell-words.ts';

/** What netdash says of each kind: why, in the words of the operator, and what to do about it. */
const causes = {
  'not-local': {
    why: ({ address, port }: StartError) =>
      `the host had no address ${address}, which it asks to publish port ${port} on`,
    fix: 'Publish on an address that the host has, or give the host that address',
  },
  'not-permitted': {
    why: ({ address = '', port = 0 }: StartError) => `Docker may not bind ${placeText(address, port)}`,
    fix: 'Publish on a port from net.ipv4.ip_unprivileged_port_start upwards, or run the daemon with the right to bind it',
  },
  'not-supported': {
    why: ({ address = '', port = 0, proto }: StartError) =>
      `the kernel had no support for ${proto ?? 'the protocol'}, which it asks to publish ${placeText(address, port)} for`,
    fix: 'Give the kernel that protocol (modprobe sctp), or do not publish that port',
  },
};

/** The text may leave the protocol out: it is that of the one binding which asks for this port, where there is one. */
function protoOf(error: StartError, { requestedPorts }: ContainerReading): Proto | undefined {
  const protos = new Set(
    requestedPorts
      .filter(({ hostPort }) => {
        const [from, to] = portsAsked(hostPort) ?? [];
        return (
          error.port !== undefined && from !== undefined && to !== undefined && from <= error.port && error.port <= to
        );
      })
      .map(({ proto }) => proto),
  );
  // TCP and UDP are in every kernel.
  if (error.kind === 'not-supported' && protos.has('sctp')) return 'sctp';
  return error.proto ?? (protos.size === 1 ? [...protos][0] : undefined);
}

/** Docker could not bind the host address for another reason: the host does not have it, or it is not permitted or not supported. */
export const bindFailed: Detector = {
  code: 'bind-failed',
  severity: 'error',
  needs: ['docker'],
  detect: context =>
    (context.readings.docker.value?.containers ?? []).flatMap(container => {
      const error = failedStart(container);
      if (!error || error.kind === 'taken' || error.kind === 'exhausted') return [];
      const proto = protoOf(error, container);
      const { why, fix } = causes[error.kind];
      const hostAddresses = (context.facts.interfaces ?? []).flatMap(link =>
        link.addresses.map(({ address }) => address),
      );
      const now = error.kind === 'not-local' && hostAddresses.includes(error.address ?? '') ? '; it has it now' : '';
      return [
        {
          subject: { kind: 'container' as const, id: container.id, name: container.name },
          message: `${container.name} did not start: ${why({ ...error, proto })}${now}`,
          evidence: [
            { source: `docker inspect ${shellName(container)}`, text: `State.Error: ${container.error}` },
            ...(error.kind === 'not-local'
              ? [{ source: 'ip -br addr', text: `addresses of the host: ${listText(hostAddresses, 8)}` }]
              : []),
          ],
          fix,
          confirm: `docker inspect -f '{{.State.Error}}' ${shellName(container)}; ip -br addr`,
          containerIds: [container.id],
          ports: [{ proto: proto ?? ('tcp' as const), address: error.address ?? '', port: error.port ?? 0 }],
        },
      ];
    }),
};
