/**
 * Small builders of readings for tests of facts/: each takes what the test is about and fills in the rest with what
 * Docker and the kernel say of an ordinary container.
 */
import type {
  ContainerReading,
  DockerReading,
  EndpointReading,
  EngineReading,
  InsideInterface,
  InsideReading,
  LinkReading,
  NetworkReading,
  PortBindingReading,
  ProcessReading,
  Proto,
  ProxyReading,
  Reading,
  Readings,
  SocketReading,
} from '../../source/host/readings.ts';

/** When the readings of these tests were taken, ms since the epoch. */
export const now = Date.UTC(2026, 10, 21, 9, 0, 0);

/** 64 hex digits made of a short text, the same every time. */
export function hexId(seed: string): string {
  const digits = Buffer.from(seed).toString('hex');
  return digits.padEnd(64, '0').slice(0, 64);
}

/** A reading that is complete. */
export function ok<T>(value: T, at = now): Reading<T> {
  return { state: 'ok', at, value };
}

/** A binding as Docker writes it: `port('8080', 80)`, `port('', 80)`, `port('5000', 5000, {proto: 'udp'})`. */
export function port(
  hostPort: string,
  containerPort: number,
  rest: { proto?: Proto; hostIp?: string } = {},
): PortBindingReading {
  return { proto: rest.proto ?? 'tcp', containerPort, hostIp: rest.hostIp ?? '', hostPort };
}

/** An endpoint on a network, with an address when it is given. */
export function endpoint(on: string, rest: Partial<EndpointReading> = {}): EndpointReading {
  return { network: on, networkId: hexId(`net-${on}`), aliases: [], links: [], ...rest };
}

let nextPid = 1000;

/** A running container on the default bridge. Its id is `hexId(name)`; `pid` is a fresh one unless it does not run. */
export function container(name: string, rest: Partial<ContainerReading> = {}): ContainerReading {
  const state = rest.state ?? 'running';
  const hasProcess = state === 'running' || state === 'paused';
  return {
    id: hexId(name),
    name,
    image: 'web:1',
    created: now - 3_600_000,
    state,
    exitCode: 0,
    error: '',
    oomKilled: false,
    pid: hasProcess ? nextPid++ : 0,
    ...(state === 'created' ? {} : { startedAt: now - 600_000 }),
    ...(state === 'exited' || state === 'dead' || state === 'restarting' ? { finishedAt: now - 60_000 } : {}),
    restartCount: 0,
    restartPolicy: 'no',
    hostname: hexId(name).slice(0, 12),
    dns: [],
    command: ['httpd', '-f'],
    networkMode: 'bridge',
    links: [],
    labels: {},
    endpoints: [endpoint('bridge')],
    requestedPorts: [],
    publishAllPorts: false,
    exposedPorts: [],
    publishedPorts: [],
    sandboxKey: '',
    inspectedAt: now,
    ...rest,
  };
}

/** A network; its id is `hexId('net-' + name)`. The default one is `network('bridge')`. */
export function network(name: string, rest: Partial<NetworkReading> = {}): NetworkReading {
  return {
    id: hexId(`net-${name}`),
    name,
    driver: 'bridge',
    scope: 'local',
    internal: false,
    ingress: false,
    attachable: false,
    ipv4: true,
    ipv6: false,
    options: {},
    ipam: [],
    created: '2026-11-21T08:00:00Z',
    ...rest,
  };
}

/** Docker 28 on this kernel. */
export function engine(rest: Partial<EngineReading> = {}): EngineReading {
  return {
    id: 'engine-1',
    name: 'host1',
    version: '28.5.2',
    apiVersion: '1.51',
    operatingSystem: 'Debian GNU/Linux 12',
    kernelVersion: '6.18.0',
    rootless: false,
    liveRestore: false,
    swarm: { active: false, manager: false },
    local: true,
    firewallBackend: 'iptables',
    ...rest,
  };
}

/** Docker's reading with the three networks that always exist and whatever else is given. */
export function docker(rest: Partial<DockerReading> = {}): DockerReading {
  return {
    engine: rest.engine ?? engine(),
    containers: rest.containers ?? [],
    networks: [
      network('bridge', { options: { 'com.docker.network.bridge.name': 'docker0' } }),
      network('host', { driver: 'host' }),
      network('none', { driver: 'null' }),
      ...(rest.networks ?? []),
    ],
    services: rest.services ?? [],
  };
}

/** An interface of the host. */
export function link(ifindex: number, name: string, rest: Partial<LinkReading> = {}): LinkReading {
  return { ifindex, name, mtu: 1500, up: true, operstate: 'UP', addresses: [], ...rest };
}

/** A veth of the host whose peer is `peerIfindex` in the namespace `netnsId`. */
export function veth(
  ifindex: number,
  peerIfindex: number,
  netnsId: number,
  master: string | undefined = 'docker0',
  rest: Partial<LinkReading> = {},
): LinkReading {
  return link(ifindex, `veth${ifindex}`, {
    kind: 'veth',
    peerIfindex,
    peerNetnsId: netnsId,
    ...(master === undefined ? {} : { master }),
    ...rest,
  });
}

/** An interface inside a container: `inner('eth0', 2, 11, {mac, ipv4})`. */
export function inner(
  name: string,
  ifindex: number,
  iflink: number,
  rest: { mac?: string; kind?: string; ipv4?: string; ipv6?: string } = {},
): InsideInterface {
  const addresses: InsideInterface['addresses'] = [];
  if (rest.ipv4 !== undefined) addresses.push({ family: 4, address: rest.ipv4, prefixLength: 16, scope: 'global' });
  if (rest.ipv6 !== undefined) addresses.push({ family: 6, address: rest.ipv6, prefixLength: 64, scope: 'global' });
  return {
    name,
    ifindex,
    iflink,
    ...(rest.mac === undefined ? {} : { mac: rest.mac }),
    ...(rest.kind === undefined ? {} : { kind: rest.kind }),
    addresses,
  };
}

/** What was read inside a running container: lo and the interfaces given. */
export function inside(
  of: ContainerReading,
  interfaces: InsideInterface[],
  rest: Partial<InsideReading> = {},
): Record<string, Reading<InsideReading>> {
  const lo = inner('lo', 1, 1, { ipv4: '127.0.0.1' });
  return { [of.id]: ok({ containerId: of.id, pid: of.pid, interfaces: [lo, ...interfaces], listeners: [], ...rest }) };
}

/** A listener: `socket('0.0.0.0', 8080)`; TCP unless said; one with `:` in its address is IPv6. */
export function socket(address: string, portNumber: number, rest: Partial<SocketReading> = {}): SocketReading {
  const proto = rest.proto ?? 'tcp';
  return {
    proto,
    family: address.includes(':') ? 6 : 4,
    address,
    port: portNumber,
    state: proto === 'tcp' ? 'LISTEN' : 'UNCONN',
    inode: 0,
    uid: 0,
    ...rest,
  };
}

/** A process of the host. */
export function process(pid: number, name: string, rest: Partial<ProcessReading> = {}): ProcessReading {
  return { pid, ppid: 1, name, cmdline: [name], cgroup: '/', uid: 0, startTicks: 100, ...rest };
}

/** A docker-proxy: `proxy(501, '0.0.0.0', 8080, '172.17.0.2', 80)`. */
export function proxy(
  pid: number,
  hostIp: string,
  hostPort: number,
  containerIp: string,
  containerPort: number,
  proto: Proto = 'tcp',
): ProxyReading {
  return { pid, proto, hostIp, hostPort, containerIp, containerPort };
}

/** All readings of a host: nothing on it but what is given. */
export function readings(rest: Partial<Readings> = {}): Readings {
  return {
    docker: ok(docker()),
    links: ok({ links: [link(1, 'lo'), link(2, 'eth0')], routes: [], traffic: {} }),
    sockets: ok({ listeners: [], holding: [] }),
    netfilter: ok({ chains: [], tools: [], sets: {} }),
    kernel: ok({ interfaces: {} }),
    processes: ok({ processes: {}, proxies: [] }),
    vitals: ok({
      hostname: 'host1',
      os: 'Debian GNU/Linux 12',
      kernel: '6.18.0',
      uptimeSeconds: 1000,
      loadAverage: [0, 0, 0],
      memory: { totalBytes: 8e9, availableBytes: 4e9 },
      cpus: 2,
      nics: {},
    }),
    inside: {},
    ...rest,
  };
}
