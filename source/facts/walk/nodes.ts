/** The network namespaces of containers as the walk sees them: interfaces, where they hang, routes, listeners. */
import type { ContainerReading, LinkReading, Readings, RouteReading } from '../../host/readings.ts';
import { bridgeOfNetwork } from '../link-map.ts';
import { insideOf, mapNetns, mayHaveRules, type Netns } from '../netns.ts';
import { modeIndex, networkOfEndpoint, type ModeIndex } from '../network-mode.ts';
import type { Container, Link, Listener, Snapshot } from '../schema.ts';
import { parseAddress, prefixLengthOf, sameSpan, spanOfPrefix, type Span } from './address.ts';
import type { HookWorld } from './hooks.ts';
import { firewallInside } from './inside-world.ts';
import { Fib } from './routes.ts';

/** An interface inside a container. */
export interface NodeInterface {
  node: Node;
  name: string;
  addresses: { address: Span; subnet: Span }[];
  /** Where it leads. */
  attached:
    | { kind: 'bridge'; bridge: string; port?: LinkReading }
    /** macvlan, ipvlan: the host's interface it hangs on. */
    | { kind: 'parent'; parent: string; driver: string; mode: string }
    | { kind: 'unknown'; reason: string };
}

/** A network namespace of running containers. */
export interface Node {
  members: readonly ContainerReading[];
  /** Of its first container. */
  name: string;
  interfaces: NodeInterface[];
  fib: Fib;
  /** null: not known, and why. */
  listeners: readonly Listener[] | null;
  listenersReason: string;
  /** What its own hooks do; absent where nobody may have written rules in it. */
  firewall?: HookWorld;
}

/** Whether an address is one of the interfaces' inside a node (its loopback's aside). */
export const owns = (node: Node, address: Span): boolean =>
  node.interfaces.some(item => item.addresses.some(own => sameSpan(own.address, address)));

/** Where to look for what was decided in a node. */
export function pidIn({ members }: Node): { pid?: number } {
  const pid = members.find(each => each.pid > 0)?.pid;
  return pid === undefined ? {} : { pid };
}

/** All of them, and where each running container is. */
export interface Nodes {
  all: Node[];
  byContainer: ReadonlyMap<string, Node>;
  inHostNetns: ReadonlySet<string>;
}

type Facts = Pick<Snapshot, 'containers' | 'links'>;

/** Makes the nodes of the running containers. */
export function makeNodes(readings: Readings, facts: Facts): Nodes {
  const { containers = [], networks = [] } = readings.docker.value ?? {};
  const index = modeIndex(containers, networks);
  const map = mapNetns(containers, readings.inside, index);
  const rows = new Map(facts.containers.map(row => [row.id, row]));
  const links = new Map(facts.links.map(link => [`${link.containerId ?? ''} ${link.containerInterface ?? ''}`, link]));
  const hostLinks = new Map((readings.links.value?.links ?? []).map(link => [link.name, link]));
  const byIndex = new Map((readings.links.value?.links ?? []).map(link => [link.ifindex, link]));
  const nodes = new Map<Netns, Node>();
  for (const netns of map.namespaces)
    nodes.set(netns, nodeOf(netns, { index, rows, links, hostLinks, byIndex, inside: readings.inside }));
  return {
    all: [...nodes.values()],
    byContainer: new Map(
      [...map.byContainer].flatMap(([id, netns]) => {
        const node = nodes.get(netns);
        return node ? [[id, node] as const] : [];
      }),
    ),
    inHostNetns: map.inHostNetns,
  };
}

interface Context {
  index: ModeIndex;
  rows: ReadonlyMap<string, Container>;
  links: ReadonlyMap<string, Link>;
  hostLinks: ReadonlyMap<string, LinkReading>;
  byIndex: ReadonlyMap<number, LinkReading>;
  inside: Readings['inside'];
}

function nodeOf(netns: Netns, context: Context): Node {
  const first = netns.members[0];
  const row = first && context.rows.get(first.id);
  const node: Node = {
    members: netns.members,
    name: first?.name ?? 'container',
    interfaces: [],
    fib: new Fib([]),
    listeners: row?.listeners ?? null,
    listenersReason: row?.unknown?.['listeners'] ?? 'its listeners were not read',
  };
  node.interfaces = netns.inside?.interfaces
    ? readInterfaces(node, netns, context)
    : toldInterfaces(node, netns, context);
  node.fib = new Fib(routesOf(node, netns));
  if (mayHaveRules(netns.members, context.index)) {
    const readings = netns.members.flatMap(member => insideOf(member, context.inside) ?? []);
    const read = readings.find(({ rules }) => rules) ?? readings.find(({ rulesReason }) => rulesReason !== undefined);
    const firewall = firewallInside(node, read);
    if (firewall) node.firewall = firewall;
  }
  return node;
}

const addressOf = (text: string, prefixLength: number) => {
  const address = parseAddress(text);
  const subnet = address && spanOfPrefix(address, prefixLength);
  return address && subnet ? [{ address, subnet }] : [];
};

/** Interfaces as they were read inside. */
function readInterfaces(node: Node, netns: Netns, context: Context): NodeInterface[] {
  const endpoints = netns.members.flatMap(member => member.endpoints);
  return (netns.inside?.interfaces ?? [])
    .filter(({ name }) => name !== 'lo')
    .map((item): NodeInterface => {
      const addresses = item.addresses.flatMap(each => addressOf(each.address, each.prefixLength));
      const endpoint = endpoints.find(each =>
        item.addresses.some(({ address }) => address === each.ipv4 || address === each.ipv6),
      );
      const network = endpoint && networkOfEndpoint(endpoint, context.index);
      const link = context.links.get(`${node.members[0]?.id ?? ''} ${item.name}`);
      const driver = item.kind ?? network?.driver ?? '';
      let attached: NodeInterface['attached'];
      if (link?.bridge !== undefined) {
        const port = context.hostLinks.get(link.veth);
        attached = { kind: 'bridge', bridge: link.bridge, ...(port && { port }) };
      } else if (/^(mac|ip)v(lan|tap)$/.test(driver)) {
        const parent = context.byIndex.get(item.iflink)?.name ?? network?.options['parent'] ?? '';
        const mode = network?.options['macvlan_mode'] ?? network?.options['ipvlan_mode'] ?? '';
        attached = { kind: 'parent', parent, driver, mode };
      } else {
        attached = { kind: 'unknown', reason: `where ${item.name} of ${node.name} leads is not known` };
      }
      return { node, name: item.name, addresses, attached };
    });
}

/** Interfaces as Docker tells them, where the inside cannot be read. */
function toldInterfaces(node: Node, netns: Netns, context: Context): NodeInterface[] {
  return netns.members
    .flatMap(member => member.endpoints)
    .map((endpoint): NodeInterface => {
      const network = networkOfEndpoint(endpoint, context.index);
      const bridge = network && bridgeOfNetwork(network);
      return {
        node,
        name: endpoint.network,
        addresses: [
          ...(endpoint.ipv4 === undefined ? [] : addressOf(endpoint.ipv4, endpoint.ipv4PrefixLength ?? 32)),
          ...(endpoint.ipv6 === undefined ? [] : addressOf(endpoint.ipv6, endpoint.ipv6PrefixLength ?? 128)),
        ],
        attached:
          bridge === undefined
            ? { kind: 'unknown', reason: `the driver ${network?.driver ?? '?'} is not followed` }
            : { kind: 'bridge', bridge },
      };
    });
}

/** Its routes as read; for a family of which none were, those that Docker gives. */
function routesOf(node: Node, netns: Netns): RouteReading[] {
  const read = netns.inside?.routes ?? [];
  const endpoints = netns.members.flatMap(member => member.endpoints);
  const told = ([4, 6] as const).filter(family => !read.some(route => route.family === family));
  const made = told.flatMap(family =>
    node.interfaces.flatMap((item): RouteReading[] => {
      const own = item.addresses.filter(({ address }) => address.family === family);
      const endpoint = endpoints.find(each =>
        own.some(({ address }) =>
          [each.ipv4, each.ipv6].some(ip => ip !== undefined && parseAddress(ip)?.from === address.from),
        ),
      );
      const base = { family, device: item.name, table: 'main', type: 'unicast', protocol: 'docker', flags: [] };
      const gateway = family === 4 ? endpoint?.gateway : endpoint?.gateway6;
      return [
        ...own.flatMap(({ subnet }) => [{ ...base, destination: cidrOf(subnet) }]),
        ...(gateway === undefined ? [] : [{ ...base, destination: 'default', gateway }]),
      ];
    }),
  );
  return [...read, ...made];
}

/** `from-to` is understood as a destination as well. */
const cidrOf = ({ family, from, to }: Span): string => {
  const bits = family === 4 ? 32 : 128;
  const length = prefixLengthOf({ family, from, to });
  const bytes: number[] = [];
  for (let rest = BigInt(from), at = 0; at < bits / 8; at += 1, rest >>= 8n) bytes.unshift(Number(rest & 255n));
  return family === 4
    ? `${bytes.join('.')}/${length}`
    : `${(Buffer.from(bytes).toString('hex').match(/.{4}/g) ?? []).join(':')}/${length}`;
};
