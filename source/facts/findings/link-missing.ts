import type { ContainerReading, EndpointReading, InsideReading, Reading } from '../../host/readings.ts';
import { interfaceOfEndpoint } from '../link-map.ts';
import { modeIndex, networkOfEndpoint, type ModeIndex } from '../network-mode.ts';
import { isUp } from '../publishing.ts';
import type { Detector, FindingContext } from './detector.ts';
import { isElsewhere } from './shared.ts';
import { shellName } from '../shell-words.ts';

/** Docker connects a container within this time of telling of the endpoint, on a busy machine too. */
const graceMs = 2000;
/** The same for a single look, which cannot come back to it. */
const onceGraceMs = 300;

/** Endpoints that are an interface inside their container; of other drivers netdash does not know. */
const drivers = new Set(['bridge', 'overlay', 'macvlan', 'ipvlan']);

/** Whether a reading shows for certain that an endpoint has no interface: each other one is known by MAC or address. */
function lacks(
  endpoint: EndpointReading,
  container: ContainerReading,
  reading: Reading<InsideReading> | undefined,
  grace: number,
): boolean {
  const inside = reading?.value;
  if (reading?.state !== 'ok' || reading.at === undefined || inside?.pid !== container.pid) return false;
  if (inside.interfaces === undefined || reading.at < container.inspectedAt + grace) return false;
  if (interfaceOfEndpoint(endpoint, inside.interfaces) !== undefined) return false;
  return inside.interfaces.every(
    ({ name, mac, addresses }) => name === 'lo' || (mac !== undefined && addresses.length > 0),
  );
}

/** A container that is up and one of its endpoints that is none any more. */
interface Case {
  container: ContainerReading;
  endpoint: EndpointReading;
}

const isEndpoint = (endpoint: EndpointReading, index: ModeIndex): boolean =>
  (endpoint.ipv4 ?? endpoint.ipv6) !== undefined && drivers.has(networkOfEndpoint(endpoint, index)?.driver ?? '');

/** Endpoints whose interface the latest reading of their container does not show. */
function suspects({ readings, earlier }: FindingContext): Case[] {
  const docker = readings.docker.value;
  if (docker === undefined || isElsewhere(docker.engine)) return [];
  const index = modeIndex([], docker.networks);
  const grace = earlier === undefined ? onceGraceMs : graceMs;
  return docker.containers
    .filter(container => isUp(container) && container.inspectError === undefined)
    .flatMap(container =>
      container.endpoints
        .filter(
          endpoint => isEndpoint(endpoint, index) && lacks(endpoint, container, readings.inside[container.id], grace),
        )
        .map(endpoint => ({ container, endpoint })),
    );
}

/** Whether it was so before too, and Docker has spoken since: an endpoint that is being taken away is gone from Docker by then. */
function isConfirmed({ container, endpoint }: Case, { earlier, readings }: FindingContext): boolean {
  if (earlier === undefined) return true;
  const before = earlier.inside[container.id];
  return (
    lacks(endpoint, container, before, graceMs) && before?.at !== undefined && (readings.docker.at ?? 0) >= before.at
  );
}

/**
 * Containers whose netns should be read again: the host's end of an interface is gone since it was read, or an endpoint has
 * been seen without its interface once only.
 */
export function containersThatLostLinks(context: FindingContext): string[] {
  const { facts, readings, earlier } = context;
  const linksSince = earlier?.since?.links ?? Infinity;
  const cutOff = facts.containers.filter(
    ({ id, endpoints }) =>
      (readings.inside[id]?.at ?? Infinity) < linksSince &&
      endpoints.some(({ driver, interface: name, veth }) => driver === 'bridge' && name !== undefined && !veth),
  );
  const unconfirmed = suspects(context).filter(each => !isConfirmed(each, context));
  return [...new Set([...cutOff.map(({ id }) => id), ...unconfirmed.map(({ container }) => container.id)])];
}

/** A running container without an interface for a network that it is on: somebody deleted its veth. */
export const linkMissing: Detector = {
  code: 'link-missing',
  severity: 'error',
  needs: ['docker'],
  undecided: ({ readings }, { containerIds: [id = ''], since }) => {
    const container = readings.docker.value?.containers.find(each => each.id === id);
    // A container that was started again since has other interfaces.
    if (!container || !isUp(container) || (container.startedAt ?? 0) > Date.parse(since)) return false;
    return readings.inside[id]?.value?.interfaces === undefined;
  },
  detect: context => {
    const cases = suspects(context).filter(each => isConfirmed(each, context));
    const containers = new Set(cases.map(({ container }) => container));
    return [...containers].map(container => {
      const endpoints = cases.filter(each => each.container === container).map(({ endpoint }) => endpoint);
      const names = endpoints.map(({ network }) => network).join(', ');
      const addresses = endpoints.map(({ ipv4, ipv6 }) => ipv4 ?? ipv6).join(', ');
      const [first] = endpoints;
      return {
        subject: { kind: 'container' as const, id: container.id, name: container.name },
        message: `${container.name} has no interface for ${names}: nothing reaches it at ${addresses}, and nothing leaves it there`,
        evidence: [
          { source: `docker inspect ${shellName(container)}`, text: `it is on ${names} with ${addresses}` },
          {
            source: `nsenter -t ${container.pid} -n ip addr`,
            text: `no interface has the MAC ${first?.mac ?? ''} or the address ${addresses}`,
          },
        ],
        fix: `docker restart ${shellName(container)}, or docker network disconnect -f ${shellName({ name: first?.network ?? '', id: first?.networkId })} ${shellName(container)} and connect it again`,
        confirm: `nsenter -t ${container.pid} -n ip addr`,
        containerIds: [container.id],
        ports: [],
      };
    });
  },
};
