/**
 * What each source said at one moment: parsed, not judged. `host/` makes these, `facts/` draws conclusions from them.
 * Addresses are in their canonical text form (IPv6 compressed, lower case, no zone, no prefix unless said), ids are Docker's
 * 64 hex digits, times are ms since the epoch unless the field says ISO.
 */

/** The sources of readings, in the order in which the header lists them. */
export const sourceNames = ['docker', 'links', 'sockets', 'netfilter', 'kernel', 'processes', 'vitals'] as const;
export type SourceName = (typeof sourceNames)[number];

/**
 * One source's latest reading.
 * - `ok`: complete; `partial`: usable, but `reason` says what is missing; `failed`: nothing new, `reason` says why;
 *   `pending`: not asked yet.
 * - `value` is the last good one, also under `failed`; `at` is when it was taken.
 */
export interface Reading<T> {
  state: 'ok' | 'partial' | 'failed' | 'pending';
  reason?: string;
  at?: number;
  value?: T;
  /** Of a pending one: since when its first answer is waited for, ms since the epoch. */
  since?: number;
}

/** The links, of which the counters are read more often than the rest. */
export interface LinksState extends Reading<LinksReading> {
  /** When the counters in `value.traffic` were read, if that was after `at`. */
  trafficAt?: number;
}

/** What a reader in `host/` returns. A reader that has nothing at all throws a HostError instead. */
export interface Outcome<T> {
  value: T;
  /** What is missing of it and why, in one line: the reading is then `partial`. */
  missing?: string;
}

/** All that is known of a host at one moment: the whole input of `facts/`. */
export interface Readings {
  docker: Reading<DockerReading>;
  links: LinksState;
  sockets: Reading<SocketsReading>;
  netfilter: Reading<NetfilterReading>;
  kernel: Reading<KernelReading>;
  processes: Reading<ProcessesReading>;
  vitals: Reading<VitalsReading>;
  /** What was read inside each container's netns, by container id; a container without an entry was not read yet. */
  inside: Record<string, Reading<InsideReading>>;
}

export type Proto = 'tcp' | 'udp' | 'sctp';

// ---------------------------------------------------------------------------------------------------------- docker

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
  /** `/info.FirewallBackend.Driver` (Docker 28.1 and later): iptables, iptables+firewalld, nftables… */
  firewallBackend?: string;
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

// ----------------------------------------------------------------------------------------------------------- links

/** An address on an interface. */
export interface AddressReading {
  family: 4 | 6;
  address: string;
  prefixLength: number;
  scope: string;
}

/** A network interface of the host's netns, from rtnetlink through `ip -j -d link` and `ip -j addr`. */
export interface LinkReading {
  ifindex: number;
  name: string;
  /** `linkinfo.info_kind`: veth, bridge, macvlan, vxlan, vlan, wireguard…; absent for a physical NIC and lo. */
  kind?: string;
  /** IFLA_LINK: the peer's (veth) or parent's (macvlan, vlan) ifindex, in the netns `peerNetnsId`. */
  peerIfindex?: number;
  /** IFLA_LINK_NETNSID, relative to this netns; absent when the peer is in this netns too. */
  peerNetnsId?: number;
  /** Name of the bridge (or bond, VRF) it is a port of. */
  master?: string;
  mac?: string;
  mtu: number;
  /** IFF_UP. */
  up: boolean;
  /** operstate: UP, DOWN, LOWERLAYERDOWN, UNKNOWN… */
  operstate: string;
  addresses: AddressReading[];
  /** For a port of a bridge. */
  bridgePort?: { state: string; hairpin: boolean; isolated: boolean };
  /** For a bridge whose own nf_call_iptables / nf_call_ip6tables is on: the families whose rules its frames pass. */
  nfCall?: (4 | 6)[];
}

/** A route, from `ip -j route show table all` (both families). */
export interface RouteReading {
  family: 4 | 6;
  /** `default` or CIDR (a host route has /32 or /128). */
  destination: string;
  gateway?: string;
  device?: string;
  table: string;
  /** unicast, local, broadcast, blackhole… */
  type: string;
  protocol: string;
  source?: string;
  metric?: number;
  flags: string[];
}

/** Counters of an interface since it was made, from /proc/net/dev. */
export interface TrafficReading {
  rxBytes: number;
  rxPackets: number;
  rxDropped: number;
  txBytes: number;
  txPackets: number;
  txDropped: number;
}

/** A rule of the routing policy database, from `ip -j rule` (ip-rule(8)). */
export interface RoutingRuleReading {
  family: 4 | 6;
  /** Rules are tried from the lowest on. */
  priority: number;
  /** The table to look in; absent for other actions (blackhole, prohibit, unreachable, nat…). */
  table?: string;
  /** CIDR of the source; absent: any. */
  from?: string;
  to?: string;
  /** `lo` stands for what the host itself sends. */
  iif?: string;
  /** The packet's mark. */
  mark?: { value: number; mask: number };
  /** The whole selector is turned round. */
  negate?: boolean;
  /** Routes with a prefix of this length or shorter do not count. */
  suppressPrefix?: number;
  /** False when it asks for more than the fields above (ports, user ids, TOS, an output interface…). */
  plain: boolean;
  /** As `ip rule` would print it, as far as it is known here. */
  text: string;
}

export interface LinksReading {
  links: LinkReading[];
  routes: RouteReading[];
  /** Of both families, in order; absent when they could not be read. */
  rules?: RoutingRuleReading[];
  /** By interface name. */
  traffic: Record<string, TrafficReading>;
}

// --------------------------------------------------------------------------------------------------------- sockets

/**
 * A socket that holds a local port: a listener (TCP LISTEN, or UDP bound and unconnected), or, only for ports that
 * somebody waits for, one that is bound in another way (an outgoing connection).
 */
export interface SocketReading {
  proto: 'tcp' | 'udp';
  family: 4 | 6;
  /** `0.0.0.0` and `::` for wildcards; a v4-mapped address stays `::ffff:a.b.c.d` (family 6). */
  address: string;
  port: number;
  /** Kernel state: LISTEN, UNCONN, or ESTAB, TIME-WAIT… for `holding` entries. */
  state: string;
  /** IPV6_V6ONLY; absent when unknown (/proc does not tell) or family 4. */
  v6only?: boolean;
  inode: number;
  uid: number;
  /** Interface it is bound to (SO_BINDTODEVICE), when known. */
  device?: string;
  /**
   * Processes that have it open (as descriptor `fd`), first opener first; empty when the kernel itself holds it; absent
   * when that could not be read (`ownersReason`).
   */
  processes?: { pid: number; name: string; fd?: number }[];
  /** The cgroup v2 path of the socket's creator, when `ss` tells it. */
  cgroup?: string;
}

export interface SocketsReading {
  /** Listeners of the host's netns. */
  listeners: SocketReading[];
  /** Other sockets on ports that containers ask for (`wanted` of the read). */
  holding: SocketReading[];
  /** Why processes of some listeners are unknown. */
  ownersReason?: string;
}

// ------------------------------------------------------------------------------------------------------- processes

/** A process that matters: an owner of a listener, a docker-proxy, a container's process. */
export interface ProcessReading {
  pid: number;
  ppid: number;
  /** comm, at most 15 characters, as the kernel has it. */
  name: string;
  cmdline: string[];
  /** cgroup v2 path ('/system.slice/nginx.service'), or the first v1 path that names one. */
  cgroup: string;
  /** The 64 hex digits in its cgroup path, when there are any. */
  containerId?: string;
  /** The systemd unit (`nginx.service`) its cgroup path names, scopes of containers excepted. */
  unit?: string;
  uid: number;
  /** Clock ticks after boot at which it started (field 22 of /proc/pid/stat): tells a reused pid. */
  startTicks: number;
}

export interface ProcessesReading {
  /** By pid. */
  processes: Record<number, ProcessReading>;
  /** Every docker-proxy of this netns, from its command line. */
  proxies: ProxyReading[];
}

/** `docker-proxy -proto tcp -host-ip 0.0.0.0 -host-port 8080 -container-ip 172.17.0.2 -container-port 80`. */
export interface ProxyReading {
  pid: number;
  proto: Proto;
  hostIp: string;
  hostPort: number;
  containerIp: string;
  containerPort: number;
}

// --------------------------------------------------------------------------------------------------------- inside

/** An interface as the container sees it. */
export interface InsideInterface {
  name: string;
  ifindex: number;
  /** The peer's or parent's ifindex in the netns where that is; equals ifindex for lo and the like. */
  iflink: number;
  /** Whether that peer or parent is in this very netns (a veth pair or VLAN made inside); false: in another one; absent: there is none. */
  peerInside?: boolean;
  mac?: string;
  kind?: string;
  addresses: AddressReading[];
}

/** What was read inside one running container's netns. */
export interface InsideReading {
  containerId: string;
  /** The pid through which it was read. */
  pid: number;
  /** Inode of /proc/<pid>/ns/net; absent when it may not be read. */
  netns?: number;
  /** Absent (with `interfacesReason`) when they could not be read. */
  interfaces?: InsideInterface[];
  interfacesReason?: string;
  /**
   * nsid of this netns as seen from the host's netns, concluded from veths whose ends name each other. An interface whose
   * peer is in a third netns (overlay) may match a host veth by chance: two netns with one nsid means that one is wrong.
   */
  netnsId?: number;
  listeners?: SocketReading[];
  listenersReason?: string;
  /** Its main routing table, both families; absent when it could not be read. */
  routes?: RouteReading[];
  /** The netfilter rules of its netns; read only where one of its containers may change them. */
  rules?: NetfilterReading;
  /** Why `rules` is absent, or what is missing of it. */
  rulesReason?: string;
  /** Processes of the container's cgroup. */
  processes?: ProcessReading[];
  processesReason?: string;
}

// --------------------------------------------------------------------------------------------------------- kernel

/** Kernel settings of the host's netns; a value that could not be read is absent. */
export interface KernelReading {
  /** net.ipv4.ip_forward */
  ipForward?: boolean;
  /** net.ipv6.conf.all.forwarding */
  ipv6Forward?: boolean;
  /** net.ipv4.conf.<if>.{forwarding,route_localnet,rp_filter} and net.ipv6.conf.<if>.{forwarding,disable_ipv6}, by interface. */
  interfaces: Record<
    string,
    { forwarding4?: boolean; forwarding6?: boolean; routeLocalnet?: boolean; rpFilter?: number; ipv6Disabled?: boolean }
  >;
  /** net.ipv4.conf.all.rp_filter: the stricter of this and the interface's own holds. */
  rpFilterAll?: number;
  /** net.ipv4.conf.all.route_localnet: holds for every interface, beside its own. */
  routeLocalnetAll?: boolean;
  /** net.ipv4.ip_local_port_range, both ends included. */
  localPortRange?: [number, number];
  unprivilegedPortStart?: number;
  nonlocalBind?: boolean;
  /** net.ipv6.bindv6only */
  bindV6only?: boolean;
  /** net.bridge.bridge-nf-call-iptables / -ip6tables; absent when br_netfilter is not loaded. */
  bridgeNfCallIptables?: boolean;
  bridgeNfCallIp6tables?: boolean;
  conntrackCount?: number;
  conntrackMax?: number;
  /** What IPVS takes for itself; absent when it is not loaded or takes nothing. */
  ipvs?: IpvsService[];
}

/** A service of IPVS: an address and port, or whatever carries a mark. */
export type IpvsService = { kind: 'port'; proto: Proto; address: string; port: number } | { kind: 'mark' };

// --------------------------------------------------------------------------------------------------------- vitals

/** The machine itself, through systeminformation: slow facts, asked rarely. */
export interface VitalsReading {
  hostname: string;
  os: string;
  kernel: string;
  uptimeSeconds: number;
  loadAverage: [number, number, number];
  memory: { totalBytes: number; availableBytes: number };
  cpus: number;
  /** Physical NICs by name: speed in Mbit/s (null: unknown), `wired` or `wireless`, and whether an IPv4 default route leaves by it. */
  nics: Record<string, { speedMbit: number | null; type: string; isDefault: boolean }>;
}

// ------------------------------------------------------------------------------------------------------- netfilter

/** Which tool a table was read with: xtables rules of the nft or of the legacy kernel interface, or native nftables. */
export type NetfilterBackend = 'iptables-nft' | 'iptables-legacy' | 'nft';

/** ip and ip6 are IPv4 and IPv6; inet is both. */
export type NetfilterFamily = 'ip' | 'ip6' | 'inet' | 'arp' | 'bridge' | 'netdev';

export type Hook = 'prerouting' | 'input' | 'forward' | 'output' | 'postrouting' | 'ingress' | 'egress';

/** A chain with its rules in order. A base chain has `hook` and `priority`. */
export interface ChainReading {
  backend: NetfilterBackend;
  family: NetfilterFamily;
  table: string;
  name: string;
  hook?: Hook;
  /** Numeric: raw -300, mangle -150, dstnat -100, filter 0, srcnat 100. */
  priority?: number;
  type?: 'filter' | 'nat' | 'route';
  policy?: 'accept' | 'drop';
  /** Policy counters, where the tool tells them. */
  packets?: number;
  bytes?: number;
  rules: RuleReading[];
}

/** A rule, with what its text means as far as netdash understands it. */
export interface RuleReading {
  /** 1-based position in its chain, as `iptables -L --line-numbers` counts. */
  number: number;
  /** nft's handle. */
  handle?: number;
  /** As the tool that owns it prints it: `-A DOCKER ! -i docker0 -p tcp …`, or nft syntax. */
  text: string;
  packets?: number;
  bytes?: number;
  comment?: string;
  /** All must hold for the rule to apply. */
  matches: RuleMatch[];
  /** What it does to the packet before `target`, in order: an nft rule may set a mark, log and accept all at once. */
  effects?: RuleTarget[];
  target: RuleTarget;
}

/** An inclusive range of numbers; a single value has both ends equal. */
export type Range = [number, number];

/** What a rule asks of a packet. `negate` turns it round. Anything netdash does not evaluate is `unknown`, never dropped. */
export type RuleMatch =
  | {
      kind: 'iif' | 'oif';
      negate: boolean;
      /** Names; one ending in `+` (xtables) or `*` (nft) matches a prefix. */ names: string[];
    }
  | { kind: 'saddr' | 'daddr'; negate: boolean; /** CIDR or `from-to` ranges, either family. */ addresses: string[] }
  | { kind: 'proto'; negate: boolean; /** Lower-case names or numbers as text. */ protos: string[] }
  | { kind: 'sport' | 'dport'; negate: boolean; ports: Range[] }
  | {
      kind: 'ctstate';
      negate: boolean;
      /** Lower case: new, established, related, invalid, untracked, dnat, snat. */ states: string[];
    }
  | { kind: 'ctdir'; negate: boolean; direction: 'original' | 'reply' }
  | { kind: 'ctorigdport'; negate: boolean; ports: Range[] }
  | { kind: 'ctorigdst' | 'ctorigsrc'; negate: boolean; addresses: string[] }
  | {
      kind: 'dsttype' | 'srctype';
      negate: boolean;
      /** Lower case: local, broadcast, multicast, unicast… */ types: string[];
      /** Only the addresses of the interface that the packet came by, or leaves by, count as local. */
      on?: 'iif' | 'oif';
    }
  /** The packet came by the interface that leads back to its source (rpfilter, nft's fib). */
  | { kind: 'rpath'; negate: boolean; /** Whether the packet's mark counts for the way back. */ withMark: boolean }
  | { kind: 'mark'; negate: boolean; value: number; mask: number }
  /** The mark that conntrack keeps for the connection. */
  | { kind: 'connmark'; negate: boolean; value: number; mask: number }
  | { kind: 'nfproto'; negate: boolean; family: 4 | 6 }
  /** Source or destination port (`multiport --ports`). */
  | { kind: 'anyport'; negate: boolean; ports: Range[] }
  /** Of the flags in `mask`, those in `set` are set and no others; lower case. */
  | { kind: 'tcpflags'; negate: boolean; mask: string[]; set: string[] }
  | {
      kind: 'pkttype';
      negate: boolean;
      /** unicast (also called host), broadcast, multicast, other. */ types: string[];
    }
  /** `ipv6-icmp` or `icmp` of one of these types, as numbers. */
  | { kind: 'icmptype'; negate: boolean; family: 4 | 6; types: Range[] }
  /** TTL or hop limit. */
  | { kind: 'hoplimit'; negate: boolean; values: Range[] }
  /** At least one of these lists holds with all its matches (nft sets of concatenated fields). */
  | { kind: 'oneof'; negate: boolean; alternatives: RuleMatch[][] }
  /** Member of an ipset. */
  | { kind: 'set'; negate: boolean; name: string; directions: ('src' | 'dst')[] }
  /** Asks for a header that no TCP or UDP packet of a plain exchange has (rt, frag, ah…): it never holds, turned round or not. */
  | { kind: 'never'; negate: boolean; text: string }
  | { kind: 'unknown'; text: string };

/** An address and port to translate to, each absent where it stays as it is. */
export interface NatMapping {
  kind: 'dnat' | 'snat';
  address?: string;
  port?: Range;
}

/** What becomes of a packet that matches. */
export type RuleTarget =
  | { kind: 'accept' | 'drop' | 'return' | 'none' }
  | { kind: 'reject'; with?: string }
  | { kind: 'jump' | 'goto'; chain: string }
  /** nft `iifname vmap @m` / xtables has none: verdict by key. */
  | { kind: 'vmap'; key: string; entries: { key: string; verdict: string; chain?: string }[] }
  /** nft `dnat to KEY map { … }`: what is translated to by key; a packet that is in no entry does not match. */
  | { kind: 'natmap'; key: string; entries: { key: string; target: NatMapping }[] }
  /** Puts the bits of a prefix in place of those of the address; those of the rest stay. */
  | { kind: 'netmap'; /** CIDR */ prefix: string }
  | { kind: 'dnat'; /** One address or `from-to`; absent: unchanged. */ address?: string; port?: Range }
  | { kind: 'snat'; address?: string; port?: Range }
  | { kind: 'redirect'; port?: Range }
  | { kind: 'masquerade'; port?: Range }
  /** The new mark is (old & ~mask) ^ value. */
  | { kind: 'mark'; value: number; mask: number }
  /** The connection's new mark is (old & ~mask) ^ value. */
  | { kind: 'setconnmark'; value: number; mask: number }
  /** The connection's new mark is (old & ~connMask) ^ (the packet's & packetMask). */
  | { kind: 'savemark'; packetMask: number; connMask: number }
  /** The packet's new mark is (old & ~packetMask) ^ (the connection's & connMask). */
  | { kind: 'restoremark'; packetMask: number; connMask: number }
  | { kind: 'log' }
  /** Does something that no match of this union can see, and goes on with the next rule (TCPMSS, NFLOG, SET…). */
  | { kind: 'continue'; text: string }
  | { kind: 'unknown'; text: string };

export interface NetfilterReading {
  chains: ChainReading[];
  /** One entry per tool asked, in the order asked: what it gave, or why it gave nothing. */
  tools: { tool: string; state: 'ok' | 'failed' | 'missing'; reason?: string }[];
  /** Sets and maps by `family table name`, elements as text, for native nft. */
  sets: Record<string, string[]>;
  /** ipsets by name; absent when no rule asks for one, or `ipset` could not tell. */
  ipsets?: Record<string, IpsetReading>;
}

/** An ipset as `ipset save` prints it. */
export interface IpsetReading {
  /** `hash:ip`, `hash:net,port`, `list:set`… */
  type: string;
  elements: string[];
  /** Elements marked `nomatch`. */
  exceptions: string[];
}
