/**
 * The snapshot: what netdash concludes about a host at one moment. This one definition is the public JSON interface
 * (`netdash/1`), the TypeScript types that the rest of netdash uses, the validator of recordings and tests, the JSON
 * Schema and `docs/json.md`. Changes may only add.
 *
 * Conventions: camelCase; ids are Docker's 64 hex digits; names have no slash; times are ISO 8601 in UTC; `proto` is
 * tcp, udp or sctp; wildcards are `0.0.0.0` and `::`. What cannot be known is null, and the object's `unknown` says why,
 * by field name.
 */
import * as v from 'valibot';

/** Attaches a description without changing the schema's type. */
const about = <T extends v.GenericSchema>(schema: T, description: string): T =>
  v.pipe(schema, v.description(description)) as unknown as T;
const text = (description: string) => about(v.string(), description);
const int = (description: string) => about(v.pipe(v.number(), v.integer()), description);
const bool = (description: string) => about(v.boolean(), description);
const time = (description: string) => about(v.pipe(v.string(), v.isoTimestamp()), description);
const unknown = v.optional(
  about(v.record(v.string(), v.string()), 'Why fields are null or may be incomplete: field name → reason.'),
);

export const ProtoSchema = v.picklist(['tcp', 'udp', 'sctp']);

export const SourceSchema = v.object({
  state: about(
    v.picklist(['ok', 'partial', 'failed']),
    'partial: usable, `reason` says what is missing; failed: not readable now, what is shown of it is the last good reading.',
  ),
  reason: v.optional(text('Why the state is not ok.')),
  ageMs: about(v.nullable(v.number()), 'Age of the last good reading; null when there never was one.'),
  waitingMs: v.optional(
    about(v.number(), 'While it was asked and has not answered or failed yet: for how long, in whole seconds.'),
  ),
});

export const NetworkModeSchema = v.picklist([
  'bridge',
  'user-bridge',
  'host',
  'container',
  'none',
  'overlay',
  'macvlan',
  'ipvlan',
  'custom',
]);

export const PortOwnerSchema = v.object({
  kind: about(
    v.picklist(['container', 'process', 'docker', 'unknown']),
    'container: a process of the container, or Docker (docker-proxy, dockerd) on its behalf; process: a process outside Docker; docker: Docker for itself (API, swarm); unknown: `reason` says why.',
  ),
  containerId: v.optional(v.string()),
  containerName: v.optional(v.string()),
  service: v.optional(text('The swarm service whose published port it is.')),
  via: v.optional(
    about(
      v.picklist(['docker-proxy', 'dockerd', 'own']),
      'How a container holds it: through docker-proxy, through dockerd, or with a socket of its own process (host mode).',
    ),
  ),
  reason: v.optional(v.string()),
});

export const ListenerSchema = v.object({
  proto: ProtoSchema,
  address: text('The local address; 0.0.0.0 and :: are wildcards.'),
  port: int('The local port.'),
  v6only: v.optional(
    about(
      v.nullable(v.boolean()),
      'IPv6 sockets only: IPV6_V6ONLY; null when unknown. A :: listener with false also takes IPv4.',
    ),
  ),
  pid: about(v.nullable(v.number()), 'The process that holds it; null when unknown or when the kernel holds it.'),
  process: about(v.nullable(v.string()), 'Name of that process.'),
  unit: v.optional(text('The systemd unit that process belongs to.')),
  owner: PortOwnerSchema,
  target: v.optional(
    about(
      v.object({ containerId: v.optional(v.string()), address: v.string(), port: v.number() }),
      'Where a docker-proxy or dockerd listener leads: the address and port inside the container.',
    ),
  ),
  device: v.optional(
    text('The interface that it is bound to (SO_BINDTODEVICE): it takes nothing that comes by another.'),
  ),
  embeddedDns: v.optional(bool('True for the Docker DNS sockets (127.0.0.11) inside a container.')),
  unknown,
});

export const EndpointSchema = v.object({
  network: text('Name of the network.'),
  networkId: v.optional(v.string()),
  driver: text('Driver of the network; "unknown" when the network is not listed.'),
  aliases: v.array(v.string()),
  links: about(v.array(v.string()), '`--link` as name:alias.'),
  ipv4: v.optional(v.string()),
  ipv6: v.optional(v.string()),
  mac: v.optional(v.string()),
  gateway: v.optional(v.string()),
  gateway6: v.optional(v.string()),
  interface: v.optional(text('Name of the interface inside the container.')),
  veth: v.optional(text('Name of the host end of the pair.')),
  bridge: v.optional(text('The bridge that the veth is a port of.')),
  parent: v.optional(text('macvlan and ipvlan: the host interface it hangs on.')),
  unknown,
});

export const RequestedPortSchema = v.object({
  proto: ProtoSchema,
  hostIp: text(
    "The host address asked for; '' when none was (Docker then takes every address, or the network's default).",
  ),
  hostPort: about(
    v.nullable(v.union([v.number(), v.object({ from: v.number(), to: v.number() })])),
    'A port, a range of which Docker takes one, or null for ephemeral.',
  ),
  containerPort: int('The port inside the container.'),
});

export const PublishedPortSchema = v.object({
  proto: ProtoSchema,
  hostIp: v.string(),
  hostPort: v.number(),
  containerPort: v.number(),
  ephemeral: bool('Docker picked the host port.'),
});

export const RoutedPortSchema = v.object({
  proto: ProtoSchema,
  hostIp: text('The wildcard of the address family; Docker gives it no meaning.'),
  containerPort: v.number(),
});

export const ProcessSchema = v.object({
  pid: v.number(),
  ppid: v.number(),
  name: v.string(),
  command: text('The command line, arguments joined by spaces.'),
  uid: v.number(),
});

export const ContainerSchema = v.object({
  id: v.string(),
  name: v.string(),
  image: v.string(),
  state: v.picklist(['created', 'running', 'paused', 'restarting', 'removing', 'exited', 'dead']),
  exitCode: v.optional(int('Of the last run; absent while it runs and before the first run.')),
  error: v.optional(text("Docker's own text of why the last start failed.")),
  health: v.optional(v.picklist(['starting', 'healthy', 'unhealthy'])),
  pid: int('Host pid of the first process; 0 when it does not run.'),
  restartCount: int('How often the restart policy has restarted it.'),
  startedAt: v.optional(time('Start of the current or last run.')),
  finishedAt: v.optional(time('End of the last run.')),
  hostname: v.string(),
  dns: about(v.array(v.string()), 'DNS servers asked for by `--dns`; empty means the daemon default.'),
  command: v.optional(text('The first process with its arguments.')),
  networkMode: NetworkModeSchema,
  sharesNetnsWith: v.optional(
    v.object({
      id: text('Id of the container whose netns it joined.'),
      name: v.optional(text('Its name; absent when that container no longer exists.')),
    }),
  ),
  composeProject: v.optional(v.string()),
  composeService: v.optional(v.string()),
  swarmService: v.optional(v.string()),
  endpoints: v.array(EndpointSchema),
  requestedPorts: v.array(RequestedPortSchema),
  publishedPorts: about(v.array(PublishedPortSchema), 'What Docker has mapped now; empty when it does not run.'),
  routedPorts: v.optional(
    about(
      v.array(RoutedPortSchema),
      "Ports that Docker publishes without a port of the host (a network's gateway mode is routed): they are open at the container's own addresses.",
    ),
  ),
  exposedPorts: v.array(v.object({ proto: ProtoSchema, port: v.number() })),
  listeners: about(
    v.nullable(v.array(ListenerSchema)),
    "Listeners in its netns; null when unknown. A host-mode container's are those of its own processes in the host's netns; a sharer lists the whole shared netns.",
  ),
  processes: v.optional(about(v.nullable(v.array(ProcessSchema)), 'Its processes, by host pid; null when unknown.')),
  netns: v.optional(int('Inode of its network namespace.')),
  unknown,
});

export const NetworkSchema = v.object({
  id: v.string(),
  name: v.string(),
  driver: v.string(),
  scope: v.string(),
  internal: v.boolean(),
  ingress: v.boolean(),
  attachable: v.boolean(),
  ipv4: v.boolean(),
  ipv6: v.boolean(),
  bridge: v.optional(text('Name of its bridge on the host.')),
  parent: v.optional(text('macvlan and ipvlan: the host interface it hangs on.')),
  icc: v.optional(bool('bridge driver: whether its containers may talk to each other.')),
  masquerade: v.optional(bool('bridge driver: whether its traffic leaves with the host address.')),
  gatewayMode4: v.optional(text('nat, nat-unprotected, routed or isolated.')),
  gatewayMode6: v.optional(v.string()),
  mtu: v.optional(int('As configured.')),
  hostBindingIp: v.optional(text('The host address that ports are published on by default.')),
  subnets: v.array(
    v.object({
      subnet: v.string(),
      gateway: v.optional(v.string()),
      used: int('Addresses in use by endpoints of running containers.'),
      size: about(
        v.nullable(v.number()),
        'How many addresses containers can have; null when astronomically many (IPv6).',
      ),
    }),
  ),
  members: v.array(
    v.object({
      containerId: v.string(),
      containerName: v.string(),
      running: v.boolean(),
      ipv4: v.optional(v.string()),
      ipv6: v.optional(v.string()),
    }),
  ),
  composeProject: v.optional(v.string()),
  options: v.record(v.string(), v.string()),
});

export const LinkSchema = v.object({
  veth: text(
    "Name of the host end of a container's link, or of the container's own interface seen from the host for a veth without a known peer.",
  ),
  ifindex: v.number(),
  bridge: v.optional(text('The bridge it is a port of.')),
  networkId: v.optional(v.string()),
  network: v.optional(v.string()),
  containerId: v.optional(v.string()),
  containerName: v.optional(v.string()),
  containerInterface: v.optional(text('Name of the other end inside the container.')),
  containerIfindex: v.optional(v.number()),
  peer: v.optional(text('Where the other end is when it is known to be in no container.')),
  mac: v.optional(text('MAC of the container end.')),
  up: v.boolean(),
  mtu: v.number(),
  hairpin: v.optional(v.boolean()),
  unknown,
});

export const InterfaceSchema = v.object({
  name: v.string(),
  ifindex: v.number(),
  kind: about(v.string(), 'bridge, veth, macvlan, vxlan…; "physical" for a NIC without a kind, "loopback".'),
  mac: v.optional(v.string()),
  mtu: v.number(),
  up: v.boolean(),
  operstate: v.string(),
  master: v.optional(v.string()),
  addresses: v.array(
    v.object({
      family: v.picklist([4, 6]),
      address: v.string(),
      peer: v.optional(text("The address at the other end, where one was set: the prefix on the link is that one's.")),
      prefixLength: v.number(),
    }),
  ),
  networkId: v.optional(text('The Docker network whose bridge it is.')),
  speedMbit: v.optional(v.number()),
});

export const RuleSchema = v.object({
  backend: v.picklist(['iptables-nft', 'iptables-legacy', 'nft']),
  family: v.picklist(['ip', 'ip6', 'inet', 'arp', 'bridge', 'netdev']),
  table: v.string(),
  chain: v.string(),
  hook: v.optional(text('Of a base chain; a policy is a row of its own with `number` 0.')),
  number: int("1-based position in its chain; 0 is the chain's policy."),
  handle: v.optional(v.number()),
  text: text('The rule as its tool prints it.'),
  packets: v.optional(v.number()),
  bytes: v.optional(v.number()),
  action: text('accept, drop, reject, dnat, masquerade, jump CHAIN, …'),
  author: about(
    v.picklist(['docker', 'podman', 'ufw', 'firewalld', 'kubernetes', 'libvirt', 'fail2ban', 'admin', 'unknown']),
    'Who wrote it, judged by its table, chain and comment; admin is everything else. unknown: a policy of iptables, which dockerd sets as well as others do.',
  ),
  containerIds: about(v.array(v.string()), 'Containers that it names by address or published port.'),
  networkIds: about(v.array(v.string()), 'Docker networks that it names by bridge or subnet.'),
});

export const BindingSideSchema = v.object({ hostIp: v.string(), hostPort: v.number() });

export const PortChangeSchema = v.object({
  at: time('When it was seen; for while-away, when the new port was first seen.'),
  containerId: text('The container now (after a recreate, the new one).'),
  containerName: v.string(),
  proto: ProtoSchema,
  containerPort: v.number(),
  from: v.pipe(v.array(BindingSideSchema), v.minLength(1)),
  to: v.pipe(v.array(BindingSideSchema), v.minLength(1)),
  cause: v.picklist([
    'restart',
    'stop-start',
    'crash',
    'recreate',
    'network-change',
    'daemon-restart',
    'while-away',
    'unknown',
  ]),
});

export const SeveritySchema = v.picklist(['error', 'warning', 'info']);

export const FindingSchema = v.object({
  id: text('Stable: code and subject.'),
  code: v.string(),
  severity: SeveritySchema,
  subject: v.object({
    kind: v.picklist(['container', 'network', 'link', 'listener', 'rule', 'host', 'port']),
    id: v.optional(v.string()),
    name: v.string(),
  }),
  message: text('One line.'),
  evidence: v.array(
    v.object({ source: text('What said it: `docker inspect web`, `ss`, `/proc/sys/…`.'), text: v.string() }),
  ),
  fix: v.optional(text('What the operator can do.')),
  confirm: v.optional(text('A command that shows it without netdash.')),
  containerIds: about(v.array(v.string()), 'Every container it is about, the subject first.'),
  ports: about(
    v.array(v.object({ proto: ProtoSchema, address: v.string(), port: v.number() })),
    'Host ports it is about.',
  ),
  since: time('When it was first seen.'),
  stale: v.optional(bool('It could not be judged again since its source failed.')),
});

export const EventSchema = v.object({
  at: time('When it happened, or when it was noticed.'),
  type: v.picklist([
    'port-changed',
    'container-created',
    'container-started',
    'container-died',
    'container-removed',
    'container-renamed',
    'container-paused',
    'container-unpaused',
    'start-failed',
    'network-connected',
    'network-disconnected',
    'network-created',
    'network-removed',
    'finding-raised',
    'finding-cleared',
    'rules-changed',
    'links-changed',
    'listener-opened',
    'listener-closed',
    'source-failed',
    'source-recovered',
    'daemon-restarted',
  ]),
  text: text('One line.'),
  containerId: v.optional(v.string()),
  containerName: v.optional(v.string()),
  severity: v.optional(SeveritySchema),
  portChange: v.optional(PortChangeSchema),
  finding: v.optional(FindingSchema),
  initial: v.optional(
    bool(
      'finding-raised: true where it was there before netdash began to look, and is told only now since it had to be seen twice. What was found at the first look is not told.',
    ),
  ),
});

export const HostSchema = v.object({
  name: v.string(),
  kind: about(v.picklist(['live', 'recording']), 'recording: nothing here is happening now.'),
  os: v.optional(v.string()),
  kernel: v.optional(v.string()),
  root: bool('Whether netdash reads with effective uid 0.'),
  dockerEndpoint: text('Where Docker was asked.'),
  docker: about(
    v.nullable(
      v.object({
        id: v.string(),
        name: v.string(),
        version: v.string(),
        apiVersion: v.string(),
        rootless: v.boolean(),
        podman: about(v.optional(v.boolean()), 'true where it is Podman that answers in place of Docker.'),
        swarm: v.object({ active: v.boolean(), manager: v.boolean() }),
        local: about(
          v.nullable(v.boolean()),
          'Whether its containers live on this kernel; null when that could not be told.',
        ),
      }),
    ),
    'null when no daemon answers.',
  ),
  firewallBackend: about(
    v.nullable(v.string()),
    "Docker's firewall backend: iptables, nftables, none…; null when unknown.",
  ),
  ipForward: v.object({ v4: v.nullable(v.boolean()), v6: v.nullable(v.boolean()) }),
  forwardPolicy: v.object({
    v4: about(
      v.nullable(v.picklist(['accept', 'drop'])),
      'Policy of the iptables FORWARD chain; null when unknown or when there is none.',
    ),
    v6: v.nullable(v.picklist(['accept', 'drop'])),
  }),
  containersRunning: v.nullable(v.number()),
  containersTotal: v.nullable(v.number()),
  localPortRange: v.optional(v.tuple([v.number(), v.number()])),
  loadAverage: v.optional(v.tuple([v.number(), v.number(), v.number()])),
  memory: v.optional(v.object({ totalBytes: v.number(), availableBytes: v.number() })),
  unknown,
});

export const TrafficSchema = v.object({
  rxBytes: v.number(),
  txBytes: v.number(),
  rxDropped: v.number(),
  txDropped: v.number(),
  rxBytesPerSecond: v.optional(v.number()),
  txBytesPerSecond: v.optional(v.number()),
});

export const SnapshotSchema = v.object({
  schema: v.literal('netdash/1'),
  takenAt: time('When the readings were joined.'),
  sources: v.record(v.string(), SourceSchema),
  host: HostSchema,
  containers: v.array(ContainerSchema),
  networks: v.array(NetworkSchema),
  interfaces: about(
    v.array(InterfaceSchema),
    "The host's own interfaces, bridges included, veths of containers excluded.",
  ),
  links: about(v.array(LinkSchema), 'The veths on the host.'),
  listeners: about(v.nullable(v.array(ListenerSchema)), "Listeners of the host's netns; null when unknown."),
  services: v.array(
    v.object({
      id: v.string(),
      name: v.string(),
      ports: v.array(
        v.object({
          proto: ProtoSchema,
          targetPort: v.number(),
          publishedPort: v.number(),
          mode: v.picklist(['ingress', 'host']),
        }),
      ),
    }),
  ),
  rules: about(v.nullable(v.array(RuleSchema)), 'Netfilter rules in evaluation order; null when unknown.'),
  traffic: about(
    v.record(v.string(), TrafficSchema),
    "Counters by host interface, from the host's side: what a container receives, its veth transmits.",
  ),
  portChanges: about(v.array(PortChangeSchema), 'Newest first.'),
  findings: about(v.array(FindingSchema), 'Errors first, then by code and subject.'),
});

export type Proto = v.InferOutput<typeof ProtoSchema>;
export type NetworkMode = v.InferOutput<typeof NetworkModeSchema>;
export type Source = v.InferOutput<typeof SourceSchema>;
export type PortOwner = v.InferOutput<typeof PortOwnerSchema>;
export type Listener = v.InferOutput<typeof ListenerSchema>;
export type Endpoint = v.InferOutput<typeof EndpointSchema>;
export type RequestedPort = v.InferOutput<typeof RequestedPortSchema>;
export type PublishedPort = v.InferOutput<typeof PublishedPortSchema>;
export type RoutedPort = v.InferOutput<typeof RoutedPortSchema>;
export type Container = v.InferOutput<typeof ContainerSchema>;
export type Network = v.InferOutput<typeof NetworkSchema>;
export type Link = v.InferOutput<typeof LinkSchema>;
export type Interface = v.InferOutput<typeof InterfaceSchema>;
export type Rule = v.InferOutput<typeof RuleSchema>;
export type PortChange = v.InferOutput<typeof PortChangeSchema>;
export type Severity = v.InferOutput<typeof SeveritySchema>;
export type Finding = v.InferOutput<typeof FindingSchema>;
export type NetdashEvent = v.InferOutput<typeof EventSchema>;
export type HostFacts = v.InferOutput<typeof HostSchema>;
export type Traffic = v.InferOutput<typeof TrafficSchema>;
export type Snapshot = v.InferOutput<typeof SnapshotSchema>;
