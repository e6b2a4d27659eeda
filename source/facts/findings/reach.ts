/** What the packet walk says of the ports that containers publish, for the detectors that judge by it. */
import type { Container, PublishedPort } from '../schema.ts';
import { inAskingOrder, lanInterfaces } from '../walk/subjects.ts';
import { verdictIn, worldAt } from '../walk/moment.ts';
import { isLost } from '../walk/lost-address.ts';
import type { Question, Vantage, Verdict, World } from '../walk/walk.ts';
import type { FindingContext } from './detector.ts';
import { perBasis } from './reach-basis.ts';
import { isElsewhere } from './shared.ts';

/** A published port as one vantage sees it. */
export interface Reach {
  port: PublishedPort;
  question: Question;
  verdict: Verdict;
}

/** The sources without which the walk has nothing to go by. */
export const walkNeeds = ['docker', 'links', 'netfilter', 'kernel', 'sockets', 'processes'] as const;

const worlds = new WeakMap<FindingContext, World>();

/** The world of the readings that are judged; made once for all detectors. */
export function worldOf(context: FindingContext): World {
  const known = worlds.get(context);
  if (known) return known;
  const world = worldAt(context.readings, context.facts);
  worlds.set(context, world);
  return world;
}

/** Whether Docker's containers are on this host, so that there is anything to walk. */
export function canWalk({ readings }: FindingContext): boolean {
  const docker = readings.docker.value;
  return docker !== undefined && !isElsewhere(docker.engine) && readings.netfilter.value !== undefined;
}

/** How the LAN (or, for ports on loopback, the host) meets each port that a container publishes. */
export const reachesOf = perBasis((container, context, basis): readonly Reach[] => {
  const reaches = context.readings.netfilter.value
    ? container.publishedPorts.flatMap(port => askAbout(port, context))
    : [];
  // What stands in the way is shown with its counter.
  basis.isShown ||= reaches.some(({ verdict }) => verdict.verdict !== 'reachable');
  return reaches;
});

function askAbout(port: PublishedPort, context: FindingContext): Reach[] {
  if (port.proto === 'sctp') return [];
  const isV6 = port.hostIp.includes(':');
  const questions = placesFor(port, isV6, context).map(({ from, address }): Question => ({
    from,
    to: { address, port: port.hostPort, proto: port.proto },
  }));
  const world = questions.length > 0 ? worldOf(context) : undefined;
  return questions.flatMap(question =>
    world ? [{ port, question, verdict: settled(verdictIn(world, question)) }] : [],
  );
}

/**
 * The same verdict, to be kept for long: what would tell on demand which rules a hook was passed by keeps everything alive that
 * the packet walked through, and verdicts of many moments are kept at once.
 */
export function settled(verdict: Verdict): Verdict {
  const path = verdict.path.map(hop => {
    if (!hop.passedBy) return hop;
    const passedBy = hop.passedBy();
    return { ...hop, passedBy: () => passedBy };
  });
  return { ...verdict, path };
}

function placesFor(
  { hostIp }: PublishedPort,
  isV6: boolean,
  { facts }: FindingContext,
): { from: Vantage; address: string }[] {
  if (hostIp.startsWith('127.') || hostIp === '::1') return [{ from: { kind: 'loopback' }, address: hostIp }];
  const isWild = hostIp === '' || hostIp === '0.0.0.0' || hostIp === '::';
  const lans = lanInterfaces(facts);
  // Of an interface that is down, an address may be answered for by the others, or by none.
  const ups = facts.interfaces.filter(({ up }) => up);
  if (isLost(hostIp, ups)) {
    const hearing = lans.filter(({ addresses }) => addresses.some(({ family }) => (family === 6) === isV6));
    const vantages = hearing.map(({ name }): Vantage => ({ kind: 'lan', interface: name }));
    return (vantages.length > 0 ? vantages : [{ kind: 'loopback' as const }]).map(from => ({ from, address: hostIp }));
  }
  return lans.flatMap(({ name, addresses }) => {
    const own = inAskingOrder(addresses).filter(
      ({ family, address }) => (family === 6) === isV6 && !address.startsWith('fe80:'),
    );
    const address = isWild ? own[0]?.address : own.find(each => each.address === hostIp)?.address;
    return address === undefined ? [] : [{ from: { kind: 'lan' as const, interface: name }, address }];
  });
}

/** Containers that run and publish ports, in netns of their own. */
export function publishers({ facts }: FindingContext): Container[] {
  return facts.containers.filter(
    ({ state, publishedPorts, networkMode }) =>
      state === 'running' && publishedPorts.length > 0 && networkMode !== 'host',
  );
}

/** Whether rules may be there that were not read. */
export const mayLackRules = ({ readings }: FindingContext): boolean => readings.netfilter.state !== 'ok';

/** Whether what the walk says of one of these containers hangs on something that is not known now. */
export function isUnclear(context: FindingContext, containerIds: readonly string[]): boolean {
  if (!canWalk(context)) return false;
  const own = context.facts.containers.filter(({ id, state }) => state === 'running' && containerIds.includes(id));
  return own.some(container => reachesOf(container, context).some(({ verdict }) => verdict.verdict === 'unknown'));
}

/** `the LAN of eth0`, `this host`. */
export const fromText = ({ from }: Question): string =>
  from.kind === 'lan' ? `the LAN of ${from.interface}` : 'this host';
