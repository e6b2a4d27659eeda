/**
 * What each source said at one moment: parsed, not judged. `host/` makes these, `facts/` draws conclusions from them.
 * Addresses are in their canonical text form (IPv6 compressed, lower case, no zone, no prefix unless said), ids are Docker's
 * 64 hex digits, times are ms since the epoch unless the field says ISO.
 */

import type { DockerReading, Proto } from './docker-readings.ts';
import type { NetfilterReading } from './netfilter/readings.ts';

export type * from './docker-readings.ts';
export type * from './netfilter/readings.ts';

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

// ----------------------------------------------------------------------------------------------------------- links

/** An address on an interface. */
export interface AddressReading {
  family: 4 | 6;
  address: string;
  /** The address at the other end, where one was set (`peer` in ip-address(8)): it is this one's prefix that is on the link then. */
  peer?: string;
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
  /** Why that is not known, where it was asked. */
  v6onlyReason?: string;
  inode: number;
  uid: number;
  /** Interface it is bound to (SO_BINDTODEVICE), when known. */
  device?: string;
  /**
   * Processes that have it open (as descriptor `fd`), first opener first; empty when the kernel itself holds it; absent
   * when that could not be read (`ownersReason`). Inside a container, `cgroup` is the cgroup of one that is not among its own.
   */
  processes?: { pid: number; name: string; fd?: number; cgroup?: string }[];
  /** Why they could not be read of this socket, where that is another reason than of all the others. */
  processesReason?: string;
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
  /** Set where that is the netns which netdash runs in. */
  sharesHostNetns?: true;
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
  /** Which of those have its listeners open was looked for, though they are not told. */
  openersSought?: true;
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
