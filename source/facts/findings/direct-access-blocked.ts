import type { ChainReading, RuleMatch, RuleReading } from '../../host/readings.ts';
import { isSingle, isLoopback, parseSpan, sameSpan, type Span } from '../walk/address.ts';
import type { Container } from '../schema.ts';
import type { Detector, FindingContext, FindingDraft } from './detector.ts';
import { canWalk, mayLackRules, reachesOf } from './reach.ts';
import { isElsewhere } from './shared.ts';
import { areNftNames } from '../shell-words.ts';

/** A drop of Docker's for whoever asks for a container's own address, and what it has counted. */
interface Drop {
  address: Span;
  chain: ChainReading;
  rule: RuleReading;
}

const isRaw = ({ hook, priority = 0 }: ChainReading): boolean => hook === 'prerouting' && priority <= -300;

const isPlain = (match: RuleMatch): boolean =>
  match.kind === 'daddr' || match.kind === 'iif' || match.kind === 'nfproto';

/** `-d ADDRESS ! -i BRIDGE -j DROP`, as Docker 28 and later write it, with packets that it has met. */
function dropsOf({ readings, facts }: FindingContext): Drop[] {
  const docker = new Set(
    (facts.rules ?? [])
      .filter(({ author }) => author === 'docker')
      .map(({ backend, family, table, chain, number }) => `${backend} ${family} ${table} ${chain} ${number}`),
  );
  return (readings.netfilter.value?.chains ?? []).filter(isRaw).flatMap(chain =>
    chain.rules.flatMap((rule): Drop[] => {
      if (rule.target.kind !== 'drop' || !rule.packets || !rule.matches.every(isPlain)) return [];
      if (!docker.has(`${chain.backend} ${chain.family} ${chain.table} ${chain.name} ${rule.number}`)) return [];
      const to = rule.matches.find(({ kind }) => kind === 'daddr');
      const address = to?.kind === 'daddr' && !to.negate ? parseSpan(to.addresses[0] ?? '') : undefined;
      const isOwn = address && isSingle(address) && !isLoopback(address);
      return isOwn ? [{ address, chain, rule }] : [];
    }),
  );
}

const has = ({ endpoints }: Container, address: Span): boolean =>
  endpoints.some(({ ipv4, ipv6 }) =>
    [ipv4, ipv6].some(text => {
      const own = text === undefined ? undefined : parseSpan(text);
      return own !== undefined && sameSpan(own, address);
    }),
  );

function draftOf(container: Container, drops: readonly Drop[]): FindingDraft {
  const packets = drops.reduce((sum, { rule }) => sum + (rule.packets ?? 0), 0);
  const [first] = drops;
  const tables = first?.chain.family === 'ip6' ? 'ip6tables' : 'iptables';
  const isXtables = first !== undefined && first.chain.backend !== 'nft';
  const { family = '', table = '', name = '' } = first?.chain ?? {};
  return {
    subject: { kind: 'container', id: container.id, name: container.name },
    message: `somebody asks for ${container.name} by its own address and not by a published port: Docker's rules in raw PREROUTING have dropped ${packets} such packets`,
    evidence: drops.map(({ rule, chain }) => ({
      source:
        chain.backend === 'nft' ? 'nft list ruleset' : `${chain.family === 'ip6' ? 'ip6tables' : 'iptables'}-save -c`,
      text: `${rule.text} (${rule.packets ?? 0} packets)`,
    })),
    fix: 'If they should get through (routers, VPNs, another Docker network): use a published port, put both on one network, or allow it with gateway mode routed, the network option com.docker.network.bridge.trusted_host_interfaces, or dockerd --allow-direct-routing.',
    confirm: isXtables
      ? `${tables} -t raw -nvL PREROUTING`
      : areNftNames(family, table, name)
        ? `nft list chain ${family} ${table} ${name}`
        : 'nft list ruleset',
    containerIds: [container.id],
    ports: [],
  };
}

/**
 * Whether a container's answers to who asks at a published port go past the host: to an answer that nobody asked for, which comes
 * from the container's own address, TCP says so (RST, RFC 9293, 3.10.7.1) to that address, and that is what the rules have met.
 */
const answersPast = (container: Container, context: FindingContext): boolean =>
  canWalk(context) && reachesOf(container, context).some(({ verdict }) => verdict.decidedBy?.past !== undefined);

/**
 * Packets that came straight for a container's address were dropped before conntrack (Docker 28 and later): FORWARD counters
 * and conntrack show nothing of them, so that whoever looks for them there looks in vain (moby#49498, #51015).
 */
export const directAccessBlocked: Detector = {
  code: 'direct-access-blocked',
  severity: 'info',
  needs: ['docker', 'netfilter'],
  undecided: mayLackRules,
  detect: context => {
    if (isElsewhere(context.readings.docker.value?.engine)) return [];
    const drops = dropsOf(context);
    if (drops.length === 0) return [];
    return context.facts.containers.flatMap(container => {
      const own = drops.filter(({ address }) => has(container, address));
      if (container.state !== 'running' || own.length === 0 || answersPast(container, context)) return [];
      return [draftOf(container, own)];
    });
  },
};
