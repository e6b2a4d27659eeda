/**
 * The link map: which veth on the host is whose, and on which bridge.
 *
 * The kernel identifies the other end of a veth by two numbers: its ifindex and the network namespace that this ifindex
 * counts in (IFLA_LINK and IFLA_LINK_NETNSID, rtnetlink(7)). The ifindex alone says little, for Docker 28 and later make
 * the container's end inside its namespace, where it is 2 in every container. So the map is made in two steps: find the
 * namespace id of each container, then read off every veth whose peer is in it.
 */
import type { EndpointReading, InsideInterface, LinkReading, NetworkReading } from '../host/readings.ts';
import type { Netns } from './netns.ts';
import { type ModeIndex, networkOfEndpoint } from './network-mode.ts';
import type { Link } from './schema.ts';
import { reuse } from './sharing.ts';

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

/** Finds the namespace id of each namespace; one that is not sure has no entry. */
function netnsIds(ends: ReadonlyMap<Netns, End[]>, byIndex: ReadonlyMap<number, LinkReading>): Map<Netns, number> {
  const claims = new Map<number, { netns: Netns; trust: number }[]>();
  for (const [netns, list] of ends) {
    const found = new Map<number, number>();
    // With the interfaces at hand an id is worked out below, where chance is ruled out; without, it came from the kernel.
    if (!netns.inside?.interfaces && netns.inside?.netnsId !== undefined)
      found.set(netns.inside.netnsId, trusts.kernel);
    for (const end of found.size > 0 ? [] : list) {
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
    const ids = [...found].filter(([, trust]) => trust === best).map(([id]) => id);
    const [id] = ids;
    if (ids.length !== 1 || id === undefined) continue;
    claims.set(id, [...(claims.get(id) ?? []), { netns, trust: best }]);
  }
  const ids = new Map<Netns, number>();
  for (const [id, claimants] of claims) {
    const best = Math.max(...claimants.map(claim => claim.trust));
    const winners = claimants.filter(claim => claim.trust === best);
    // Two namespaces cannot have one id: such readings are of different moments, and neither is believed.
    if (winners.length === 1 && winners[0]) ids.set(winners[0].netns, id);
  }
  return ids;
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

const isSameEnd = (a: End, b: End | undefined): boolean =>
  a.interface === b?.interface &&
  a.endpoint === b.endpoint &&
  a.network === b.network &&
  a.link === b.link &&
  a.parent === b.parent &&
  a.reason === b.reason;

/** Puts the lists of before in the place of those in which nothing has changed. */
function keepEnds(ends: Map<Netns, End[]>, before: LinkMap['ends']): void {
  for (const [netns, list] of ends) {
    const last = before.get(netns);
    if (last?.length === list.length && list.every((end, place) => isSameEnd(end, last[place]))) ends.set(netns, last);
  }
}

const linkKey = ({ ifindex }: Link): string => String(ifindex);

/**
 * Makes the link map. Pure; nothing in it rests on names or on order.
 * @param before the map of the moment before: what is as it was keeps its identity
 */
export function mapLinks(input: LinkMapInput, before?: LinkMap): LinkMap {
  const byIndex = new Map(input.links.map(link => [link.ifindex, link]));
  const namespaces = input.impossible === undefined ? input.namespaces : [];
  const ends = new Map<Netns, End[]>();
  for (const netns of namespaces) if (netns.inside) ends.set(netns, endsOf(netns, input.index, byIndex));
  const ids = netnsIds(ends, byIndex);
  const netnsById = new Map([...ids].map(([netns, id]) => [id, netns]));
  const unplaced = namespaces.filter(netns => !ids.has(netns) && mayHaveVeth(netns, ends.get(netns) ?? []));
  const byBridge =
    input.impossible === undefined ? networksByBridge(input.networks) : new Map<string, NetworkReading>();

  const links = input.links
    .filter(link => link.kind === 'veth')
    .map((link): Link => {
      const row: Link = { veth: link.name, ifindex: link.ifindex, up: link.up, mtu: link.mtu };
      if (link.master !== undefined) {
        row.bridge = link.master;
        const network = byBridge.get(link.master);
        if (network) Object.assign(row, { networkId: network.id, network: network.name });
      }
      if (link.bridgePort) row.hairpin = link.bridgePort.hairpin;
      const netns = link.peerNetnsId === undefined ? undefined : netnsById.get(link.peerNetnsId);
      const owner = netns?.members[0];
      if (!netns || !owner) return Object.assign(row, strangerRow(link, input, unplaced));
      row.containerId = owner.id;
      row.containerName = owner.name;
      const end = ends.get(netns)?.find(item => item.interface.ifindex === link.peerIfindex);
      if (!end) {
        row.unknown = { containerInterface: netns.reason ?? 'it came up after the container was read' };
        return row;
      }
      end.link = link;
      end.network ??= link.master === undefined ? undefined : byBridge.get(link.master);
      row.containerInterface = end.interface.name;
      row.containerIfindex = end.interface.ifindex;
      if (end.interface.mac !== undefined) row.mac = end.interface.mac;
      return row;
    })
    .sort((a, b) => a.ifindex - b.ifindex);
  for (const list of ends.values()) for (const end of list) end.reason = endReason(end, byIndex);
  if (before) keepEnds(ends, before.ends);
  return { links: reuse(before?.links, links, linkKey), ends };
}
