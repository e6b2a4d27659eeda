/**
 * The link map: which veth on the host is whose, and on which bridge.
 *
 * The kernel identifies the other end of a veth by two numbers: its ifindex and the network namespace that this ifindex
 * counts in (IFLA_LINK and IFLA_LINK_NETNSID, rtnetlink(7)). The ifindex alone says little, for Docker 28 and later make
 * the container's end inside its namespace, where it is 2 in every container. So the map is made in two steps: find the
 * namespace id of each container, then read off every veth whose peer is in it.
 */
import type {
  ContainerReading,
  EndpointReading,
  InsideInterface,
  LinkReading,
  NetworkReading,
} from '../host/readings.ts';
import type { Netns } from './netns.ts';
import { type ModeIndex, networkOfEndpoint } from './network-mode.ts';
import type { Link } from './schema.ts';
import { haveSameItems, reuse } from './sharing.ts';

/** An interface in a container's namespace, with what is at its other end. */
export interface End {
  interface: InsideInterface;
  /** The endpoint it belongs to; none for docker_gwbridge, which Docker does not list as one. */
  endpoint?: EndpointReading;
  network?: NetworkReading;
  /** The host's end of the pair. */
  link?: LinkReading;
  /** macvlan and ipvlan: the host's interface it hangs on. */
  parent?: string;
  /** Why no host end is known, or that it is elsewhere. */
  reason?: string;
}

/** The whole map. */
export interface LinkMap {
  /** One row for each veth of the host, by ifindex. */
  links: Link[];
  /** The interfaces of each namespace that could be read, loopback left out. */
  ends: ReadonlyMap<Netns, End[]>;
  /** What each namespace says by itself, for the next map. */
  views: ReadonlyMap<Netns, View>;
  /** The rows by ifindex, for the next map. */
  made: ReadonlyMap<number, MadeLink>;
}

/** What the interfaces of a namespace say before they are compared with those of the others. */
interface View {
  /** Their ends without the host's. */
  ends: readonly End[];
  /** The id that they give the namespace, and how sure that is. */
  claim?: { id: number; trust: number };
  /** What it was made of beside the namespace: the networks, and the host's interfaces that each interface inside names. */
  inputs: readonly unknown[];
}

/** What the map is made of. */
export interface LinkMapInput {
  links: readonly LinkReading[];
  networks: readonly NetworkReading[];
  namespaces: readonly Netns[];
  index: ModeIndex;
  /** Why no container may be matched with this host's links at all (no Docker, a remote one, a rootless one). */
  impossible?: string;
}

/**
 * Name of a Docker network's bridge on the host: its option, `docker0` for the default one, else `br-` and the first 12
 * digits of its id (libnetwork's bridge driver); Podman's, as it says. undefined for other drivers, and where it does not say.
 */
export function bridgeOfNetwork(network: NetworkReading): string | undefined {
  if (network.driver !== 'bridge') return undefined;
  if (network.bridge !== undefined) return network.bridge || undefined;
  const named = network.options['com.docker.network.bridge.name'];
  if (named) return named;
  return network.name === 'bridge' ? 'docker0' : `br-${network.id.slice(0, 12)}`;
}

/** Docker networks by the name of their bridge. */
export function networksByBridge(networks: readonly NetworkReading[]): Map<string, NetworkReading> {
  const byBridge = new Map<string, NetworkReading>();
  for (const network of networks) {
    const bridge = bridgeOfNetwork(network);
    if (bridge !== undefined) byBridge.set(bridge, network);
  }
  return byBridge;
}

/** The interface that an endpoint made: by MAC, or where that is not unique or was changed, by address. */
export function interfaceOfEndpoint(
  endpoint: EndpointReading,
  interfaces: readonly InsideInterface[],
): InsideInterface | undefined {
  const byMac = endpoint.mac === undefined ? [] : interfaces.filter(item => item.mac === endpoint.mac);
  if (byMac.length === 1) return byMac[0];
  return interfaces.find(item =>
    item.addresses.some(({ address }) => address === endpoint.ipv4 || address === endpoint.ipv6),
  );
}

const ownPeer = (item: InsideInterface) => item.ifindex === item.iflink || item.name === 'lo';
const parentKinds = new Set(['macvlan', 'ipvlan', 'macvtap', 'ipvtap']);

/** How sure one is of a namespace's id: told by the kernel, by a pair on the bridge where it must be, or by a pair at all. */
const trusts = { kernel: 3, bridge: 2, pair: 1 } as const;

/** The id of a namespace as its own interfaces tell it: where they tell several, none. */
function claimOf(netns: Netns, ends: readonly End[], byIndex: ReadonlyMap<number, LinkReading>): View['claim'] {
  // With the interfaces at hand an id is worked out below, where chance is ruled out; without, it came from the kernel.
  if (!netns.inside?.interfaces && netns.inside?.netnsId !== undefined) {
    return { id: netns.inside.netnsId, trust: trusts.kernel };
  }
  const found = new Map<number, number>();
  for (const end of ends) {
    const link = byIndex.get(end.interface.iflink);
    const isPair =
      link?.kind === 'veth' && link.peerIfindex === end.interface.ifindex && link.peerNetnsId !== undefined;
    if (!isPair || link.peerNetnsId === undefined || end.parent !== undefined) continue;
    const driver = end.network?.driver;
    // The peer of an overlay endpoint is in the overlay's own namespace: an equal ifindex here is chance.
    if (driver === 'overlay') continue;
    if (driver === 'bridge' && end.network && link.master !== bridgeOfNetwork(end.network)) continue;
    const trust = driver === 'bridge' || link.master === 'docker_gwbridge' ? trusts.bridge : trusts.pair;
    found.set(link.peerNetnsId, Math.max(trust, found.get(link.peerNetnsId) ?? 0));
  }
  const best = Math.max(0, ...found.values());
  const [claim, ...others] = [...found].filter(([, trust]) => trust === best);
  return claim && others.length === 0 ? { id: claim[0], trust: best } : undefined;
}

/** Which namespace has which id; an id that is not sure has no entry. */
function netnsById(views: ReadonlyMap<Netns, View>): Map<number, Netns> {
  const ids = new Map<number, { netns: Netns | undefined; trust: number }>();
  for (const [netns, { claim }] of views) {
    if (!claim) continue;
    const { id, trust } = claim;
    const other = ids.get(id);
    if (!other || other.trust < trust) ids.set(id, { netns, trust });
    // Two namespaces cannot have one id: such readings are of different moments, and neither is believed.
    else if (other.trust === trust) other.netns = undefined;
  }
  const found = new Map<number, Netns>();
  for (const [id, { netns }] of ids) if (netns) found.set(id, netns);
  return found;
}

/** What a namespace says by itself: as before, where all it rests on is. */
function viewOf(
  netns: Netns,
  input: LinkMapInput,
  byIndex: ReadonlyMap<number, LinkReading>,
  before: View | undefined,
): View {
  const inputs: unknown[] = [input.networks];
  for (const { iflink } of netns.inside?.interfaces ?? []) inputs.push(byIndex.get(iflink));
  if (before && haveSameItems(before.inputs, inputs)) return before;
  const ends = endsOf(netns, input.index, byIndex);
  return { ends, claim: claimOf(netns, ends, byIndex), inputs };
}

/** The interfaces of a namespace with their endpoints, before their host ends are known. */
function endsOf(netns: Netns, index: ModeIndex, byIndex: ReadonlyMap<number, LinkReading>): End[] {
  const interfaces = (netns.inside?.interfaces ?? []).filter(item => item.name !== 'lo');
  const endpoints = new Map<InsideInterface, EndpointReading>();
  for (const endpoint of netns.members.flatMap(member => member.endpoints)) {
    const found = interfaceOfEndpoint(endpoint, interfaces);
    if (found) endpoints.set(found, endpoint);
  }
  return interfaces.map(item => {
    const end: End = { interface: item };
    end.endpoint = endpoints.get(item);
    if (end.endpoint) end.network = networkOfEndpoint(end.endpoint, index);
    const driver = end.network?.driver;
    if (parentKinds.has(item.kind ?? driver ?? '')) end.parent = byIndex.get(item.iflink)?.name;
    return end;
  });
}

/** Why an interface has no host end, for the operator. */
function endReason(end: End, byIndex: ReadonlyMap<number, LinkReading>): string | undefined {
  if (end.link || end.parent !== undefined || ownPeer(end.interface)) return undefined;
  if (end.network?.driver === 'overlay') return "its peer is in the overlay network's own network namespace";
  const { iflink, ifindex } = end.interface;
  const there = byIndex.get(iflink);
  if (!there) return `its peer, ifindex ${iflink}, is not among this host's interfaces`;
  return `ifindex ${iflink} on this host is ${there.name}, whose peer is not ifindex ${ifindex} of this container`;
}

/** Whether a namespace whose id is not known may hold the peer of some veth of the host. */
function mayHaveVeth(netns: Netns, ends: readonly End[]): boolean {
  if (!netns.inside?.interfaces) return true;
  return ends.some(end => end.parent === undefined && end.network?.driver !== 'overlay' && !ownPeer(end.interface));
}

/** Where the peer of a veth is that is nobody's as far as one can see: known to be in no container, or not known. */
function strangerRow(
  link: LinkReading,
  input: LinkMapInput,
  unplaced: readonly Netns[],
): Pick<Link, 'peer' | 'unknown'> {
  if (link.peerNetnsId === undefined && link.peerIfindex !== undefined) {
    const name = input.links.find(other => other.ifindex === link.peerIfindex)?.name;
    return { peer: name === undefined ? "in this host's own network namespace" : `${name}, in this host's own netns` };
  }
  if (input.impossible !== undefined) return { unknown: { containerId: input.impossible } };
  const [first] = unplaced;
  if (first) {
    const who =
      unplaced.length === 1 ? (first.members[0]?.name ?? 'a container') : `one of ${unplaced.length} containers`;
    const why = first.reason ?? 'what was read inside does not fit the links of this host';
    return { unknown: { containerId: `may lead to ${who}: ${why}` } };
  }
  return {
    peer:
      link.master === 'docker_gwbridge'
        ? "in a network namespace of no running container, as swarm's own ingress sandbox is"
        : 'in a network namespace of no running container',
  };
}

/** What the row of a veth says of the host's side. */
function rowStart(link: LinkReading, network: NetworkReading | undefined): Link {
  const row: Link = { veth: link.name, ifindex: link.ifindex, up: link.up, mtu: link.mtu };
  if (link.master !== undefined) row.bridge = link.master;
  if (network) Object.assign(row, { networkId: network.id, network: network.name });
  if (link.bridgePort) row.hairpin = link.bridgePort.hairpin;
  return row;
}

/** Adds what is at the other end: an interface of a container, where those that were read have one that fits. */
function containerRow(row: Link, netns: Netns, owner: ContainerReading, end: End | undefined): Link {
  row.containerId = owner.id;
  row.containerName = owner.name;
  if (!end) {
    row.unknown = { containerInterface: netns.reason ?? 'it came up after the container was read' };
    return row;
  }
  row.containerInterface = end.interface.name;
  row.containerIfindex = end.interface.ifindex;
  if (end.interface.mac !== undefined) row.mac = end.interface.mac;
  return row;
}

/** A row, and what it was made of. */
interface MadeLink {
  row: Link;
  link: LinkReading;
  network: NetworkReading | undefined;
  /** The namespace of the other end; undefined where it is not known, and the row rests on more than this. */
  netns: Netns | undefined;
}

const isSameEnd = (a: End, b: End | undefined): boolean =>
  a.interface === b?.interface &&
  a.endpoint === b.endpoint &&
  a.network === b.network &&
  a.link === b.link &&
  a.parent === b.parent &&
  a.reason === b.reason;

/**
 * Makes the link map. Pure; nothing in it rests on names or on order.
 * @param before the map of the moment before: what is as it was keeps its identity
 */
export function mapLinks(input: LinkMapInput, before?: LinkMap): LinkMap {
  const byIndex = new Map<number, LinkReading>();
  for (const link of input.links) byIndex.set(link.ifindex, link);
  const namespaces = input.impossible === undefined ? input.namespaces : [];
  const views = new Map<Netns, View>();
  for (const netns of namespaces) {
    if (netns.inside) views.set(netns, viewOf(netns, input, byIndex, before?.views.get(netns)));
  }
  const byId = netnsById(views);
  const placed = new Set(byId.values());
  const unplaced = namespaces.filter(netns => !placed.has(netns) && mayHaveVeth(netns, views.get(netns)?.ends ?? []));
  const byBridge =
    input.impossible === undefined ? networksByBridge(input.networks) : new Map<string, NetworkReading>();
  const networkOf = ({ master }: LinkReading) => (master === undefined ? undefined : byBridge.get(master));

  const rowOf = (link: LinkReading, network: NetworkReading | undefined, netns: Netns | undefined, end?: End): Link =>
    netns?.members[0]
      ? containerRow(rowStart(link, network), netns, netns.members[0], end)
      : Object.assign(rowStart(link, network), strangerRow(link, input, unplaced));

  const rows: Link[] = [];
  const made = new Map<number, MadeLink>();
  const hostEnds = new Map<End, LinkReading>();
  for (const link of input.links) {
    if (link.kind !== 'veth') continue;
    const netns = link.peerNetnsId === undefined ? undefined : byId.get(link.peerNetnsId);
    const end = netns && views.get(netns)?.ends.find(item => item.interface.ifindex === link.peerIfindex);
    if (end) hostEnds.set(end, link);
    const last = before?.made.get(link.ifindex);
    const network = networkOf(link);
    const isSame = last?.link === link && last.network === network && netns !== undefined && last.netns === netns;
    const entry = isSame ? last : { row: rowOf(link, network, netns, end), link, network, netns };
    if (last && !isSame) entry.row = reuse(last.row, entry.row);
    made.set(link.ifindex, entry);
    rows.push(entry.row);
  }

  const ends = new Map<Netns, End[]>();
  for (const [netns, view] of views) {
    const last = before?.ends.get(netns);
    const isViewSame = before?.views.get(netns) === view;
    if (last && isViewSame && view.ends.every((end, at) => hostEnds.get(end) === last[at]?.link)) ends.set(netns, last);
    else ends.set(netns, joinedEnds(view, hostEnds, networkOf, byIndex, last));
  }
  rows.sort((a, b) => a.ifindex - b.ifindex);
  return { links: reuse(before?.links, rows), ends, views, made };
}

/** The ends of a namespace with those of the host; the list of before where nothing in it has changed. */
function joinedEnds(
  view: View,
  hostEnds: ReadonlyMap<End, LinkReading>,
  networkOf: (link: LinkReading) => NetworkReading | undefined,
  byIndex: ReadonlyMap<number, LinkReading>,
  before: End[] | undefined,
): End[] {
  const ends = view.ends.map((bare): End => {
    const end = { ...bare };
    const link = hostEnds.get(bare);
    if (link) {
      end.link = link;
      end.network ??= networkOf(link);
    }
    end.reason = endReason(end, byIndex);
    return end;
  });
  const isSame = before?.length === ends.length && ends.every((end, at) => isSameEnd(end, before[at]));
  return isSame ? before : ends;
}
