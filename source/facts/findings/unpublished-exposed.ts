import { lanInterfaces } from '../walk/subjects.ts';
import { verdictIn } from '../walk/moment.ts';
import type { DecidedBy, Question } from '../walk/walk.ts';
import type { Container, Network } from '../schema.ts';
import type { Detector, FindingContext, FindingDraft } from './detector.ts';
import { canWalk, mayLackRules, walkNeeds, worldOf } from './reach.ts';
import { perBasis } from './reach-basis.ts';
import { uniquePorts } from './shared.ts';

/** The network of an endpoint, where it is a bridge. */
function bridgeOf({ network, networkId, driver }: Container['endpoints'][number], context: FindingContext) {
  if (driver !== 'bridge') return undefined;
  return context.facts.networks.find(each => (networkId === undefined ? each.name === network : each.id === networkId));
}

/**
 * The ports that are open because somebody asked for it: published ones, routed ones, which Docker opens at the container's
 * own addresses, and, since not every Docker lists those, all that it asks for on a network whose gateway mode is `routed`.
 */
function meantPorts(container: Container, networks: readonly (Network | undefined)[]): Set<string> {
  const isRouted = networks.some(network => network?.gatewayMode6 === 'routed');
  const meant = [
    ...container.publishedPorts,
    ...(container.routedPorts ?? []),
    ...(isRouted ? container.requestedPorts : []),
  ];
  return new Set(meant.map(({ containerPort, proto }) => `${containerPort}/${proto}`));
}

/** Ports of a container that listen and are not published, asked for at its IPv6 addresses from a LAN with IPv6. */
function questionsFor(container: Container, context: FindingContext): Question[] {
  if (container.state !== 'running' || !container.listeners) return [];
  const meant = meantPorts(
    container,
    container.endpoints.map(endpoint => bridgeOf(endpoint, context)),
  );
  const open = container.listeners.filter(
    ({ address, proto, port, embeddedDns }) =>
      !embeddedDns && proto !== 'sctp' && address.includes(':') && address !== '::1' && !meant.has(`${port}/${proto}`),
  );
  if (open.length === 0) return [];
  const ports = new Map(open.map(({ port, proto }) => [`${port}/${proto}`, { port, proto }]));
  const addresses = container.endpoints
    .filter(({ driver }) => driver === 'bridge')
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

/** A port that is open, and the rule that lets it through, where there is one. */
interface Open {
  question: Question;
  by?: DecidedBy;
}

const openPorts = perBasis((container, context) =>
  questionsFor(container, context).flatMap((question): Open[] => {
    const verdict = verdictIn(worldOf(context), question);
    if (verdict.verdict !== 'reachable') return [];
    const passedBy = verdict.path.find(({ hop }) => hop === 'FORWARD')?.passedBy?.() ?? [];
    const by = passedBy.filter(({ kind, text = '' }) => kind === 'rule' && / ACCEPT$|^accept$/.test(text)).at(-1);
    return [by ? { question, by } : { question }];
  }),
);

/** Why it is open and what closes it. */
function reasonOf(container: Container, { question: { to }, by }: Open, context: FindingContext) {
  if (!by) {
    return {
      why: 'no IPv6 rule stands in the way',
      text: `nothing drops what is forwarded to ${to.address}`,
      fix: 'Let Docker filter IPv6 (ip6tables in daemon.json, the default since Docker 27, and Docker 28 or later), or drop it in FORWARD yourself.',
    };
  }
  const endpoint = container.endpoints.find(({ ipv6 }) => ipv6 === to.address);
  const network = endpoint && bridgeOf(endpoint, context);
  const isUnprotected = by.author === 'docker' && network?.gatewayMode6 === 'nat-unprotected';
  return {
    why: isUnprotected
      ? `the gateway mode nat-unprotected of ${network.name} opens every port of its containers`
      : `${by.detail} lets it through`,
    text: `what is forwarded to ${to.address} is accepted by ${by.detail}`,
    fix: isUnprotected
      ? `If it should be closed, give ${network.name} another gateway_mode_ipv6 (nat is the default), or drop it in DOCKER-USER.`
      : 'If it should be closed, take that rule back or narrow it.',
  };
}

function draftOf(container: Container, open: readonly [Open, ...Open[]], context: FindingContext): FindingDraft {
  const ports = uniquePorts(
    open.map(({ question: { to } }) => ({ proto: to.proto, address: to.address, port: to.port })),
  );
  const [first] = open;
  const places = ports.map(({ address, port, proto }) => `[${address}]:${port}/${proto}`).join(', ');
  const { address, port } = first.question.to;
  const { why, text, fix } = reasonOf(container, first, context);
  return {
    subject: { kind: 'container', id: container.id, name: container.name },
    message: `${container.name} listens on ${places} without publishing it, and whoever routes to that address by this host reaches it: ${why}`,
    evidence: [{ source: 'ip6tables -S FORWARD', text }],
    fix,
    confirm: `ip6tables -S FORWARD; curl -g 'http://[${address}]:${port}/'`,
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
          const [first, ...others] = openPorts(container, context);
          return first ? [draftOf(container, [first, ...others], context)] : [];
        })
      : [],
};
