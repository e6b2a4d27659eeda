import type { ChainReading, NetfilterReading } from '../../host/readings.ts';
import { makesNoRules } from '../engine.ts';
import { hooksByChain } from '../rule-order.ts';
import { dnatRules } from '../rules.ts';
import type { Container, PublishedPort } from '../schema.ts';
import type { Detector, FindingContext, FindingDraft } from './detector.ts';
import { canWalk, mayLackRules, reachesOf } from './reach.ts';
import { graceMs, isNotDockers, uniquePorts } from './shared.ts';

/** A port that Docker says it publishes over IPv4 by DNAT. */
interface Expected {
  container: Container;
  port: PublishedPort;
}

function expected({ facts, readings }: FindingContext): Expected[] {
  const readAt = readings.netfilter.at ?? 0;
  const modes = new Map(facts.networks.map(network => [network.name, network]));
  return facts.containers.flatMap(container => {
    const age = readAt - Date.parse(container.startedAt ?? '');
    // The rules were read before, or just when, it started.
    if (container.state !== 'running' || !(age >= graceMs)) return [];
    const bridged = container.endpoints.filter(({ driver }) => driver === 'bridge');
    const isNat = bridged.some(({ network }) => (modes.get(network)?.gatewayMode4 ?? 'nat').startsWith('nat'));
    if (!isNat || container.networkMode === 'host') return [];
    return container.publishedPorts
      .filter(({ hostIp, proto }) => !hostIp.includes(':') && proto !== 'sctp')
      .map(port => ({ container, port }));
  });
}

const isDockers = ({ family, backend, name }: ChainReading): boolean =>
  family === 'ip' && backend !== 'nft' && /^DOCKER(-|$)/.test(name);

/** Whether a packet that is forwarded comes to a chain of Docker's that can accept it. */
function forwardIsWired(netfilter: NetfilterReading): boolean {
  const hooks = hooksByChain(netfilter.chains);
  const own = netfilter.chains.find(chain => isDockers(chain) && chain.table === 'filter' && chain.name === 'DOCKER');
  return own !== undefined && own.rules.length > 0 && hooks.get(own)?.has('forward') === true;
}

/** The published ports to which no DNAT leads. */
function withoutDnat(ports: readonly Expected[], netfilter: NetfilterReading): Expected[] {
  const dnats = dnatRules(netfilter).filter(({ family, hooks }) => family === 4 && hooks.has('prerouting'));
  type Dnat = (typeof dnats)[number];
  // Docker's name one port each, of which there are as many as published ports.
  const byPort = new Map<number, Dnat[]>();
  const wide: Dnat[] = [];
  for (const dnat of dnats) {
    const [first, ...others] = dnat.hostPorts ?? [];
    if (!first || others.length > 0 || first[0] !== first[1]) wide.push(dnat);
    else byPort.set(first[0], [...(byPort.get(first[0]) ?? []), dnat]);
  }
  const leads = (port: PublishedPort, { proto, hostPorts, toPort }: Dnat): boolean =>
    (proto === undefined || proto === port.proto) &&
    (hostPorts === undefined || hostPorts.some(([from, to]) => from <= port.hostPort && port.hostPort <= to)) &&
    (toPort === undefined || (toPort[0] <= port.containerPort && port.containerPort <= toPort[1]));
  return ports.filter(
    ({ port }) =>
      byPort.get(port.hostPort)?.some(dnat => leads(port, dnat)) !== true && !wide.some(dnat => leads(port, dnat)),
  );
}

/** Whether the LAN reaches all of these by docker-proxy, which takes what no DNAT has translated. */
function areProxied(lost: readonly Expected[], context: FindingContext): boolean {
  const proxies = context.readings.processes.value?.proxies ?? [];
  const isServed = ({ container, port }: Expected): boolean => {
    const isIt = ({ proto, hostPort }: { proto: string; hostPort: number }) =>
      proto === port.proto && hostPort === port.hostPort;
    const answers = reachesOf(container, context).filter(
      reach => reach.question.from.kind === 'lan' && reach.port.hostIp === port.hostIp && isIt(reach.port),
    );
    return answers.length > 0 && answers.every(({ verdict }) => verdict.verdict === 'reachable') && proxies.some(isIt);
  };
  return canWalk(context) && lost.every(isServed);
}

const makeAnew =
  'et Docker make its rules anew: systemctl restart docker (containers restart with it unless live-restore is on).';

function draftOf(lost: readonly Expected[], what: string, evidence: FindingDraft['evidence']): FindingDraft {
  const containers = new Map(lost.map(({ container }) => [container.id, container.name]));
  const [first] = lost;
  const names = [...containers.values()].slice(0, 5).join(', ');
  return {
    subject: { kind: 'host', id: 'ipv4', name: "Docker's rules" },
    message: `${what}, although ${containers.size} containers publish ports (${names}): a firewall was reloaded or flushed over them`,
    evidence,
    fix: `L${makeAnew}`,
    confirm: `iptables-save | grep -e '-j DOCKER' -e '--dport ${first?.port.hostPort ?? ''} '`,
    containerIds: [...containers.keys()],
    ports: uniquePorts(lost.map(({ port }) => ({ proto: port.proto, address: port.hostIp, port: port.hostPort }))),
  };
}

/** Without DNAT it may as well be that Docker was told to make no rules any more, and left its old chains behind. */
function withoutDnatDraft(lost: readonly Expected[], of: number, context: FindingContext): FindingDraft {
  const draft = draftOf(lost, `no DNAT rule leads to ${lost.length} of ${of} published ports`, [
    {
      source: 'iptables-save -t nat',
      text: `no rule that PREROUTING comes to translates port ${lost[0]?.port.hostPort}`,
    },
  ]);
  const left = areProxied(lost, context)
    ? "; the LAN still reaches them by docker-proxy, whose address they see in place of a client's"
    : '';
  return {
    ...draft,
    message: `${draft.message}, or Docker is told to make no rules ("iptables": false)${left}`,
    fix: `Unless Docker is told to make none, l${makeAnew}`,
    confirm: `${draft.confirm}; ps -C dockerd -o args=; cat /etc/docker/daemon.json`,
  };
}

/**
 * Docker's chains or the jumps to them are gone while it publishes ports. Only where some chain of Docker's is left: a daemon
 * with iptables=false makes none, nor does its nftables backend. One that was told so later leaves its old chains behind, which a
 * flush empties as it does any others: where the daemon does not say which it is, both are named.
 */
export const dockerRulesMissing: Detector = {
  code: 'docker-rules-missing',
  severity: 'error',
  needs: ['docker', 'netfilter'],
  undecided: mayLackRules,
  detect: context => {
    const { readings } = context;
    const netfilter = readings.netfilter.value;
    const engine = readings.docker.value?.engine;
    if (!netfilter || readings.netfilter.state !== 'ok' || !engine || isNotDockers(engine)) return [];
    if (engine.firewallBackend === 'nftables' || makesNoRules(engine)) return [];
    if (!netfilter.chains.some(isDockers)) return [];
    const ports = expected(context);
    if (ports.length === 0) return [];
    const lost = withoutDnat(ports, netfilter);
    if (lost.length > 0) return [withoutDnatDraft(lost, ports.length, context)];
    if (forwardIsWired(netfilter)) return [];
    return [
      draftOf(ports, "nothing of FORWARD leads to Docker's rules", [
        { source: 'iptables-save -t filter', text: 'the chain DOCKER is empty, or no rule of FORWARD leads to it' },
      ]),
    ];
  },
};
