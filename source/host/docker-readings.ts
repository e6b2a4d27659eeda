/** What the Docker daemon answered, parsed and not judged; the conventions of readings.ts hold here as well. */

/** The protocols that Docker publishes ports of. */
export type Proto = 'tcp' | 'udp' | 'sctp';

/** The daemon, from /version and /info. */
export interface EngineReading {
  id: string;
  name: string;
  version: string;
  apiVersion: string;
  operatingSystem: string;
  kernelVersion: string;
  /** `SecurityOptions` has `name=rootless`: rules and links are then in another netns. */
  rootless: boolean;
  /** Set where it is Podman that speaks Docker's language (`podman system service`). */
  podman?: true;
  /** `/info.FirewallBackend.Driver` (Docker 28.1 and later): iptables, iptables+firewalld, nftables… */
  firewallBackend?: string;
  /** Whether it starts a docker-proxy for each published port; absent where neither it (Docker 29.3 and later) nor its command line says so. */
  userlandProxy?: boolean;
  liveRestore: boolean;
  swarm: { active: boolean; manager: boolean };
  /**
   * Whether the daemon's containers live on this very kernel: `State.Pid` of a running one is here and its cgroup or
   * netns is the container's, or, with none running, the daemon's bridges are here. undefined: could not be told.
   */
  local?: boolean;
  /** Why `local` is what it is. */
  localReason?: string;
  /** Set where `local` is false and the daemon's bridges are here all the same: only its processes cannot be seen. */
  networkHere?: boolean;
}

/** One requested or given mapping. `hostIp` is '' where Docker has '' (not asked for), else canonical. */
export interface PortBindingReading {
  proto: Proto;
  containerPort: number;
  hostIp: string;
  /** As Docker has it: '' or '0' for ephemeral, '8080', '8000-8010'. */
  hostPort: string;
}

/** An endpoint: `NetworkSettings.Networks[name]`. Fields that are empty in the API are absent here. */
export interface EndpointReading {
  network: string;
  networkId?: string;
  endpointId?: string;
  ipv4?: string;
  ipv4PrefixLength?: number;
  ipv6?: string;
  ipv6PrefixLength?: number;
  mac?: string;
  gateway?: string;
  gateway6?: string;
  /** Without the container's own short id. */
  aliases: string[];
  /** As given to `--link`: `web:w`. */
  links: string[];
  gatewayPriority?: number;
}

export type ContainerState = 'created' | 'running' | 'paused' | 'restarting' | 'removing' | 'exited' | 'dead';

/** A container: `GET /containers/{id}/json`, less its environment, which is never kept. */
export interface ContainerReading {
  id: string;
  /** Without the leading slash. */
  name: string;
  image: string;
  created: number;
  state: ContainerState;
  exitCode: number;
  /** `State.Error`: why the last start failed; '' when it did not. */
  error: string;
  oomKilled: boolean;
  /** Host pid of its first process; 0 when it does not run. */
  pid: number;
  /** ms since the epoch; absent when it never started. */
  startedAt?: number;
  finishedAt?: number;
  restartCount: number;
  restartPolicy: string;
  health?: 'starting' | 'healthy' | 'unhealthy';
  hostname: string;
  dns: string[];
  /** Path and arguments of the first process. */
  command: string[];
  /** `HostConfig.NetworkMode` as Docker has it: default, bridge, host, none, container:<id>, <network name or id>. */
  networkMode: string;
  /** Set where it may change the rules of the netns it is in: privileged, or with the capability NET_ADMIN. */
  mayChangeRules?: true;
  /** `HostConfig.Links`, as `name:alias`, names without slash. */
  links: string[];
  /** The few labels netdash uses: com.docker.compose.project/.service, com.docker.swarm.service.id/.name. */
  labels: Record<string, string>;
  endpoints: EndpointReading[];
  /** `HostConfig.PortBindings`. */
  requestedPorts: PortBindingReading[];
  publishAllPorts: boolean;
  /** `Config.ExposedPorts`. */
  exposedPorts: { proto: Proto; port: number }[];
  /** `NetworkSettings.Ports`: may be stale when the container does not run (FACTS: after a daemon crash). */
  publishedPorts: PortBindingReading[];
  sandboxKey: string;
  /** When this inspect was answered. */
  inspectedAt: number;
  /** Set when only the list knew this container and inspect failed; the fields only inspect has are then empty. */
  inspectError?: string;
  /** What the list said at this inspect, for noticing a change; absent when it was made without a list. */
  listSignature?: string;
}

/** A network: `GET /networks` (and its members, which the containers' endpoints give). */
export interface NetworkReading {
  id: string;
  name: string;
  driver: string;
  scope: string;
  internal: boolean;
  ingress: boolean;
  attachable: boolean;
  ipv4: boolean;
  ipv6: boolean;
  options: Record<string, string>;
  /** Podman's: the bridge that it made, '' where it does not say. Of Docker's networks, id and options tell. */
  bridge?: string;
  ipam: { subnet: string; gateway?: string; ipRange?: string }[];
  created: string;
  composeProject?: string;
}

/** A swarm service's published port (`GET /services`, Endpoint.Ports): known to no container. */
export interface ServiceReading {
  id: string;
  name: string;
  ports: { proto: Proto; targetPort: number; publishedPort: number; mode: 'ingress' | 'host' }[];
}

export interface DockerReading {
  engine: EngineReading;
  containers: ContainerReading[];
  networks: NetworkReading[];
  /** Empty when the daemon is no swarm manager. */
  services: ServiceReading[];
}
