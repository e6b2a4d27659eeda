/** Which containers and Docker networks a rule is about: by address, published port, bridge and subnet. */
import ipaddr from 'ipaddr.js';
import type {
  ChainReading,
  ContainerReading,
  DockerReading,
  Hook,
  NetworkReading,
  Range,
  RuleMatch,
  RuleReading,
} from '../host/readings.ts';
import { networksByBridge } from './link-map.ts';
import { isRunning } from './netns.ts';
import type { Places } from './owners.ts';
import { type DockerNames, looksLikeBridge } from './rule-authors.ts';
import { reuse } from './sharing.ts';

/** A rule for more ports than this is about a range, not about the containers that have a port in it. */
const manyPorts = 64;

interface Published {
  containerId: string;
  hostIp: string;
}

const push = <K, V>(map: Map<K, V[]>, key: K, value: V): void => {
  const list = map.get(key);
  if (list) list.push(value);
  else map.set(key, [value]);
};

const addressesOf = (match: RuleMatch): string[] => ('addresses' in match ? match.addresses : []);

const nobody: readonly string[] = [];

/** The address of a /32 or /128. */
function hostOf(cidr: string): string | undefined {
  if (cidr.endsWith('/32') && !cidr.includes(':')) return cidr.slice(0, -3);
  return cidr.endsWith('/128') ? cidr.slice(0, -4) : undefined;
}

/** A subnet as rules write it: Docker takes `172.18.5.1/16` too, the kernel keeps the network's address. */
function maskedCidr(subnet: string): string {
  if (!ipaddr.isValidCIDR(subnet)) return subnet;
  const family = ipaddr.parseCIDR(subnet)[0].kind() === 'ipv4' ? ipaddr.IPv4 : ipaddr.IPv6;
  return `${family.networkAddressFromCIDR(subnet).toString()}/${ipaddr.parseCIDR(subnet)[1]}`;
}

/** An index of what Docker has, made once for all rules. */
export class RuleNaming implements DockerNames {
  private readonly byAddress = new Map<string, string[]>();
  private readonly byPort = new Map<string, Published[]>();
  private readonly byBridge: Map<string, NetworkReading>;
  private readonly bySubnet = new Map<string, string[]>();

  /**
   * @param docker undefined when no daemon of this host answers: then rules name nothing
   * @param addresses all that each container has, those of its interfaces among them: Docker tells none on docker_gwbridge
   */
  constructor(docker: DockerReading | undefined, addresses?: Places['addresses']) {
    // A rootless daemon's addresses are in another netns.
    const here = docker?.engine.rootless ? undefined : docker;
    this.byBridge = networksByBridge(here?.networks ?? []);
    for (const network of here?.networks ?? []) {
      for (const { subnet } of network.ipam) {
        push(this.bySubnet, maskedCidr(subnet), network.id);
      }
    }
    for (const container of here?.containers ?? [])
      if (isRunning(container)) this.add(container, addresses?.get(container.id));
  }

  private add(container: ContainerReading, addresses: readonly string[] = []): void {
    const told = container.endpoints.flatMap(({ ipv4, ipv6 }) => [ipv4, ipv6].filter(each => each !== undefined));
    for (const address of new Set([...told, ...addresses])) push(this.byAddress, address, container.id);
    for (const { proto, hostIp, hostPort } of container.publishedPorts) {
      push(this.byPort, `${proto} ${hostPort}`, { containerId: container.id, hostIp });
    }
  }

  /**
   * The addresses and ports (`wordsOfRule`) that belong to other containers than they did, the networks being the same ones.
   * @param before an index of the same networks
   */
  changedFrom(before: RuleNaming): ReadonlySet<string> {
    const changed = new Set<string>();
    if (before === this) return changed;
    const compare = <T>(
      a: ReadonlyMap<string, T[]>,
      b: ReadonlyMap<string, T[]>,
      word: (key: string) => string,
    ): void => {
      for (const [key, list] of a) if (reuse(b.get(key), list) !== b.get(key)) changed.add(word(key));
      for (const key of b.keys()) if (!a.has(key)) changed.add(word(key));
    };
    compare(this.byAddress, before.byAddress, key => key);
    compare(this.byPort, before.byPort, key => portWord(key.slice(key.indexOf(' ') + 1)));
    return changed;
  }

  isBridge(name: string): boolean {
    return this.byBridge.has(name) || looksLikeBridge(name);
  }

  dropsWithin(bridge: string): boolean | undefined {
    const icc = this.byBridge.get(bridge)?.options['com.docker.network.bridge.enable_icc'];
    return this.byBridge.has(bridge) ? icc === 'false' : undefined;
  }

  isOwnAddress(cidr: string): boolean {
    const host = hostOf(cidr);
    return this.bySubnet.has(cidr) || (host !== undefined && this.byAddress.has(host));
  }

  /** Ids of the running containers that have this address. */
  private containersAt(address: string | undefined): readonly string[] {
    return (address === undefined ? undefined : this.byAddress.get(address)) ?? nobody;
  }

  /**
   * Ids of the containers that a rule names.
   * @param hooks from which its chain is reached: only before the routing decision is a destination port the host's
   */
  containers(chain: ChainReading, rule: RuleReading, hooks: ReadonlySet<Hook>): string[] {
    const found: string[] = [];
    const note = (ids: readonly string[]) => {
      for (const id of ids) if (!found.includes(id)) found.push(id);
    };
    for (const match of rule.matches) for (const cidr of addressesOf(match)) note(this.containersAt(hostOf(cidr)));
    if (rule.target.kind === 'dnat' || rule.target.kind === 'snat') note(this.containersAt(rule.target.address));
    const seesHostPorts =
      hooks.has('prerouting') || hooks.has('input') || (hooks.has('output') && chain.type === 'nat');
    for (const match of rule.matches) {
      const isHostPort = match.kind === 'ctorigdport' || (match.kind === 'dport' && seesHostPorts);
      if (isHostPort && !match.negate) note(this.publishers(match.ports, chain, rule));
    }
    return found;
  }

  /** Containers that publish one of the ports, on an address and with a protocol that the rule does not exclude. */
  private publishers(ports: readonly Range[], chain: ChainReading, rule: RuleReading): string[] {
    const found: string[] = [];
    const protos = rule.matches.flatMap(match => (match.kind === 'proto' && !match.negate ? match.protos : []));
    for (const [from, to] of ports) {
      if (to - from >= manyPorts) continue;
      for (let port = from; port <= to; port++) {
        for (const proto of protos.length > 0 ? protos : ['tcp', 'udp', 'sctp']) {
          for (const published of this.byPort.get(`${proto} ${port}`) ?? []) {
            if (isFor(published.hostIp, chain, rule)) found.push(published.containerId);
          }
        }
      }
    }
    return found;
  }

  /** Ids of the Docker networks whose bridge or subnet a rule, or in Docker's nftables its chain, names. */
  networks(chain: ChainReading, rule: RuleReading): string[] {
    const found = new Set<string>();
    const noteBridge = (name: string) => {
      const network = this.byBridge.get(name);
      if (network) found.add(network.id);
    };
    // Docker with nftables has chains of their own for each bridge: filter-forward-in__docker0.
    const suffix = chain.table === 'docker-bridges' ? chain.name.indexOf('__') : -1;
    if (suffix >= 0) noteBridge(chain.name.slice(suffix + 2));
    for (const match of rule.matches) {
      if (match.kind === 'iif' || match.kind === 'oif') match.names.forEach(noteBridge);
      for (const cidr of addressesOf(match)) for (const id of this.bySubnet.get(cidr) ?? []) found.add(id);
    }
    if (rule.target.kind === 'vmap') for (const { key } of rule.target.entries) noteBridge(key);
    return [...found];
  }
}

/** How a port is called among the words of a rule. */
const portWord = (port: string | number): string => `port ${port}`;

const wordsOf = new WeakMap<RuleReading, readonly string[] | undefined>();

/**
 * What a rule names of which the containers at hand decide whose it is: addresses, and ports by `portWord`. undefined: so many
 * ports that they are not listed.
 */
export function wordsOfRule(rule: RuleReading): readonly string[] | undefined {
  if (wordsOf.has(rule)) return wordsOf.get(rule);
  const words = listWords(rule);
  wordsOf.set(rule, words);
  return words;
}

function listWords({ matches, target }: RuleReading): string[] | undefined {
  const words: string[] = [];
  for (const match of matches) {
    for (const cidr of addressesOf(match)) words.push(hostOf(cidr) ?? cidr);
    if (match.kind !== 'dport' && match.kind !== 'ctorigdport') continue;
    for (const [from, to] of match.ports) {
      if (to - from >= manyPorts) return undefined;
      for (let port = from; port <= to; port++) words.push(portWord(port));
    }
  }
  if ((target.kind === 'dnat' || target.kind === 'snat') && target.address !== undefined) words.push(target.address);
  return words;
}

/** Whether packets to a published address can match the rule, by family and destination. */
function isFor(hostIp: string, chain: ChainReading, rule: RuleReading): boolean {
  const version = hostIp.includes(':') ? 6 : 4;
  if ((chain.family === 'ip' && version === 6) || (chain.family === 'ip6' && version === 4)) return false;
  const destinations = rule.matches.flatMap(match =>
    (match.kind === 'daddr' || match.kind === 'ctorigdst') && !match.negate ? [match.addresses] : [],
  );
  const isWildcard = hostIp === '' || hostIp === '0.0.0.0' || hostIp === '::';
  if (isWildcard || !ipaddr.isValid(hostIp)) return true;
  const address = ipaddr.parse(hostIp);
  const isIn = (cidr: string) => {
    if (!ipaddr.isValidCIDR(cidr)) return true;
    const subnet = ipaddr.parseCIDR(cidr);
    return subnet[0].kind() === address.kind() && address.match(subnet);
  };
  return destinations.every(addresses => addresses.some(isIn));
}
