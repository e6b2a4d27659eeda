/** Containers: what Docker says of each, joined with what was read inside it and with the host's links and listeners. */
import type {
  ContainerReading,
  EndpointReading,
  InsideReading,
  PortBindingReading,
  Reading,
} from '../host/readings.ts';
import type { End, LinkMap } from './link-map.ts';
import { insideOf, insideReason, isRunning, type NetnsMap } from './netns.ts';
import { networkMode, networkOfEndpoint, type ModeIndex } from './network-mode.ts';
import type { OwnerIndex } from './owners.ts';
import { insideRow, orderListeners } from './ports.ts';
import type { Container, Endpoint, Listener, PublishedPort, RequestedPort } from './schema.ts';

/** All that a container's facts are joined from. */
export interface ContainerInput {
  index: ModeIndex;
  netns: NetnsMap;
  linkMap: LinkMap;
  inside: Readonly<Record<string, Reading<InsideReading>>>;
  owners: OwnerIndex;
  /** Listeners of the host's netns, or why they are not known. */
  hostListeners: readonly Listener[] | { reason: string };
  /** Whether the netns that the daemon calls the host's is its own (rootless). */
  rootless?: boolean;
  /** Why containers cannot be joined with this host (a remote daemon); absent when they can. */
  withoutHost?: string;
  /** Why they cannot be joined with this host's links. */
  withoutLinks?: string;
}

/**
 * Parses a host port as Docker has it in a binding.
 * @returns null for ephemeral ('' or '0'), a port, or a range; undefined for text that is none of them
 */
export function parseHostPort(text: string): RequestedPort['hostPort'] | undefined {
  if (text === '') return null;
  const [, first, last] = /^(\d+)(?:-(\d+))?$/.exec(text) ?? [];
  if (first === undefined) return undefined;
  const from = Number(first);
  const to = last === undefined ? from : Number(last);
  if (from === to) return from === 0 ? null : from;
  return { from, to };
}

/**
 * The ports a container asks for. `-P` asks for an ephemeral port for each exposed port that has no binding of its own.
 * @returns also the bindings whose host port could not be understood, as text
 */
export function requestedPorts(container: ContainerReading): { ports: RequestedPort[]; odd: string[] } {
  const ports: RequestedPort[] = [];
  const odd: string[] = [];
  for (const { proto, hostIp, hostPort: text, containerPort } of container.requestedPorts) {
    const hostPort = parseHostPort(text);
    if (hostPort === undefined) odd.push(`${text}:${containerPort}/${proto}`);
    else ports.push({ proto, hostIp, hostPort, containerPort });
  }
  if (container.publishAllPorts) {
    for (const { proto, port } of container.exposedPorts) {
      const isBound = container.requestedPorts.some(item => item.proto === proto && item.containerPort === port);
      if (!isBound) ports.push({ proto, hostIp: '', hostPort: null, containerPort: port });
    }
  }
  return { ports, odd };
}

const covers = (asked: RequestedPort['hostPort'], port: number): boolean =>
  asked !== null && (typeof asked === 'number' ? asked === port : asked.from <= port && port <= asked.to);

/**
 * What Docker has mapped now. Only a container that runs has mappings: after a crash of dockerd, exited ones keep the
 * list of their last run. An entry without a host port is no mapping but a routed port (gateway mode `routed`).
 */
export function publishedPorts(
  container: ContainerReading,
  requested: readonly RequestedPort[],
): { ports: PublishedPort[]; routed: PortBindingReading[] } {
  if (!isRunning(container)) return { ports: [], routed: [] };
  const ports: PublishedPort[] = [];
  const routed: PortBindingReading[] = [];
  for (const port of container.publishedPorts) {
    const hostPort = Number(port.hostPort);
    if (!Number.isInteger(hostPort) || hostPort === 0) {
      routed.push(port);
      continue;
    }
    const { proto, hostIp, containerPort } = port;
    const asked = requested.filter(item => item.proto === proto && item.containerPort === containerPort);
    const ephemeral =
      asked.some(item => item.hostPort === null) && !asked.some(item => covers(item.hostPort, hostPort));
    ports.push({ proto, hostIp, hostPort, containerPort, ephemeral });
  }
  return { ports, routed };
}

/** The same without the keys whose value is undefined, so that equal facts are equal objects. */
export function compact<T extends object>(object: T): T {
  // Copying leaves plain objects; `delete` would make dictionaries of them, which are slow ever after.
  const kept = {} as T;
  for (const key in object) if (object[key] !== undefined) kept[key] = object[key];
  return kept;
}

/** One endpoint with its interface inside and what is at the other end of it. */
function endpointFacts(endpoint: EndpointReading, container: ContainerReading, input: ContainerInput): Endpoint {
  const network = networkOfEndpoint(endpoint, input.index);
  const netns = input.netns.byContainer.get(container.id);
  const ends: readonly End[] = (netns && input.linkMap.ends.get(netns)) ?? [];
  const end = ends.find(item => item.endpoint === endpoint);
  const unknown: Record<string, string> = {};
  const hasLink = network !== undefined && network.driver !== 'host' && network.driver !== 'null';
  if (isRunning(container) && hasLink && !end?.link && end?.parent === undefined) {
    unknown.veth =
      input.withoutLinks ??
      end?.reason ??
      netns?.reason ??
      'no interface inside the container has the MAC or an address of this endpoint';
    unknown.bridge = unknown.veth;
    if (end === undefined) unknown.interface = unknown.veth;
  }
  return compact({
    network: endpoint.network,
    networkId: endpoint.networkId ?? network?.id,
    driver: network?.driver ?? 'unknown',
    aliases: endpoint.aliases,
    links: endpoint.links,
    ipv4: endpoint.ipv4,
    ipv6: endpoint.ipv6,
    mac: endpoint.mac,
    gateway: endpoint.gateway,
    gateway6: endpoint.gateway6,
    interface: end?.interface.name,
    veth: end?.link?.name,
    bridge: end?.link?.master,
    parent: end?.parent,
    unknown: Object.keys(unknown).length > 0 ? unknown : undefined,
  });
}

/** The listeners in a container's netns, or why they are not known; `missing` says why some may be lacking. */
function listenerFacts(
  container: ContainerReading,
  input: ContainerInput,
): { listeners: Listener[]; missing?: string } | { listeners: null; missing: string } {
  if (!isRunning(container)) return { listeners: [] };
  if (input.withoutHost !== undefined) return { listeners: null, missing: input.withoutHost };
  if (input.netns.inHostNetns.has(container.id)) {
    const { hostListeners } = input;
    // rootlesskit's netns holds the docker-proxies of all other containers too, and no cgroup tells whose a socket is.
    if (input.rootless && !insideOf(container, input.inside)?.sharesHostNetns) {
      return { listeners: null, missing: "rootless Docker's host network is a network namespace of its own" };
    }
    if ('reason' in hostListeners) return { listeners: null, missing: hostListeners.reason };
    const own = hostListeners.filter(({ owner }) => owner.via === 'own' && owner.containerId === container.id);
    const strangers = hostListeners.filter(({ owner }) => owner.kind === 'unknown').length;
    const missing = `${strangers} of this host's listeners have no known owner, so some of them may be its own`;
    return strangers > 0 ? { listeners: own, missing } : { listeners: own };
  }
  const members = input.netns.byContainer.get(container.id)?.members ?? [container];
  const age = (member: ContainerReading) => -(input.inside[member.id]?.at ?? 0);
  // All members see the same sockets: the newest reading of any of them counts.
  const readings = [container, ...members]
    .sort((a, b) => age(a) - age(b))
    .flatMap(member => insideOf(member, input.inside) ?? []);
  const reading = readings.find(item => item.listeners !== undefined);
  if (!reading?.listeners) {
    const first = readings[0];
    return {
      listeners: null,
      missing: first ? (first.listenersReason ?? 'not read yet') : insideReason(container, input.inside),
    };
  }
  // Openers are looked for among the processes of the container first: of any other the cgroup is told.
  const ownPids = new Map(
    readings.flatMap(({ containerId, processes = [], listeners = [] }) =>
      [
        ...listeners.flatMap(socket => (socket.processes ?? []).filter(({ cgroup }) => cgroup === undefined)),
        ...processes,
      ].map(({ pid }) => [pid, containerId] as const),
    ),
  );
  // Of each member only its own processes were looked into: who has a socket open may be in the reading of another one.
  const openers = new Map(
    readings
      .flatMap(item => item.listeners ?? [])
      .flatMap(({ inode, processes }) => (processes ? [[inode, processes]] : [])),
  );
  const wereLookedInto = members.every(member => {
    const of = insideOf(member, input.inside);
    return of?.processes !== undefined || of?.openersSought;
  });
  const unread = wereLookedInto
    ? `no process of ${members.map(({ name }) => name).join(', ')} that may be looked into has it open`
    : undefined;
  const rows = reading.listeners.map(socket => {
    const processes = socket.processes ?? openers.get(socket.inode);
    return insideRow(processes ? { ...socket, processes } : socket, members, ownPids, input.owners, unread);
  });
  return { listeners: orderListeners(rows), missing: reading.listenersReason };
}

const iso = (ms: number | undefined): string | undefined => (ms === undefined ? undefined : new Date(ms).toISOString());

/** All facts of one container. */
export function containerFacts(container: ContainerReading, input: ContainerInput): Container {
  const unknown: Record<string, string> = {};
  const mode = networkMode(container, input.index);
  if (mode.reason !== undefined) unknown.networkMode = mode.reason;
  const requested = requestedPorts(container);
  if (requested.odd.length > 0) unknown.requestedPorts = `not understood: ${requested.odd.join(', ')}`;
  const published = publishedPorts(container, requested.ports);
  if (published.routed.length > 0) {
    const ports = [...new Set(published.routed.map(port => `${port.containerPort}/${port.proto}`))].join(', ');
    unknown.publishedPorts = `${ports} has no host port: it is routed to the container's own address`;
  }
  if (container.inspectError !== undefined) {
    for (const field of ['requestedPorts', 'pid', 'hostname', 'exitCode']) unknown[field] = container.inspectError;
  }
  const { listeners, missing } = listenerFacts(container, input);
  if (missing !== undefined) unknown.listeners = missing;

  const running = isRunning(container);
  const inside = running && input.withoutHost === undefined ? insideOf(container, input.inside) : undefined;
  if (inside?.processesReason !== undefined) unknown.processes = inside.processesReason;
  const processes = inside?.processes?.map(({ pid, ppid, name, cmdline, uid }) => ({
    pid,
    ppid,
    name,
    command: cmdline.join(' '),
    uid,
  }));
  const hasRun = container.finishedAt !== undefined || container.exitCode !== 0;
  return compact({
    id: container.id,
    name: container.name,
    image: container.image,
    state: container.state,
    exitCode: !running && hasRun ? container.exitCode : undefined,
    error: container.error === '' ? undefined : container.error,
    health: container.health,
    pid: container.pid,
    restartCount: container.restartCount,
    startedAt: iso(container.startedAt),
    finishedAt: iso(container.finishedAt),
    hostname: container.hostname,
    dns: container.dns,
    command: container.command.length > 0 ? container.command.join(' ') : undefined,
    networkMode: mode.mode,
    sharesNetnsWith: mode.sharesNetnsWith,
    composeProject: container.labels['com.docker.compose.project'],
    composeService: container.labels['com.docker.compose.service'],
    swarmService: container.labels['com.docker.swarm.service.name'],
    endpoints: container.endpoints.map(endpoint => endpointFacts(endpoint, container, input)),
    requestedPorts: requested.ports,
    publishedPorts: published.ports,
    routedPorts:
      published.routed.length > 0
        ? published.routed.map(({ proto, hostIp, containerPort }) => ({ proto, hostIp, containerPort }))
        : undefined,
    exposedPorts: container.exposedPorts,
    listeners,
    processes: processes ?? (unknown.processes === undefined ? undefined : null),
    netns: inside?.netns,
    unknown: Object.keys(unknown).length > 0 ? unknown : undefined,
  });
}
