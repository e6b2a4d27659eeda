import type { ContainerReading } from '../../host/readings.ts';
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
      `the kernel had no support for ${proto ?? 'the protocol'}, which it asks to publish ${port === 0 ? 'a port' : placeText(address, port)} for`,
    fix: 'Give the kernel that protocol (modprobe sctp), or do not publish that port',
  },
};

/** The error with what its text leaves out, as far as only one of the container's bindings can be meant. */
function completed(error: StartError, { requestedPorts }: ContainerReading): StartError {
  const fitting = requestedPorts.filter(({ proto, hostPort }) => {
    // TCP and UDP are in every kernel.
    if (error.kind === 'not-supported' && proto !== 'sctp') return false;
    if (error.port === undefined) return true;
    const [from, to] = portsAsked(hostPort) ?? [];
    return from !== undefined && to !== undefined && from <= error.port && error.port <= to;
  });
  const protos = new Set(fitting.map(({ proto }) => proto));
  const [proto] = protos;
  const [only, ...others] = fitting;
  const [port, last] = (only && portsAsked(only.hostPort)) ?? [];
  return {
    ...(protos.size === 1 && proto !== undefined && { proto }),
    ...(others.length === 0 && port !== undefined && port === last && { port, address: only?.hostIp || '0.0.0.0' }),
    ...error,
  };
}

/** Docker could not bind the host address for another reason: the host does not have it, or it is not permitted or not supported. */
export const bindFailed: Detector = {
  code: 'bind-failed',
  severity: 'error',
  needs: ['docker'],
  detect: context =>
    (context.readings.docker.value?.containers ?? []).flatMap(container => {
      const said = failedStart(container);
      if (!said || said.kind === 'taken' || said.kind === 'exhausted') return [];
      const error = completed(said, container);
      const { address = '', port, proto = 'tcp' } = error;
      const { why, fix } = causes[said.kind];
      const hostAddresses = (context.facts.interfaces ?? []).flatMap(link => link.addresses.map(each => each.address));
      const now = error.kind === 'not-local' && hostAddresses.includes(error.address ?? '') ? '; it has it now' : '';
      return [
        {
          subject: { kind: 'container' as const, id: container.id, name: container.name },
          message: `${container.name} did not start: ${why(error)}${now}`,
          evidence: [
            { source: `docker inspect ${shellName(container)}`, text: `State.Error: ${container.error}` },
            ...(error.kind === 'not-local'
              ? [{ source: 'ip -br addr', text: `addresses of the host: ${listText(hostAddresses, 8)}` }]
              : []),
          ],
          fix,
          confirm: `docker inspect -f '{{.State.Error}}' ${shellName(container)}; ip -br addr`,
          containerIds: [container.id],
          ports: port === undefined ? [] : [{ proto, address, port }],
        },
      ];
    }),
};
