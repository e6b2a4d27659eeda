import ipaddr from 'ipaddr.js';
import type { NetworkReading, RouteReading } from '../../host/readings.ts';
import { bridgeOfNetwork } from '../link-map.ts';
import type { Detector, FindingContext, FindingDraft } from './detector.ts';
import { isElsewhere } from './shared.ts';
import { shellName } from '../shell-words.ts';

type Block = [ipaddr.IPv4 | ipaddr.IPv6, number];

/** A CIDR, or a bare address as a block of one; undefined when it is neither. */
function blockOf(text: string): Block | undefined {
  if (ipaddr.isValidCIDR(text)) return ipaddr.parseCIDR(text);
  if (!ipaddr.isValid(text)) return undefined;
  const address = ipaddr.parse(text);
  return [address, address.kind() === 'ipv4' ? 32 : 128];
}

/** Two blocks share an address when the longer prefix lies in the shorter. */
function overlap([a, aBits]: Block, [b, bBits]: Block): boolean {
  return a.kind() === b.kind() && a.match(b, Math.min(aBits, bBits));
}

/** Routes so wide that they stand for the default route (`0.0.0.0/1` of a VPN) overlap everything and mean nothing. */
const isDefaultLike = ([address, bits]: Block): boolean => bits < (address.kind() === 'ipv4' ? 8 : 7);

/** A network whose subnets are its own and not a LAN's: macvlan and ipvlan share their parent's on purpose. */
const ownsSubnets = ({ driver, ingress }: NetworkReading): boolean =>
  !ingress && ['bridge', 'overlay'].includes(driver);

const blocksOf = (network: NetworkReading): { text: string; block: Block }[] =>
  network.ipam.flatMap(({ subnet }) => {
    const block = blockOf(subnet);
    const isLinkLocal = block?.[0].range() === 'linkLocal';
    return block === undefined || isLinkLocal ? [] : [{ text: subnet, block }];
  });

const routeText = ({ destination, gateway, device, table }: RouteReading): string =>
  `${destination}${gateway === undefined ? '' : ` via ${gateway}`}${device === undefined ? '' : ` dev ${device}`}${table === 'main' ? '' : ` table ${table}`}`;

/** A route, and the addresses that it is for. */
interface Elsewhere {
  route: RouteReading;
  block: Block;
}

const ledTypes = new Set(['unicast', 'blackhole', 'unreachable', 'prohibit']);

/** Routes that lead elsewhere than to Docker's bridges. Every veth has one for fe80::/64, which no network of Docker's has. */
const routesElsewhere = (routes: readonly RouteReading[], bridges: ReadonlySet<string>): Elsewhere[] =>
  routes.flatMap(route => {
    const { type, destination, device, table } = route;
    if (destination === 'default' || destination.startsWith('fe80:') || table === 'local' || !ledTypes.has(type))
      return [];
    // A bridge of Docker's is its own network's, or another one's, which is compared as a network.
    if (device !== undefined && bridges.has(device)) return [];
    const block = blockOf(destination);
    return block === undefined || isDefaultLike(block) ? [] : [{ route, block }];
  });

/** Those of them that share addresses with a network. */
const routesOver = (
  network: NetworkReading,
  elsewhere: readonly Elsewhere[],
): { subnet: string; route: RouteReading }[] =>
  blocksOf(network).flatMap(({ text, block }) =>
    elsewhere.filter(other => overlap(block, other.block)).map(({ route }) => ({ subnet: text, route })),
  );

function draft(
  network: NetworkReading,
  others: readonly { subnet: string; other: NetworkReading; theirs: string }[],
  routes: readonly { subnet: string; route: RouteReading }[],
): FindingDraft {
  const texts = [
    ...others.map(({ subnet, other, theirs }) => `${subnet} overlaps ${theirs} of network ${other.name}`),
    ...routes.map(({ subnet, route }) => `${subnet} overlaps the host's route ${routeText(route)}`),
  ];
  const more = texts.length > 1 ? ` (and ${texts.length - 1} more)` : '';
  return {
    subject: { kind: 'network', id: network.id, name: network.name },
    message: `Network ${network.name}: ${texts[0]}${more}; packets for one may go to the other`,
    evidence: [
      ...others.map(({ other, theirs }) => ({
        source: `docker network inspect ${shellName(other)}`,
        text: `subnet ${theirs}`,
      })),
      ...routes.map(({ route }) => ({ source: 'ip route show table all', text: routeText(route) })),
      {
        source: `docker network inspect ${shellName(network)}`,
        text: `subnet ${network.ipam.map(({ subnet }) => subnet).join(', ')}`,
      },
    ],
    fix: `Make ${network.name} anew with a --subnet that nothing else uses (for many networks: default-address-pools in daemon.json)`,
    confirm: `docker network inspect -f '{{json .IPAM.Config}}' ${shellName(network)}; ip route show table all`,
    containerIds: [],
    ports: [],
  };
}

/** A Docker subnet shares addresses with another network's or with a route of the host that leads elsewhere. */
export const subnetOverlap: Detector = {
  code: 'subnet-overlap',
  severity: 'warning',
  needs: ['docker'],
  helpedBy: ['links'],
  detect: ({ readings }: FindingContext) => {
    const docker = readings.docker.value;
    if (docker === undefined) return [];
    const networks = docker.networks.filter(ownsSubnets);
    const bridges = new Set([...docker.networks.flatMap(network => bridgeOfNetwork(network) ?? []), 'docker_gwbridge']);
    const isRemote = isElsewhere(docker.engine);
    const elsewhere = isRemote ? [] : routesElsewhere(readings.links.value?.routes ?? [], bridges);
    return networks.flatMap(network => {
      // Of two networks the later one is told of: it is the one that can still be made otherwise.
      const earlier = networks.filter(
        other =>
          other !== network &&
          (other.created < network.created || (other.created === network.created && other.id < network.id)),
      );
      const others = blocksOf(network).flatMap(({ text, block }) =>
        earlier.flatMap(other =>
          blocksOf(other)
            .filter(theirs => overlap(block, theirs.block))
            .map(theirs => ({ subnet: text, other, theirs: theirs.text })),
        ),
      );
      const over = routesOver(network, elsewhere);
      return others.length + over.length > 0 ? [draft(network, others, over)] : [];
    });
  },
};
