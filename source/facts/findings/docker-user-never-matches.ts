import type { ChainReading, RuleReading } from '../../host/readings.ts';
import type { Detector, FindingContext, FindingDraft } from './detector.ts';
import { mayLackRules } from './reach.ts';
import { isNotDockers } from './shared.ts';

/** Targets after which nothing of the chain is reached by what matched. */
const ends = new Set(['accept', 'drop', 'reject', 'return', 'goto']);

const confirmOf = (chain: ChainReading): string =>
  `${chain.family === 'ip6' ? 'ip6tables' : 'iptables'} -nvL ${chain.name} --line-numbers`;

function draft(chain: ChainReading, rule: RuleReading, message: string, fix: string, ports: number[]): FindingDraft {
  const name = `${chain.family} ${chain.table} ${chain.name} ${rule.text}`;
  const counted = rule.packets === undefined ? '' : ` (${rule.packets} packets)`;
  return {
    subject: { kind: 'rule', id: name, name: `${chain.name} rule ${rule.number}` },
    message: `rule ${rule.number} of ${chain.name}${chain.family === 'ip6' ? ' (IPv6)' : ''} can never match: ${message}`,
    evidence: [{ source: confirmOf(chain), text: `${rule.text}${counted}` }],
    fix,
    confirm: confirmOf(chain),
    containerIds: [],
    ports: ports.map(port => ({ proto: 'tcp' as const, address: '0.0.0.0', port })),
  };
}

/** Host ports and container ports of what runs, of one protocol family each. */
function portsOf({ facts }: FindingContext): { host: Map<number, string>; container: Set<number> } {
  const host = new Map<number, string>();
  const container = new Set<number>();
  for (const { name, publishedPorts, exposedPorts, listeners, state } of facts.containers) {
    if (state !== 'running' && state !== 'paused') continue;
    for (const port of publishedPorts) {
      host.set(port.hostPort, `${name} publishes it as its port ${port.containerPort}`);
      container.add(port.containerPort);
    }
    for (const { port } of exposedPorts) container.add(port);
    for (const { port } of listeners ?? []) container.add(port);
  }
  return { host, container };
}

/** The host ports that a rule asks for as destination, when no container has such a port itself. */
function hostPortsOnly(
  rule: RuleReading,
  { host, container }: ReturnType<typeof portsOf>,
): { ports: number[]; who: string } | undefined {
  const match = rule.matches.find(each => each.kind === 'dport');
  if (match?.kind !== 'dport' || match.negate || match.ports.some(([from, to]) => from !== to)) return undefined;
  const ports = match.ports.map(([port]) => port);
  if (!ports.every(port => host.has(port) && !container.has(port))) return undefined;
  return { ports, who: host.get(ports[0] ?? 0) ?? '' };
}

/**
 * A rule of DOCKER-USER that no packet can match: it asks for a published host port, which DNAT has replaced by the
 * container's before, or it stands behind a rule that lets nothing through to it.
 */
export const dockerUserNeverMatches: Detector = {
  code: 'docker-user-never-matches',
  severity: 'warning',
  needs: ['docker', 'netfilter'],
  undecided: mayLackRules,
  detect: context => {
    const { readings } = context;
    if (isNotDockers(readings.docker.value?.engine)) return [];
    const known = portsOf(context);
    return (readings.netfilter.value?.chains ?? [])
      .filter(({ name, table, backend }) => name === 'DOCKER-USER' && table === 'filter' && backend !== 'nft')
      .flatMap(chain => {
        const wall = chain.rules.find(({ matches, target }) => matches.length === 0 && ends.has(target.kind));
        return chain.rules.flatMap((rule): FindingDraft[] => {
          if (wall && rule.number > wall.number) {
            // Docker until 27 ends the chain with RETURN, and appends it anew: one behind another does no harm.
            if (rule.target.kind === 'return' && rule.matches.length === 0) return [];
            const message = `rule ${wall.number} before it (${wall.text}) takes every packet`;
            return [draft(chain, rule, message, `Put it before rule ${wall.number}: iptables -I DOCKER-USER …`, [])];
          }
          const asked = hostPortsOnly(rule, known);
          if (!asked) return [];
          const port = asked.ports[0] ?? 0;
          return [
            draft(
              chain,
              rule,
              `it asks for the host port ${asked.ports.join(', ')}, but packets come here after DNAT, with the container's port (${asked.who})`,
              `Ask for the port that was dialled: -m conntrack --ctorigdstport ${port} --ctdir ORIGINAL in place of --dport ${port}, or for the container's port.`,
              asked.ports,
            ),
          ];
        });
      });
  },
};
