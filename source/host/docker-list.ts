/** `GET /containers/json?all=1`: what the list says of every container, and which of them must be inspected anew. */
import { canonicalAddress } from './addresses.ts';
import { containerName, containerState, onEveryAddress, parseEndpoints, usedLabels } from './docker-container.ts';
import { array, isObject, number, object, text, texts } from './json.ts';
import type { ContainerReading, ContainerState, EndpointReading, PortBindingReading } from './readings.ts';

/** One container as the list has it. */
export interface ListEntry extends Pick<
  ContainerReading,
  'id' | 'name' | 'image' | 'created' | 'state' | 'health' | 'networkMode' | 'labels' | 'endpoints'
> {
  /** From the status text (`Exited (137) 2 minutes ago`); 0 when it has none. */
  exitCode: number;
  /** Mapped ports only; the list also names exposed ones. */
  publishedPorts: PortBindingReading[];
  /** Equal for two lists as long as nothing changed that an inspect would show: all but the texts that count seconds. */
  signature: string;
}

/** The answer of the list as entries, in its order (newest first). An entry without id or state is left out. */
export function parseList(json: unknown): ListEntry[] {
  return array(json).flatMap(parseEntry);
}

function parseEntry(value: unknown): ListEntry[] {
  if (!isObject(value)) return [];
  const id = text(value['Id']);
  const state = containerState(value['State']);
  if (!id || !state) return [];
  const status = text(value['Status']);
  const health = /\((?:health: )?(starting|healthy|unhealthy)\)/.exec(status)?.[1];
  const names = texts(value['Names']);
  const endpoints = parseEndpoints(object(value['NetworkSettings'])['Networks'], id);
  const publishedPorts = array(value['Ports']).flatMap(parseListPort).sort(byText);
  const entry: ListEntry = {
    id,
    name: containerName(names, id),
    image: text(value['Image']),
    created: number(value['Created']) * 1000,
    state,
    exitCode: Number(/^(?:Exited|Restarting) \((\d+)\)/.exec(status)?.[1] ?? 0),
    networkMode: text(object(value['HostConfig'])['NetworkMode']) || 'default',
    labels: usedLabels(value['Labels']),
    endpoints,
    publishedPorts,
    signature: '',
  };
  if (health) entry.health = health as NonNullable<ListEntry['health']>;
  entry.signature = JSON.stringify([
    [...names].sort(),
    entry.image,
    state,
    entry.exitCode,
    health ?? '',
    endpoints,
    publishedPorts,
  ]);
  return [entry];
}

function parseListPort(value: unknown): PortBindingReading[] {
  const port = object(value);
  const proto = text(port['Type']);
  const published = number(port['PublicPort']);
  if (published === 0 || (proto !== 'tcp' && proto !== 'udp' && proto !== 'sctp')) return [];
  const hostIp = text(port['IP']);
  return [
    onEveryAddress({
      proto,
      containerPort: number(port['PrivatePort']),
      hostIp: canonicalAddress(hostIp) ?? hostIp,
      hostPort: String(published),
    }),
  ];
}

/** The list's order of ports differs from one answer to the next. */
function byText(a: PortBindingReading, b: PortBindingReading): number {
  return JSON.stringify(a) < JSON.stringify(b) ? -1 : 1;
}

/**
 * Whether a container must be inspected: it is new, its last inspect failed or was made without a list beside it, or the
 * list says something else now than it did at the last inspect.
 */
export function needsInspect(entry: ListEntry, previous: ContainerReading | undefined): boolean {
  return !previous || previous.inspectError !== undefined || previous.listSignature !== entry.signature;
}

/**
 * A container whose inspect failed, from the list alone. What cannot change after its creation is taken from the reading
 * before, if there is one; the rest that only inspect knows is empty.
 * @param reason why the inspect failed
 */
export function readingFromList(
  entry: ListEntry,
  reason: string,
  now: number,
  previous?: ContainerReading,
): ContainerReading {
  const settled = previous ?? {
    restartPolicy: '',
    hostname: '',
    dns: [],
    command: [],
    links: [],
    requestedPorts: [],
    publishAllPorts: false,
    exposedPorts: [],
  };
  const reading: ContainerReading = {
    id: entry.id,
    name: entry.name,
    image: entry.image,
    created: entry.created,
    state: entry.state,
    exitCode: entry.exitCode,
    error: '',
    oomKilled: false,
    pid: 0,
    restartCount: previous?.restartCount ?? 0,
    restartPolicy: settled.restartPolicy,
    hostname: settled.hostname,
    dns: settled.dns,
    command: settled.command,
    networkMode: entry.networkMode,
    links: settled.links,
    labels: entry.labels,
    endpoints: isRunning(entry.state) ? entry.endpoints : entry.endpoints.map(unused),
    requestedPorts: settled.requestedPorts,
    publishAllPorts: settled.publishAllPorts,
    exposedPorts: settled.exposedPorts,
    publishedPorts: entry.publishedPorts,
    sandboxKey: '',
    inspectedAt: now,
    inspectError: reason,
  };
  if (entry.health) reading.health = entry.health;
  return reading;
}

const isRunning = (state: ContainerState): boolean => state === 'running' || state === 'paused';

/** The list keeps the addresses of a failed start's endpoint, which it had for a moment. */
function unused({ network, networkId, aliases, links }: EndpointReading): EndpointReading {
  return { network, aliases, links, ...(networkId !== undefined && { networkId }) };
}

/** The states of containers that have ended or never started. */
export const endedStates: readonly ContainerState[] = ['created', 'exited', 'dead'];

/**
 * The ids of containers that may have changed without any event or change in the list, those inspected longest ago
 * first: a start that fails emits no event on Docker 29 and leaves `created` or `exited` as it was.
 */
export function pollCandidates(containers: readonly ContainerReading[]): string[] {
  return containers
    .filter(({ state }) => endedStates.includes(state))
    .sort((a, b) => a.inspectedAt - b.inspectedAt)
    .map(({ id }) => id);
}
