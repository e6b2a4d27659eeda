/** All that the packet walk looks up, indexed once per set of readings. */
import type { KernelReading, LinkReading, Readings } from '../../host/readings.ts';
import type { Interface, Listener, Snapshot } from '../schema.ts';
import {
  isLinkLocal,
  isMulticast,
  parseAddress,
  spanText,
  subnetOf,
  type Family,
  type Span,
  type Truth,
} from './address.ts';
import { readyIpset } from './ipsets.ts';
import { holdingOf } from './lost-address.ts';
import type { IpSet, MatchWorld } from './matches.ts';
import type { Packet } from './packet.ts';
import { makeNodes, type Node, type NodeInterface, type Nodes } from './nodes.ts';
import { Fib } from './routes.ts';
import { readyRules, type Ruleset } from './ruleset.ts';

/** An address of a host interface. */
export interface HostAddress {
  address: Span;
  subnet: Span;
  scope: string;
}

export interface World extends MatchWorld {
  fib: Fib;
  rules: Ruleset;
  /** Why rules may be there that were not read; absent when all were. */
  rulesGap?: string;
  kernel: KernelReading;
  links: ReadonlyMap<string, LinkReading>;
  /** The host's own interfaces, with the Docker networks that they are bridges of. */
  interfaces: readonly Interface[];
  addresses(device: string, family: Family): readonly HostAddress[];
  /** Listeners of the host's netns; null: not known. */
  listeners: readonly Listener[] | null;
  /** Whether a listener of the host is bound to just this address and port, or Docker publishes a port there. */
  isHeld(address: Span, port: number, proto: string): boolean;
  nodes: Nodes;
  /** Whoever has an address on a bridge. */
  onBridge(bridge: string, address: Span): NodeInterface | undefined;
  /** Whoever has an address on a macvlan or ipvlan of that parent. */
  onParent(parent: string, address: Span): NodeInterface | undefined;
  /** Whether a bridge has ports of which is not known who is behind them. */
  hasStrangers(bridge: string): boolean;
  /** The bridge of whoever has an address, if that is down: the kernel has no route by it then, and takes any other. */
  downBridgeOf(address: Span): string | undefined;
  /** The bridges of whoever has an address; none when somebody has it who hangs on something else, or nobody has. */
  bridgesOf(address: Span): readonly string[];
  /** The gateway, with the length of its prefix, that Docker gave to the endpoint with that address: its bridge should have it. */
  gatewayOf(address: Span): string | undefined;
  /** Why routes may be there that were not read; absent when all were. */
  routesGap?: string;
  /** Nodes that have an address, whatever they hang on. */
  withAddress(address: Span): Node | undefined;
  /** Whether Docker has said what containers there are. */
  isDockerRead: boolean;
  /** Whether a container's processes stand still. */
  isPaused(containerId: string): boolean;
  /** Why nothing at all can be judged: the daemon's containers are not on this host. */
  apart?: string;
}

const push = <K, V>(map: Map<K, V[]>, key: K, value: V): void => {
  const list = map.get(key);
  if (list) list.push(value);
  else map.set(key, [value]);
};

const keyOf = ({ family, from }: Span): string => `${family} ${from}`;

/** Makes the index. @param facts of the same readings */
export function makeWorld(
  readings: Readings,
  facts: Pick<Snapshot, 'containers' | 'interfaces' | 'links' | 'listeners' | 'rules'>,
): World {
  const links = readings.links.value?.links ?? [];
  const fib = new Fib(readings.links.value?.routes ?? [], readings.links.value?.rules);
  const nodes = makeNodes(readings, facts);
  const addresses = new Map<string, HostAddress[]>();
  for (const link of links) {
    for (const each of link.addresses) {
      const { address: text, family, scope } = each;
      const address = parseAddress(text);
      const subnet = subnetOf(each);
      if (address && subnet) push(addresses, `${link.name} ${family}`, { address, subnet, scope });
    }
  }
  const byPlace = new Map<string, NodeInterface>();
  const byAddress = new Map<string, Node>();
  const knownPorts = new Set<string>();
  for (const node of nodes.all) {
    for (const item of node.interfaces) {
      const place =
        item.attached.kind === 'bridge'
          ? item.attached.bridge
          : item.attached.kind === 'parent'
            ? item.attached.parent
            : undefined;
      if (item.attached.kind === 'bridge' && item.attached.port) knownPorts.add(item.attached.port.name);
      for (const { address } of item.addresses) {
        if (place !== undefined) byPlace.set(`${place} ${address.from}`, item);
        byAddress.set(keyOf(address), node);
      }
    }
  }
  const isUp = new Map(links.map(link => [link.name, link.up]));
  const places = nodes.all.flatMap(({ interfaces }) =>
    interfaces.flatMap(({ attached, addresses: own }) =>
      attached.kind === 'bridge' ? own.map(({ address }) => [keyOf(address), attached.bridge] as const) : [],
    ),
  );
  const onDownBridge = new Map(places.filter(([, bridge]) => isUp.get(bridge) === false));
  for (const [address, bridge] of places) if (isUp.get(bridge) !== false) onDownBridge.delete(address);
  const homes = new Map<string, string[] | undefined>();
  for (const { interfaces } of nodes.all) {
    for (const { addresses: own, attached } of interfaces) {
      for (const { address } of own) {
        const key = keyOf(address);
        const known = homes.has(key) ? homes.get(key) : [];
        homes.set(key, attached.kind === 'bridge' && known ? [...known, attached.bridge] : undefined);
      }
    }
  }
  const strangers = new Set(
    links.flatMap(link => (link.master !== undefined && link.up && !knownPorts.has(link.name) ? [link.master] : [])),
  );
  const states = new Map(facts.containers.map(({ id, state }) => [id, state]));
  const { netfilter } = readings;
  const ipsets = new Map<string, IpSet | undefined>();
  const isFilled = (name: string) =>
    netfilter.value?.chains.some(({ rules }) =>
      rules.some(({ text }) => text.includes('--add-set') && text.split(' ').includes(name)),
    ) === true;
  const matches: MatchWorld = {
    typeOf: (address, device) => typeOf(address, fib, device),
    comesBack: (packet, withMark) => comesBack(packet, withMark, fib),
    ipset: name => {
      if (!ipsets.has(name)) ipsets.set(name, readyIpset(name, netfilter.value?.ipsets, isFilled));
      return ipsets.get(name);
    },
  };
  const found = (place: string, address: Span) => byPlace.get(`${place} ${address.from}`);
  const world: World = {
    ...matches,
    fib,
    rules: readyRules(netfilter.value ?? { chains: [], tools: [], sets: {} }, facts.rules ?? [], matches),
    kernel: readings.kernel.value ?? { interfaces: {} },
    links: new Map(links.map(link => [link.name, link])),
    interfaces: facts.interfaces,
    addresses: (device, family) => addresses.get(`${device} ${family}`) ?? [],
    listeners: facts.listeners,
    isHeld: holdingOf(facts),
    nodes,
    onBridge: found,
    onParent: found,
    hasStrangers: bridge => strangers.has(bridge),
    downBridgeOf: address => onDownBridge.get(keyOf(address)),
    bridgesOf: address => homes.get(keyOf(address)) ?? [],
    gatewayOf: address => gatewayOf(address, byAddress.get(keyOf(address))),
    withAddress: address => byAddress.get(keyOf(address)),
    isDockerRead: readings.docker.value !== undefined,
    isPaused: id => states.get(id) === 'paused',
  };
  const gap = gapOf(readings);
  if (gap !== undefined) world.rulesGap = gap;
  const lacking = routesGapOf(readings);
  if (lacking !== undefined) world.routesGap = lacking;
  const apart = apartOf(readings);
  if (apart !== undefined) world.apart = apart;
  return world;
}

/** Whether frames over a bridge pass the hooks of IP: br_netfilter loaded and switched on. */
export function seesFrames(
  { kernel, links }: Pick<World, 'kernel' | 'links'>,
  bridge: string,
  family: Family,
): boolean {
  const forAll = family === 4 ? kernel.bridgeNfCallIptables : kernel.bridgeNfCallIp6tables;
  // Absent: br_netfilter is not loaded. The switch of the bridge itself counts beside the one for all (br_netfilter_hooks.c).
  return forAll !== undefined && (forAll || links.get(bridge)?.nfCall?.includes(family) === true);
}

function gapOf({ netfilter }: Readings): string | undefined {
  if (netfilter.value && netfilter.state === 'ok') return undefined;
  return `firewall rules: ${netfilter.reason ?? 'not read'}`;
}

function routesGapOf({ links }: Readings): string | undefined {
  const { state, reason = '' } = links;
  return state !== 'ok' && /route/.test(reason) ? reason : undefined;
}

function gatewayOf(address: Span, node: Node | undefined): string | undefined {
  const is = (text: string | undefined) => {
    const own = text === undefined ? undefined : parseAddress(text);
    return own !== undefined && keyOf(own) === keyOf(address);
  };
  for (const each of node?.members.flatMap(({ endpoints }) => endpoints) ?? []) {
    const [gateway, length] = is(each.ipv4)
      ? [each.gateway, each.ipv4PrefixLength]
      : is(each.ipv6)
        ? [each.gateway6, each.ipv6PrefixLength]
        : [];
    if (gateway !== undefined && gateway !== '' && length !== undefined) return `${gateway}/${length}`;
  }
  return undefined;
}

function apartOf({ docker, links }: Readings): string | undefined {
  const engine = docker.value?.engine;
  if (engine?.local === false) return `the daemon runs on another machine: ${engine.localReason ?? ''}`;
  if (engine?.rootless) return "rootless Docker's network is in a network namespace of its own";
  if (!links.value) return `interfaces and routes: ${links.reason ?? 'not read'}`;
  return undefined;
}

/** RTN_… of the routing tables for one address; undefined when it cannot be told for a whole range. */
function typeOf(address: Span, fib: Fib, device?: string): string | undefined {
  if (isMulticast(address)) return 'multicast';
  // A neighbour of whom only the subnet is known is none of this host's own addresses.
  if (address.from !== address.to) return 'unicast';
  const local = fib.localType(address);
  // Addresses of other interfaces are then any addresses (inet_dev_addr_type).
  if (device !== undefined && fib.localDevice(address) !== device) return 'unicast';
  return local ?? 'unicast';
}

/** As nft_fib and xt_rpfilter see it: lo is always right, and the source must not be one of the host's own addresses. */
function comesBack({ source, destination, iif, mark }: Packet, withMark: boolean, fib: Fib): Truth {
  if (iif === 'lo') return 'yes';
  if (source.family === 6 && isLinkLocal(source)) return 'yes';
  if (withMark && mark === undefined) return 'maybe';
  const answer = fib.lookup({ destination: source, source: destination, mark: withMark ? mark : 0 });
  if (answer.kind === 'unknown') return 'maybe';
  if (answer.kind === 'none' || answer.route.reading.type !== 'unicast') return 'no';
  return answer.route.reading.device === iif ? 'yes' : 'no';
}

/** Name or address for the operator: `web (172.17.0.2)`. */
export const nodeText = (node: Node, address: Span): string => `${node.name} (${spanText(address)})`;
