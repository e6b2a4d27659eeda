import ipaddr from 'ipaddr.js';
import type {
  ContainerReading,
  DockerReading,
  LinksReading,
  NetfilterReading,
  NetworkReading,
  Range,
} from '../../host/readings.ts';
import { networksByBridge } from '../link-map.ts';
import { isUp } from '../publishing.ts';
import { type DnatRule, dnatRules } from '../rules.ts';
import type { Detector, FindingContext, FindingDraft } from './detector.ts';
import { saidBetween, shownSince } from './earlier.ts';
import { proxiesOf } from './other-daemons.ts';
import { isNotDockers, uniquePorts, wasRaised } from './shared.ts';
import { areNftNames, savedWords, shellName, shellWord } from '../shell-words.ts';

/** How far apart readings must be for one to tell what was there before or after the other; a start may take a while. */
const marginMs = 2000;

/** With one round of readings only: how long ago a container may have come or gone for its rule to be in doubt. */
const settledMs = 5000;

/** More host ports than this are named by their range alone. */
const manyPorts = 16;

const portText = ([from, to]: Range): string => (from === to ? `${from}` : `${from}-${to}`);

const bracketed = (address: string): string => (address.includes(':') ? `[${address}]` : address);

/** `DNAT 0.0.0.0:8080/tcp → 172.17.0.9:80`. */
function nameOf({ family, hostIp, hostPorts, proto, toAddress = '', toPort }: DnatRule): string {
  const address = hostIp ?? (family === 6 ? '::' : '0.0.0.0');
  const from = hostPorts ? `${bracketed(address)}:${hostPorts.map(portText).join(',')}` : address;
  const to = toPort ? `${bracketed(toAddress)}:${portText(toPort)}` : toAddress;
  return `DNAT ${from}${proto === undefined ? '' : `/${proto}`} → ${to}`;
}

/** Whether Docker writes its DNATs into that chain; those of swarm's ingress lead to a namespace that is no container. */
const isDockers = ({ chain }: DnatRule): boolean =>
  chain.backend === 'nft' ? chain.table === 'docker-bridges' : chain.name === 'DOCKER' && chain.table === 'nat';

/** What Docker and the links say of addresses, made once for all rules. */
class Addresses {
  private readonly owned = new Set<string>();
  private readonly subnets: { network: NetworkReading; cidr: ReturnType<typeof ipaddr.parseCIDR> }[] = [];

  constructor(docker: DockerReading, links: LinksReading | undefined) {
    const own = (address: string | undefined) => {
      if (address !== undefined) this.owned.add(address);
    };
    for (const container of docker.containers.filter(isUp)) {
      for (const { ipv4, ipv6 } of container.endpoints) [ipv4, ipv6].forEach(own);
    }
    for (const network of docker.networks) {
      for (const { subnet, gateway } of network.ipam) {
        own(gateway);
        if (ipaddr.isValidCIDR(subnet)) this.subnets.push({ network, cidr: ipaddr.parseCIDR(subnet) });
      }
    }
    for (const link of links?.links ?? []) for (const { address } of link.addresses) own(address);
  }

  /** Whether a running container, a gateway or the host itself has it. */
  has(address: string): boolean {
    return this.owned.has(address);
  }

  /** The networks whose subnet it is in. */
  networksOf(address: string): NetworkReading[] {
    const parsed = ipaddr.parse(address);
    return this.subnets
      .filter(({ cidr }) => cidr[0].kind() === parsed.kind() && parsed.match(cidr))
      .map(({ network }) => network);
  }
}

/** A bridge on which every address is an endpoint that Docker lists: docker_gwbridge also has those of overlay containers and of swarm. */
const listsAll = (network: NetworkReading): boolean =>
  network.driver === 'bridge' && network.name !== 'docker_gwbridge';

/** A rule to nobody, with the network in whose subnet it leads. */
interface Orphan {
  dnat: DnatRule;
  network?: NetworkReading;
}

/** DNATs to an address that nobody has, of Docker's or into a Docker subnet. */
function orphans(netfilter: NetfilterReading, docker: DockerReading, links: LinksReading | undefined): Orphan[] {
  const addresses = new Addresses(docker, links);
  return dnatRules(netfilter).flatMap(dnat => {
    const { toAddress, hooks, chain } = dnat;
    // What nothing leads to does nothing.
    if (toAddress === undefined || hooks.size === 0 || chain.name === 'DOCKER-INGRESS') return [];
    if (addresses.has(toAddress) || ipaddr.parse(toAddress).range() === 'loopback') return [];
    const networks = addresses.networksOf(toAddress);
    if (!networks.every(listsAll)) return [];
    const [network] = networks;
    return network || isDockers(dnat) ? [{ dnat, network }] : [];
  });
}

/** Whether the daemon's networks are known to be of this host: rules of another host say nothing about its containers. */
function isHere(docker: DockerReading, links: LinksReading | undefined): boolean {
  if (isNotDockers(docker.engine)) return false;
  if (docker.engine.local === true) return true;
  const bridges = networksByBridge(docker.networks);
  const isGateway = (name: string, address: string) =>
    bridges.get(name)?.ipam.some(({ gateway }) => gateway === address) === true;
  return links?.links.some(({ name, addresses }) => addresses.some(({ address }) => isGateway(name, address))) === true;
}

/** Containers that are up and whose addresses Docker has not told: any rule may be theirs. */
const isUntold = (container: ContainerReading): boolean =>
  isUp(container) &&
  !/^(host$|none$|container:)/.test(container.networkMode) &&
  (container.inspectError !== undefined
    ? container.endpoints.length === 0
    : container.endpoints.some(({ ipv4, ipv6, endpointId }) => !ipv4 && !ipv6 && endpointId === undefined));

/** Whether the rule was there both before and after Docker was asked, so that it is not of a container about to start or stop. */
function wasThereAround(name: string, known: ReadonlySet<string>, context: FindingContext): boolean {
  const from = shownSince('netfilter', known.has(name), context);
  const { at } = context.readings.netfilter;
  return from !== undefined && at !== undefined && saidBetween('docker', from + marginMs, at, context);
}

/** Whether a container that has just come or gone asks for a port that the rule leads to. */
function isInFlux({ toPort }: DnatRule, docker: DockerReading, at: number): boolean {
  return docker.containers.some(container => {
    const { requestedPorts, startedAt = 0, finishedAt = 0 } = container;
    const asks =
      toPort === undefined ||
      requestedPorts.some(({ containerPort }) => containerPort >= toPort[0] && containerPort <= toPort[1]);
    const changed = Math.max(startedAt, finishedAt, container.created);
    return asks && changed > at - settledMs;
  });
}

/** The orphans that can be told for sure, or that were raised before. */
function judged(context: FindingContext): Orphan[] {
  const { docker, netfilter, links } = context.readings;
  if (!docker.value || !netfilter.value || !isHere(docker.value, links.value)) return [];
  if (docker.value.containers.some(isUntold)) return [];
  const containers = docker.value;
  const earlier = context.earlier?.netfilter?.value;
  const known = new Set(earlier ? dnatRules(earlier).map(nameOf) : []);
  // Another daemon writes into the same chains, for containers in networks of its own.
  const hasOthers = proxiesOf(context).foreign.length > 0;
  return orphans(netfilter.value, containers, links.value).filter(({ dnat, network }) => {
    if (hasOthers && network === undefined) return false;
    const name = nameOf(dnat);
    if (wasRaised('orphan-rule', name, context)) return true;
    return context.earlier === undefined
      ? !isInFlux(dnat, containers, docker.at ?? context.now)
      : wasThereAround(name, known, context);
  });
}

/** The commands that show and remove a rule. */
function commands({ chain, rule, family }: DnatRule): { source: string; remove: string; confirm: string } {
  if (chain.backend === 'nft' || !rule.text.startsWith('-A')) {
    const place = `${chain.family} ${chain.table} ${chain.name}`;
    if (!areNftNames(chain.family, chain.table, chain.name)) {
      const all = 'nft -a list ruleset';
      return { source: all, remove: `nft delete rule, with its handle ${rule.handle ?? ''}`.trim(), confirm: all };
    }
    const source = `nft -a list chain ${place}`;
    return { source, remove: `nft delete rule ${place} handle ${rule.handle ?? ''}`.trim(), confirm: source };
  }
  const legacy = chain.backend === 'iptables-legacy' ? '-legacy' : '';
  const program = `${family === 6 ? 'ip6tables' : 'iptables'}${legacy}`;
  const source = `${program}-save -t ${shellWord(chain.table)}`;
  const to = /--to-destination (\S+)/.exec(rule.text)?.[1] ?? chain.name;
  return {
    source,
    remove: `${program} -t ${shellWord(chain.table)} ${savedWords(rule.text.replace(/^-A/, '-D'))}`,
    confirm: `${source} | grep -F ${shellWord(to)}`,
  };
}

function portsOf({ proto, hostIp, hostPorts = [], family }: DnatRule): FindingDraft['ports'] {
  if (proto !== 'tcp' && proto !== 'udp' && proto !== 'sctp') return [];
  const address = hostIp ?? (family === 6 ? '::' : '0.0.0.0');
  return hostPorts
    .filter(([from, to]) => to - from < manyPorts)
    .flatMap(([from, to]) =>
      Array.from({ length: to - from + 1 }, (_, index) => ({ proto, address, port: from + index })),
    );
}

function draft({ dnat, network }: Orphan): FindingDraft {
  const name = nameOf(dnat);
  const { source, remove, confirm } = commands(dnat);
  const { toAddress = '' } = dnat;
  const where = network ? `in network ${network.name}, but` : 'and';
  const fix = isDockers(dnat)
    ? `Restart the Docker daemon, which writes its rules anew, or remove the rule: ${remove}`
    : `Publish the port (-p) instead of a rule of your own, point the rule at the container's address of today, or remove it: ${remove}`;
  return {
    subject: { kind: 'rule', id: name, name },
    message: `${name} takes traffic to an address ${where} no running container has it`,
    evidence: [
      { source, text: dnat.rule.text },
      { source: 'docker ps', text: `no running container has ${toAddress}` },
    ],
    fix,
    confirm: network ? `${confirm}; docker network inspect ${shellName(network)}` : confirm,
    containerIds: [],
    ports: uniquePorts(portsOf(dnat)),
  };
}

/** A DNAT to an address that nobody has, as a daemon that was killed or a container that was recreated leaves behind. */
export const orphanRule: Detector = {
  code: 'orphan-rule',
  severity: 'warning',
  needs: ['docker', 'netfilter'],
  helpedBy: ['links'],
  undecided: ({ readings: { docker, netfilter } }, { subject }) =>
    docker.value?.containers.some(isUntold) === true &&
    netfilter.value !== undefined &&
    dnatRules(netfilter.value).some(dnat => nameOf(dnat) === subject.id),
  detect: context => {
    const found = new Map<string, FindingDraft>();
    for (const orphan of judged(context)) {
      const next = draft(orphan);
      const same = found.get(next.subject.name);
      // The same DNAT twice (both kernel interfaces, both hooks) is one finding with two pieces of evidence.
      if (same) same.evidence.splice(-1, 0, ...next.evidence.slice(0, 1));
      else found.set(next.subject.name, next);
    }
    return [...found.values()];
  },
};
