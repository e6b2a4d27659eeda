/** Networks: options with Docker's defaults filled in, members, and how many of the addresses are used. */
import ipaddr from 'ipaddr.js';
import type { ContainerReading, EndpointReading, LinkReading, NetworkReading } from '../host/readings.ts';
import { compact } from './containers.ts';
import { bridgeOfNetwork, type LinkMap } from './link-map.ts';
import { isRunning } from './netns.ts';
import { type ModeIndex, networkOfEndpoint } from './network-mode.ts';
import type { Network } from './schema.ts';

/** What networks are joined from. */
export interface NetworkInput {
  containers: readonly ContainerReading[];
  index: ModeIndex;
  linkMap: LinkMap;
  /** The host's interfaces; none when these networks are not this host's. */
  links: readonly LinkReading[];
}

type Member = Network['members'][number];

/** Beyond this prefix length an IPv6 subnet has more addresses than anyone counts. */
const countableIpv6Prefix = 96;

/** Which addresses are in each subnet: the same few thousand are asked about after every change. */
const answers = new Map<string, Map<string, boolean>>();
const mostAnswers = 8192;
let answered = 0;

const isInside = (address: string, cidr: string): boolean => {
  const known = answers.get(cidr)?.get(address);
  if (known !== undefined) return known;
  if (answered >= mostAnswers) {
    answers.clear();
    answered = 0;
  }
  const answer = judgeInside(address, cidr);
  answers.set(cidr, (answers.get(cidr) ?? new Map<string, boolean>()).set(address, answer));
  answered += 1;
  return answer;
};

const judgeInside = (address: string, cidr: string): boolean => {
  if (!ipaddr.isValid(address) || !ipaddr.isValidCIDR(cidr)) return false;
  const [base, length] = ipaddr.parseCIDR(cidr);
  const parsed = ipaddr.parse(address);
  return parsed.kind() === base.kind() && parsed.match([base, length]);
};

/**
 * How many addresses of a subnet containers can have: those of the range that Docker hands out, less the network's and
 * the broadcast address (IPv4; the subnet-router anycast address in IPv6, RFC 4291 2.6.1) and less the gateway.
 * @param held further addresses that the host has in it
 * @returns null when astronomically many, or when the text is no CIDR
 */
export function subnetSize(ipam: NetworkReading['ipam'][number], held: readonly string[] = []): number | null {
  if (!ipaddr.isValidCIDR(ipam.subnet) || (ipam.ipRange !== undefined && !ipaddr.isValidCIDR(ipam.ipRange)))
    return null;
  const subnet = ipaddr.parseCIDR(ipam.subnet);
  const [base, length] = ipaddr.parseCIDR(ipam.ipRange ?? ipam.subnet);
  const bits = base.kind() === 'ipv4' ? 32 : 128;
  if (bits === 128 && length < countableIpv6Prefix) return null;
  const range = ipam.ipRange ?? ipam.subnet;
  const taken = new Set<string>();
  if (subnet[1] < bits - 1) {
    const edges =
      bits === 32
        ? [ipaddr.IPv4.networkAddressFromCIDR(ipam.subnet), ipaddr.IPv4.broadcastAddressFromCIDR(ipam.subnet)]
        : [ipaddr.IPv6.networkAddressFromCIDR(ipam.subnet)];
    for (const edge of edges) if (isInside(edge.toString(), range)) taken.add(edge.toString());
  }
  for (const address of [ipam.gateway, ...held]) {
    if (address !== undefined && isInside(address, range)) taken.add(ipaddr.parse(address).toString());
  }
  return Math.max(0, 2 ** (bits - length) - taken.size);
}

/** Counts the addresses of running members that are in a subnet. */
function usedIn(cidr: string, members: readonly Member[]): number {
  const used = new Set<string>();
  for (const { running, ipv4, ipv6 } of members) {
    if (!running) continue;
    if (ipv4 !== undefined && isInside(ipv4, cidr)) used.add(ipv4);
    if (ipv6 !== undefined && isInside(ipv6, cidr)) used.add(ipv6);
  }
  return used.size;
}

/**
 * One subnet. Where none was asked for, Docker's list of networks lacks the gateway that it chose: then the containers'
 * endpoints tell it, or the address of the bridge.
 */
function subnetFacts(
  ipam: NetworkReading['ipam'][number],
  network: NetworkReading,
  members: readonly Member[],
  input: NetworkInput,
): Network['subnets'][number] {
  const bridge = bridgeOfNetwork(network);
  const held = input.links.find(link => link.name === bridge && link.kind === 'bridge')?.addresses ?? [];
  const own = held.map(({ address }) => address).filter(address => isInside(address, ipam.subnet));
  const asked = ipam.gateway === undefined ? input.containers : [];
  const told = asked
    .flatMap(({ endpoints }) => endpoints.filter(endpoint => networkOfEndpoint(endpoint, input.index) === network))
    .flatMap(({ gateway, gateway6 }) => [gateway, gateway6])
    .find(address => address !== undefined && isInside(address, ipam.subnet));
  const gateway = ipam.gateway ?? told ?? (network.internal ? undefined : own[0]);
  return compact({
    subnet: ipam.subnet,
    gateway,
    used: usedIn(ipam.subnet, members),
    size: subnetSize({ ...ipam, gateway }, own),
  });
}

/** The host interface of a macvlan or ipvlan network; without the option Docker makes a dummy one of that name. */
function parentOf(network: NetworkReading): string | undefined {
  if (network.driver !== 'macvlan' && network.driver !== 'ipvlan') return undefined;
  const dummy = `${network.driver === 'macvlan' ? 'dm' : 'di'}-${network.id.slice(0, 12)}`;
  return network.options.parent || dummy;
}

/** Options of the bridge driver, with the defaults of its documentation. */
function bridgeOptions(
  network: NetworkReading,
): Pick<Network, 'icc' | 'masquerade' | 'gatewayMode4' | 'gatewayMode6' | 'hostBindingIp'> {
  if (network.driver !== 'bridge') return {};
  const option = (name: string): string | undefined => network.options[`com.docker.network.bridge.${name}`];
  const gatewayMode4 = network.ipv4 ? (option('gateway_mode_ipv4') ?? 'nat') : undefined;
  const gatewayMode6 = network.ipv6 ? (option('gateway_mode_ipv6') ?? 'nat') : undefined;
  const isTranslated = gatewayMode4 === undefined ? gatewayMode6 !== 'routed' : gatewayMode4 !== 'routed';
  return {
    icc: option('enable_icc') !== 'false',
    // Nothing leaves an internal network, and what leaves a routed one keeps its address.
    masquerade: option('enable_ip_masquerade') !== 'false' && !network.internal && isTranslated,
    gatewayMode4,
    gatewayMode6,
    hostBindingIp: option('host_binding_ipv4'),
  };
}

const membersOf = new WeakMap<EndpointReading, { container: ContainerReading; member: Member }>();

/** What an endpoint makes of its container. The very same object for the same readings. */
function memberOf(container: ContainerReading, endpoint: EndpointReading): Member {
  const known = membersOf.get(endpoint);
  if (known?.container === container) return known.member;
  const { id: containerId, name: containerName } = container;
  const { ipv4, ipv6 } = endpoint;
  const member = compact({ containerId, containerName, running: isRunning(container), ipv4, ipv6 });
  membersOf.set(endpoint, { container, member });
  return member;
}

/** The members of each network by its id: from the endpoints of all containers, and from links where Docker lists none. */
function membersByNetwork(input: NetworkInput): Map<string, Member[]> {
  const byContainer = new Map<string, Map<string, Member>>();
  const add = (networkId: string, member: Member) => {
    const there = byContainer.get(networkId) ?? new Map<string, Member>();
    byContainer.set(networkId, there);
    if (!there.has(member.containerId)) there.set(member.containerId, member);
  };
  for (const container of input.containers) {
    for (const endpoint of container.endpoints) {
      const network = networkOfEndpoint(endpoint, input.index);
      if (network) add(network.id, memberOf(container, endpoint));
    }
  }
  // docker_gwbridge, the way out of overlay networks, is in no container's list of networks.
  for (const [netns, ends] of input.linkMap.ends) {
    const [container] = netns.members;
    for (const end of ends) {
      if (!container || end.endpoint || !end.network || !end.link) continue;
      const address = (family: 4 | 6) =>
        end.interface.addresses.find(item => item.family === family && item.scope === 'global')?.address;
      const { id: containerId, name: containerName } = container;
      add(end.network.id, compact({ containerId, containerName, running: true, ipv4: address(4), ipv6: address(6) }));
    }
  }
  const inOrder = (there: ReadonlyMap<string, Member>): Member[] =>
    [...there.values()].sort((a, b) => (a.containerName < b.containerName ? -1 : 1));
  return new Map([...byContainer].map(([networkId, there]) => [networkId, inOrder(there)]));
}

/** All networks, in Docker's order. */
export function networkFacts(networks: readonly NetworkReading[], input: NetworkInput): Network[] {
  const members = membersByNetwork(input);
  return networks.map(network => {
    const own = members.get(network.id) ?? [];
    const mtu = Number(network.options['com.docker.network.driver.mtu'] ?? Number.NaN);
    return compact({
      id: network.id,
      name: network.name,
      driver: network.driver,
      scope: network.scope,
      internal: network.internal,
      ingress: network.ingress,
      attachable: network.attachable,
      ipv4: network.ipv4,
      ipv6: network.ipv6,
      bridge: bridgeOfNetwork(network),
      parent: parentOf(network),
      ...bridgeOptions(network),
      mtu: Number.isInteger(mtu) && mtu > 0 ? mtu : undefined,
      subnets: network.ipam.map(ipam => subnetFacts(ipam, network, own, input)),
      members: own,
      composeProject: network.composeProject,
      options: network.options,
    });
  });
}
