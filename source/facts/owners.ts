/**
 * Owners of listeners: who holds a socket and where it leads. Everything is keyed on protocol, address and port together;
 * the port alone says nothing.
 */
import type {
  ContainerReading,
  PortBindingReading,
  ProcessesReading,
  ProcessReading,
  Proto,
  ProxyReading,
  ServiceReading,
  SocketReading,
} from '../host/readings.ts';
import type { Listener, PortOwner } from './schema.ts';

/** Where the running containers can be found; make it with `placesOf`. */
export interface Places {
  /** Running containers by each address they have, on Docker networks or (docker_gwbridge) only inside. */
  byAddress: ReadonlyMap<string, readonly ContainerReading[]>;
  /** The addresses of each running container, by its id. */
  addresses: ReadonlyMap<string, readonly string[]>;
  /** What running containers publish, by `claimKey` of the host side. */
  published: ReadonlyMap<string, Mapped>;
}

interface Mapped {
  container: ContainerReading;
  port: PortBindingReading;
}

/** What owners are found among; make it once per set of readings with `ownerIndex`. */
export interface OwnerIndex extends Places {
  containersById: ReadonlyMap<string, ContainerReading>;
  /** Where Docker's DNAT rules lead, by `claimKey` of the host side. */
  dnats: ReadonlyMap<string, { address: string; port: number }>;
  services: readonly ServiceReading[];
  processes: Readonly<Record<number, ProcessReading>>;
  proxyByPid: ReadonlyMap<number, ProxyReading>;
  proxyByKey: ReadonlyMap<string, ProxyReading>;
  /** Whether swarm is active on the daemon. */
  swarm: boolean;
  /** Why Docker's containers cannot be joined with this host's sockets; absent when they can. */
  withoutDocker?: string;
  /** Why processes of some sockets are not known. */
  ownersReason?: string;
}

/** One text for (proto, address, port), to key maps with. */
export const claimKey = (proto: Proto, address: string, port: number | string): string => `${proto} ${address} ${port}`;

const mappedOf = new WeakMap<ContainerReading, readonly { key: string; mapped: Mapped }[]>();

/** What a container publishes, with the keys. Worked out once for each reading of it. */
function published(container: ContainerReading): readonly { key: string; mapped: Mapped }[] {
  const known = mappedOf.get(container);
  if (known) return known;
  const all = container.publishedPorts.map(port => ({
    key: claimKey(port.proto, port.hostIp, port.hostPort),
    mapped: { container, port },
  }));
  mappedOf.set(container, all);
  return all;
}

/** Says where the running containers can be found. `addressesOf` gives every address of one. */
export function placesOf(
  running: readonly ContainerReading[],
  addressesOf: (container: ContainerReading) => readonly string[],
): Places {
  const byAddress = new Map<string, ContainerReading[]>();
  const addresses = new Map<string, readonly string[]>();
  const all = new Map<string, Mapped>();
  for (const container of running) {
    const own = addressesOf(container);
    const distinct = own.length > 1 ? [...new Set(own)] : own;
    addresses.set(container.id, distinct);
    for (const address of distinct) {
      const there = byAddress.get(address);
      if (there) there.push(container);
      else byAddress.set(address, [container]);
    }
    for (const { key, mapped } of published(container)) all.set(key, mapped);
  }
  return { byAddress, addresses, published: all };
}

const proxyKeys = new WeakMap<ProxyReading, string>();

/** `claimKey` of a proxy's host side. */
function proxyKey(proxy: ProxyReading): string {
  const known = proxyKeys.get(proxy) ?? claimKey(proxy.proto, proxy.hostIp, proxy.hostPort);
  proxyKeys.set(proxy, known);
  return known;
}

/** Builds the index. */
export function ownerIndex(input: {
  places: Places;
  containersById: ReadonlyMap<string, ContainerReading>;
  dnats?: OwnerIndex['dnats'];
  services: readonly ServiceReading[];
  processes?: ProcessesReading;
  swarm: boolean;
  withoutDocker?: string;
  ownersReason?: string;
}): OwnerIndex {
  const proxyByPid = new Map<number, ProxyReading>();
  const proxyByKey = new Map<string, ProxyReading>();
  for (const proxy of input.processes?.proxies ?? []) {
    proxyByPid.set(proxy.pid, proxy);
    proxyByKey.set(proxyKey(proxy), proxy);
  }
  return {
    ...input.places,
    containersById: input.containersById,
    dnats: input.dnats ?? new Map(),
    services: input.services,
    processes: input.processes?.processes ?? {},
    proxyByPid,
    proxyByKey,
    swarm: input.swarm,
    withoutDocker: input.withoutDocker,
    ownersReason: input.ownersReason,
  };
}

/** The container of this daemon that a cgroup path names: the innermost one, for Docker may run in Docker. */
export function containerOfCgroup(cgroup: string | undefined, index: OwnerIndex): ContainerReading | undefined {
  const ids = cgroup?.match(/[0-9a-f]{64}/g) ?? [];
  return ids
    .toReversed()
    .map(id => index.containersById.get(id))
    .find(container => container !== undefined);
}

/** The systemd unit that a cgroup path names (systemd.unit(5)), scopes of containers excepted. */
export function unitOfCgroup(cgroup: string | undefined): string | undefined {
  const unit = cgroup?.match(/\/([^/]+\.(?:service|socket))(?:\/|$)/g)?.at(-1);
  return unit?.replaceAll('/', '');
}

/** Who holds a socket and where it leads. */
export interface Holder {
  owner: PortOwner;
  target?: Listener['target'];
  /** The process that holds it, of those that have it open; absent when unknown. */
  process?: { pid: number; name: string };
}

/** A container as an owner. */
export const ownerOf = (container: ContainerReading, via: PortOwner['via']): PortOwner => ({
  kind: 'container',
  containerId: container.id,
  containerName: container.name,
  ...(via === undefined ? {} : { via }),
});

/** Ports that dockerd itself may listen on (swarm: docs "Open protocols and ports between the hosts"; API: 2375, 2376). */
const dockerPorts: Record<number, string> = {
  2375: 'the Docker API',
  2376: 'the Docker API over TLS',
  2377: 'swarm management',
  4789: 'VXLAN of the overlay networks',
  7946: 'swarm node discovery',
};

/** Whether a container that has the proxy's address asked for what the proxy does, though Docker lists no mapping yet. */
function isAskedFor(proxy: ProxyReading, container: ContainerReading): boolean {
  const same = (port: PortBindingReading) => port.proto === proxy.proto && port.containerPort === proxy.containerPort;
  if (container.publishedPorts.some(same)) return false;
  return container.requestedPorts.some(
    port => same(port) && (Number(port.hostPort) === proxy.hostPort || Number(port.hostPort) === 0),
  );
}

/** The owner of a docker-proxy's socket: the container that Docker made it for. */
function proxyHolder(proxy: ProxyReading, index: OwnerIndex): Holder {
  const target = { address: proxy.containerIp, port: proxy.containerPort };
  const process = { pid: proxy.pid, name: 'docker-proxy' };
  const leads = `its docker-proxy leads to ${target.address} port ${target.port}`;
  if (index.withoutDocker !== undefined) {
    return {
      owner: { kind: 'docker', via: 'docker-proxy', reason: `${leads}; ${index.withoutDocker}` },
      target,
      process,
    };
  }
  const mapped = index.published.get(proxyKey(proxy));
  const there = index.byAddress.get(proxy.containerIp) ?? [];
  // Docker gave this very host address and port to that container, and only one socket can have them.
  const container =
    mapped?.port.containerPort === proxy.containerPort
      ? mapped.container
      : there.find(candidate => isAskedFor(proxy, candidate));
  if (container) {
    return { owner: ownerOf(container, 'docker-proxy'), target: { containerId: container.id, ...target }, process };
  }
  const who = there[0];
  const reason = who
    ? `${leads}, which is ${who.name}'s address, but Docker lists no such mapping for it`
    : `${leads}, which no running container has`;
  return { owner: { kind: 'docker', via: 'docker-proxy', reason }, target, process };
}

/** The running container that Docker lists for exactly this host address and port. */
function mappedHolder(socket: SocketReading, index: OwnerIndex, via: PortOwner['via']): Holder | undefined {
  const mapped = index.published.get(claimKey(socket.proto, socket.address, socket.port));
  if (!mapped || index.withoutDocker !== undefined) return undefined;
  const { container, port } = mapped;
  const target = mappedTarget(socket, container, port, index);
  return {
    owner: ownerOf(container, via),
    ...(target ? { target: { containerId: container.id, ...target } } : {}),
  };
}

/**
 * Where a published port without a docker-proxy leads: as the DNAT rule says, if that is an address of the container; or
 * to its only address. Of several (and of overlay networks, which are entered by another) none is guessed.
 */
function mappedTarget(
  socket: SocketReading,
  container: ContainerReading,
  port: PortBindingReading,
  index: OwnerIndex,
): { address: string; port: number } | undefined {
  const dnat = index.dnats.get(claimKey(socket.proto, socket.address, socket.port));
  if (dnat?.port === port.containerPort && index.byAddress.get(dnat.address)?.includes(container)) return dnat;
  const known = index.addresses.get(container.id)?.filter(address => address.includes(':') === (socket.family === 6));
  const [address, ...others] = known ?? [];
  return address === undefined || others.length > 0 ? undefined : { address, port: port.containerPort };
}

/** The owner of a socket of dockerd: a published port without docker-proxy, a swarm service's port, or Docker itself. */
function daemonHolder(socket: SocketReading, index: OwnerIndex): Holder {
  const mapped = mappedHolder(socket, index, 'dockerd');
  if (mapped) return mapped;
  if (index.withoutDocker !== undefined) {
    return { owner: { kind: 'docker', via: 'dockerd', reason: index.withoutDocker } };
  }
  const service = index.services.find(item =>
    item.ports.some(
      port => port.mode === 'ingress' && port.proto === socket.proto && port.publishedPort === socket.port,
    ),
  );
  if (service) return { owner: { kind: 'docker', service: service.name, via: 'dockerd' } };
  const own = dockerPorts[socket.port];
  if (own !== undefined) return { owner: { kind: 'docker', via: 'dockerd', reason: own } };
  const reason = index.swarm
    ? 'no container publishes it and no service that this daemon lists (only a swarm manager lists services)'
    : 'no running container publishes it';
  return { owner: { kind: 'docker', via: 'dockerd', reason } };
}

/**
 * Programs that hold published ports in the place of dockerd and docker-proxy: rootlesskit's port drivers for rootless Docker,
 * for Podman conmon, which keeps others from a port that DNAT leads away, and its own forwarder where it is rootless.
 */
const portHolders = new Set(['rootlesskit', 'slirp4netns', 'pasta', 'pasta.avx2', 'passt', 'conmon', 'rootlessport']);

/**
 * The owner of a socket by the cgroup of its holder: a container of this daemon, or why it is none although the path names
 * one. undefined: the path names no container.
 */
export function cgroupOwner(cgroup: string | undefined, index: OwnerIndex): PortOwner | undefined {
  const id = cgroup
    ?.match(/[0-9a-f]{64}/g)
    ?.at(-1)
    ?.slice(0, 12);
  if (id === undefined) return undefined;
  if (index.withoutDocker !== undefined) {
    return { kind: 'unknown', reason: `it is in container ${id}; ${index.withoutDocker}` };
  }
  const container = containerOfCgroup(cgroup, index);
  if (container) return ownerOf(container, 'own');
  // Other runtimes name themselves in the path: libpod-, kubepods, crio-.
  return cgroup?.includes('docker')
    ? { kind: 'unknown', reason: `it is in container ${id}, which is not among this daemon's` }
    : { kind: 'process', reason: `it is in container ${id} of another runtime` };
}

/** A process as it was read, unless its pid was another's name then: pids are used again. */
export function processOf(opener: { pid: number; name: string }, index: OwnerIndex): ProcessReading | undefined {
  const process = index.processes[opener.pid];
  return process?.name === opener.name ? process : undefined;
}

/** The owner of a socket whose process is known. */
function processHolder(socket: SocketReading, opener: { pid: number; name: string }, index: OwnerIndex): Holder {
  const cgroup = processOf(opener, index)?.cgroup ?? socket.cgroup;
  if (opener.name === 'dockerd') return daemonHolder(socket, index);
  if (opener.name === 'docker-proxy') {
    const reason = index.withoutDocker ?? 'its command line, which says whom it serves, was not read';
    const owner: PortOwner = { kind: 'docker', via: 'docker-proxy', reason };
    return mappedHolder(socket, index, 'docker-proxy') ?? { owner };
  }
  const owner = cgroupOwner(cgroup, index);
  if (owner) return { owner };
  if (portHolders.has(opener.name)) {
    const mapped = mappedHolder(socket, index, undefined);
    if (mapped) return mapped;
  }
  if (cgroup === undefined) {
    return { owner: { kind: 'unknown', reason: `which cgroup process ${opener.pid} is in was not read` } };
  }
  return { owner: { kind: 'process' } };
}

/** The owner of a socket whose process is not known. */
function anonymousHolder(socket: SocketReading, index: OwnerIndex): Holder {
  const owner = cgroupOwner(socket.cgroup, index);
  if (owner?.kind === 'container') return { owner };
  const proxy = index.proxyByKey.get(claimKey(socket.proto, socket.address, socket.port));
  if (proxy) return proxyHolder(proxy, index);
  if (owner) return { owner };
  const unit = unitOfCgroup(socket.cgroup);
  if (unit !== undefined && !unit.includes('docker')) return { owner: { kind: 'process' } };
  const mapped = mappedHolder(socket, index, undefined);
  if (mapped) return mapped;
  if (unit === 'docker.service') return daemonHolder(socket, index);
  if (unit !== undefined) return { owner: { kind: 'process' } };
  // The kernel's own sockets have no process; VXLAN's is the one that Docker makes (IANA: UDP 4789).
  const isVxlan = socket.proto === 'udp' && socket.port === 4789;
  if (socket.processes?.length === 0) {
    return isVxlan && index.swarm
      ? { owner: { kind: 'docker', reason: dockerPorts[4789] } }
      : {
          owner: { kind: 'unknown', reason: "no process has it open: it is the kernel's own, as VXLAN's or NFS's are" },
        };
  }
  const reason = socket.processesReason ?? index.ownersReason ?? 'the process that holds it could not be read';
  return { owner: { kind: 'unknown', reason } };
}

const dockersOwn = new Set(['dockerd', 'docker-proxy']);

/** The docker-proxy that holds a socket. dockerd may keep a copy of the socket that it has handed to docker-proxy. */
function proxyOf({ processes, proto, port }: SocketReading, index: OwnerIndex): ProxyReading | undefined {
  for (const { pid } of processes ?? []) {
    const proxy = index.proxyByPid.get(pid);
    if (proxy?.hostPort === port && proxy.proto === proto) return proxy;
  }
  return undefined;
}

/**
 * All that a socket's owner hangs on beside the containers' names and `withoutDocker`, where that is a few things; undefined
 * where it also hangs on who has which address, on rules or on services.
 */
export function restsOn(socket: SocketReading, index: OwnerIndex): readonly unknown[] | undefined {
  const proxy = proxyOf(socket, index);
  if (proxy) {
    const mapped = index.published.get(proxyKey(proxy));
    if (mapped?.port.containerPort !== proxy.containerPort) return undefined;
    return [proxy, mapped.container.id, index.processes[proxy.pid]];
  }
  const { processes } = socket;
  const [opener] = processes ?? [];
  if (!opener || dockersOwn.has(opener.name) || portHolders.has(opener.name)) return undefined;
  if (processes?.some(({ pid }) => index.proxyByPid.has(pid))) return undefined;
  const process = index.processes[opener.pid];
  return process && [process];
}

/** Who holds a socket of the host's netns. */
export function holderOf(socket: SocketReading, index: OwnerIndex): Holder {
  const proxy = proxyOf(socket, index);
  if (proxy) return proxyHolder(proxy, index);
  const [opener] = socket.processes ?? [];
  if (!opener) return anonymousHolder(socket, index);
  return { process: opener, ...processHolder(socket, opener, index) };
}
