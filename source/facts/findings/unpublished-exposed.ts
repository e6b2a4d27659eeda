import { lanInterfaces } from '../walk/subjects.ts';
import { verdictIn } from '../walk/moment.ts';
import type { Question } from '../walk/walk.ts';
import type { Container } from '../schema.ts';
import type { Detector, FindingContext, FindingDraft } from './detector.ts';
import { canWalk, mayLackRules, walkNeeds, worldOf } from './reach.ts';
import { perBasis } from './reach-basis.ts';
import { uniquePorts } from './shared.ts';

const isBridged = (driver: string): boolean => driver === 'bridge';

/** Ports of a container that listen and are not published, asked for at its IPv6 addresses from a LAN with IPv6. */
function questionsFor(container: Container, context: FindingContext): Question[] {
  if (container.state !== 'running' || !container.listeners) return [];
  const published = new Set(container.publishedPorts.map(({ containerPort, proto }) => `${containerPort}/${proto}`));
  const open = container.listeners.filter(
    ({ address, proto, port, embeddedDns }) =>
      !embeddedDns &&
      proto !== 'sctp' &&
      address.includes(':') &&
      address !== '::1' &&
      !published.has(`${port}/${proto}`),
  );
  if (open.length === 0) return [];
  const ports = new Map(open.map(({ port, proto }) => [`${port}/${proto}`, { port, proto }]));
  const addresses = container.endpoints
    .filter(({ driver }) => isBridged(driver))
    .flatMap(({ ipv6 }) => (ipv6 === undefined ? [] : [ipv6]));
  const from = lanInterfaces(context.facts).find(each =>
    each.addresses.some(({ family, address }) => family === 6 && !address.startsWith('fe80:')),
  );
  if (!from) return [];
  return addresses.flatMap(address =>
    [...ports.values()].map(each => ({
      from: { kind: 'lan' as const, interface: from.name },
      to: { address, ...each },
    })),
  );
}

const openQuestions = perBasis((container, context) =>
  questionsFor(container, context).filter(question => verdictIn(worldOf(context), question).verdict === 'reachable'),
);

function draftOf(container: Container, open: readonly Question[]): FindingDraft {
  const ports = uniquePorts(open.map(({ to }) => ({ proto: to.proto, address: to.address, port: to.port })));
  const [first] = open;
  const places = ports.map(({ address, port, proto }) => `[${address}]:${port}/${proto}`).join(', ');
  const address = first?.to.address ?? '';
  return {
    subject: { kind: 'container', id: container.id, name: container.name },
    message: `${container.name} listens on ${places} without publishing it, and whoever routes to that address by this host reaches it: no IPv6 rule stands in the way`,
    evidence: [{ source: 'ip6tables -S FORWARD', text: `nothing drops what is forwarded to ${address}` }],
    fix: 'Let Docker filter IPv6 (ip6tables in daemon.json, the default since Docker 27, and Docker 28 or later), or drop it in FORWARD yourself.',
    confirm: `ip6tables -S FORWARD; curl -g 'http://[${address}]:${first?.to.port ?? 80}/'`,
    containerIds: [container.id],
    ports,
  };
}

/** A port that nobody published is open from outside: Docker before 27 makes no rules for IPv6 unless told to. */
export const unpublishedExposed: Detector = {
  code: 'unpublished-exposed',
  severity: 'warning',
  needs: walkNeeds,
  undecided: (context, { subject }) =>
    mayLackRules(context) ||
    context.facts.containers.some(({ id, state, listeners }) => id === subject.id && state === 'running' && !listeners),
  detect: context =>
    canWalk(context)
      ? context.facts.containers.flatMap(container => {
          const open = openQuestions(container, context);
          return open.length > 0 ? [draftOf(container, open)] : [];
        })
      : [],
};
