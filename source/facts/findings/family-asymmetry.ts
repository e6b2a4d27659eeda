import type { Container } from '../schema.ts';
import type { Detector, FindingDraft } from './detector.ts';
import { canWalk, fromText, isUnclear, publishers, reachesOf, walkNeeds, type Reach } from './reach.ts';
import { placeText, uniquePorts } from './shared.ts';

/** One port that the same neighbours reach over one family and not over the other. */
interface Pair {
  open: Reach;
  closed: Reach;
}

const keyOf = ({ question: { from }, port }: Reach): string =>
  `${from.kind === 'lan' ? from.interface : ''} ${port.hostPort} ${port.proto}`;

const isV6 = ({ question }: Reach): boolean => question.to.address.includes(':');

/** Cut off by what somebody decided; a port that nothing serves over one family is no matter of the firewall. */
const isClosed = ({ verdict: { verdict, decidedBy } }: Reach): boolean =>
  verdict === 'blocked' && (decidedBy?.kind === 'rule' || decidedBy?.kind === 'policy' || decidedBy?.kind === 'sysctl');

/** Published without an address of its own: for both families alike. */
const isForAll = ({ port: { hostIp } }: Reach): boolean => hostIp === '' || hostIp === '0.0.0.0' || hostIp === '::';

function pairsOf(reaches: readonly Reach[]): Pair[] {
  const lan = reaches.filter(each => each.question.from.kind === 'lan' && isForAll(each));
  return lan
    .filter(({ verdict }) => verdict.verdict === 'reachable')
    .flatMap(open => {
      const closed = lan.find(each => isV6(each) !== isV6(open) && keyOf(each) === keyOf(open) && isClosed(each));
      return closed ? [{ open, closed }] : [];
    });
}

const familyOf = (reach: Reach): string => (isV6(reach) ? 'IPv6' : 'IPv4');

function draftOf(container: Container, pairs: readonly [Pair, ...Pair[]]): FindingDraft {
  const [{ open, closed }] = pairs;
  const numbers = [...new Set(pairs.map(pair => `${pair.open.port.hostPort}/${pair.open.port.proto}`))].join(', ');
  const decided = closed.verdict.decidedBy;
  return {
    subject: { kind: 'container', id: container.id, name: container.name },
    message: `${container.name} publishes ${numbers} for IPv4 and IPv6, and ${fromText(open.question)} reaches it over ${familyOf(open)} only: ${decided?.detail ?? ''}`,
    evidence: [open, closed].map(reach => ({
      source: 'firewall rules',
      text: `${fromText(reach.question)} to ${placeText(reach.question.to.address, reach.question.to.port)}/${reach.question.to.proto}: ${reach.verdict.verdict}${reach === closed ? `, ${decided?.detail ?? ''}` : ''}`,
    })),
    fix: `Treat both alike: write the rules for ${familyOf(open)} too (iptables and ip6tables are apart), or publish for one family only (-p 0.0.0.0:… or -p [::]:…).`,
    confirm: `iptables -S; ip6tables -S  # from another machine: nc -vz ${open.question.to.address} ${open.question.to.port}; nc -vz ${closed.question.to.address} ${closed.question.to.port}`,
    containerIds: [container.id],
    ports: uniquePorts(
      pairs.flatMap(pair =>
        [pair.open, pair.closed].map(({ port }) => ({
          proto: port.proto,
          address: port.hostIp,
          port: port.hostPort,
        })),
      ),
    ),
  };
}

/** A port that is published for IPv4 and IPv6 alike, and that rules, policies or settings leave open for one of them only. */
export const familyAsymmetry: Detector = {
  code: 'family-asymmetry',
  severity: 'info',
  needs: walkNeeds,
  undecided: (context, { containerIds }) => isUnclear(context, containerIds),
  detect: context =>
    canWalk(context)
      ? publishers(context).flatMap(container => {
          const [first, ...more] = pairsOf(reachesOf(container, context));
          return first ? [draftOf(container, [first, ...more])] : [];
        })
      : [],
};
