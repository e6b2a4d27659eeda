import { adviceFor } from '../walk/advice.ts';
import type { Container } from '../schema.ts';
import type { DecidedBy } from '../walk/verdict.ts';
import type { Detector, FindingContext, FindingDraft } from './detector.ts';
import { canWalk, fromText, isUnclear, publishers, reachesOf, walkNeeds, type Reach } from './reach.ts';
import { placeText, uniquePorts } from './shared.ts';

const deciding: ReadonlySet<string | undefined> = new Set(['rule', 'policy', 'sysctl', 'route']);

/**
 * A way back that the host lacks is that to a network on which perhaps nobody is, and one to ::1 is lacking on every host
 * without IPv6: neither says anything of the port, as what the container lacks, and the way to it, do. But who answers those on a
 * network that it is on by another interface that is dead, has two in one network and the route of the wrong one.
 */
const isHostsLack = ({ kind, onAnswer, off, pid, routeTo }: DecidedBy): boolean =>
  kind === 'route' && pid === undefined && ((onAnswer === true && off === undefined) || routeTo === '::1');

/** Who sets net.ipv4.ip_nonlocal_bind has programs wait for an address that comes and goes, as keepalived's do on the host that stands by. */
const isAwaited = ({ lacks }: DecidedBy, { readings }: FindingContext): boolean =>
  lacks !== undefined && !lacks.address.includes(':') && readings.kernel.value?.nonlocalBind === true;

const isCutOff = ({ verdict: { verdict, decidedBy } }: Reach, context: FindingContext): boolean =>
  verdict === 'blocked' &&
  decidedBy !== undefined &&
  deciding.has(decidedBy.kind) &&
  !isHostsLack(decidedBy) &&
  !isAwaited(decidedBy, context);

const sourceOf = ({ kind, lacks }: DecidedBy): string => {
  if (kind === 'sysctl') return 'sysctl';
  if (kind !== 'route') return 'firewall rules';
  return lacks ? 'ip addr' : 'ip route';
};

function draftOf(container: Container, cut: readonly Reach[]): FindingDraft {
  const ports = uniquePorts(
    cut.map(({ port: { proto, hostIp, hostPort } }) => ({ proto, address: hostIp, port: hostPort })),
  );
  const [first] = cut;
  const { decidedBy } = first?.verdict ?? {};
  const advice = first ? adviceFor(first.question, first.verdict) : {};
  const places = ports.map(({ proto, address, port }) => `${placeText(address, port)}/${proto}`).join(', ');
  const author = decidedBy?.author === undefined ? '' : ` (written by ${decidedBy.author})`;
  const more = new Set(cut.map(({ verdict }) => verdict.decidedBy?.detail)).size > 1 ? ', and others' : '';
  return {
    subject: { kind: 'container', id: container.id, name: container.name },
    message: `${container.name} publishes ${places}, which cannot be reached from ${first ? fromText(first.question) : ''}: ${decidedBy?.detail ?? ''}${author}${more}`,
    evidence: cut.slice(0, 5).map(({ question, verdict }) => {
      const { packets, detail = '' } = verdict.decidedBy ?? {};
      const counted = packets === undefined ? '' : ` (${packets} packets so far)`;
      return {
        source: verdict.decidedBy ? sourceOf(verdict.decidedBy) : '',
        text: `${fromText(question)} to ${placeText(question.to.address, question.to.port)}/${question.to.proto}: ${detail}${counted}`,
      };
    }),
    ...(advice.fix !== undefined && { fix: advice.fix }),
    ...(advice.confirm !== undefined && { confirm: advice.confirm }),
    containerIds: [container.id],
    ports,
  };
}

/** A port that is published, and that a rule, a policy, a setting of the kernel, a route or an address that the host lacks cuts off from those it is published for. */
export const blocked: Detector = {
  code: 'blocked',
  severity: 'warning',
  needs: walkNeeds,
  undecided: (context, { containerIds }) => isUnclear(context, containerIds),
  detect: (context: FindingContext) =>
    canWalk(context)
      ? publishers(context).flatMap(container => {
          const cut = reachesOf(container, context).filter(reach => isCutOff(reach, context));
          return cut.length > 0 ? [draftOf(container, cut)] : [];
        })
      : [],
};
