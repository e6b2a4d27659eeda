/** How everybody off this host meets one place: the questions that have to be asked, and one word for all their answers. */
import type { Proto } from '../host/readings.ts';
import type { Interface, Snapshot } from './schema.ts';
import { boundAddress, isLoopback, parseAddress } from './walk/address.ts';
import { metBy } from './walk/bound-device.ts';
import { isOnLink, lanInterfaces, type From, type Subject } from './walk/subjects.ts';
import type { Question, Verdict, VerdictWord } from './walk/verdict.ts';

/** Where somebody may be reached. */
export interface Place {
  /** The container in whose own netns it is; absent: the host's netns. */
  netns?: string;
  /** A wildcard, or the one address. */
  address: string;
  port: number;
  proto: Proto;
  /** Of a listener on `::`: whether it leaves IPv4 alone; null: not known; absent: IPv6 alone. */
  v6only?: boolean | null;
  /** Of a listener that is bound to an interface (SO_BINDTODEVICE, socket(7)): its name in the netns that it is in. */
  device?: string;
}

/** What tells places apart. */
export const placeKey = ({ netns, address, port, proto, v6only, device }: Place): string =>
  `${netns ?? ''} ${address} ${port} ${proto} ${v6only ?? String(v6only)} ${device ?? ''}`;

/** A question with its verdict. */
export interface Answered {
  question: Question;
  verdict: Verdict;
}

/** What everybody off this host together meets at a place. */
export interface Exposure {
  /**
   * `reachable` when anybody is answered; else `unknown` when that is not known of somebody; else the reason why nobody is.
   * `apart`: nobody off this host can even ask (no interface leads off it, or nothing leads to that netns).
   */
  word: VerdictWord | 'apart';
  /** Every answer, in the order asked. */
  answers: readonly Answered[];
  /** The first answer that makes the word; absent where none had to be asked, or could be. */
  deciding?: Answered;
  /** Why it is unknown, where nothing could be asked. */
  reason?: string;
  /** It is reached though nobody opened it to others: it is published on loopback, or not published at all. */
  unmeant?: boolean;
}

type Facts = Pick<Snapshot, 'containers' | 'interfaces'>;

const isWild = (address: string): boolean => address === '' || address === '0.0.0.0' || address === '::';

function isLocal(text: string): boolean {
  const address = parseAddress(text);
  return address !== undefined && isLoopback(address);
}

/** An IPv4 address that is written as one of IPv6 is one of IPv4. */
const familyOf = (address: string): 4 | 6 => parseAddress(address)?.family ?? (address.includes(':') ? 6 : 4);

/** The families that a place takes. */
function familiesOf({ address, v6only }: Place): (4 | 6)[] {
  if (address !== '::') return [familyOf(address)];
  return v6only === undefined || v6only === true ? [6] : [6, 4];
}

/** The addresses of an interface at which its neighbours meet a wildcard: link-local ones only where there is no other. */
function metAt({ addresses }: Interface, family: 4 | 6): string[] {
  const own = addresses.filter(each => each.family === family && !isLocal(each.address)).map(({ address }) => address);
  const routable = own.filter(address => !isOnLink(address));
  return routable.length > 0 ? routable : own.slice(0, 1);
}

/** Addresses of the netns that a place is in, for those who send to it directly. */
function ownAddresses(containerId: string, device: string | undefined, { containers }: Facts): string[] {
  const container = containers.find(({ id }) => id === containerId);
  return (container?.endpoints ?? [])
    .filter(endpoint => device === undefined || endpoint.interface === device)
    .flatMap(({ ipv4, ipv6 }) => [ipv4, ipv6].filter(address => address !== undefined));
}

/**
 * How a place is met whose listener is bound to an interface, where that alone tells it: it takes nothing that comes by another.
 * @returns undefined where there is no such interface, or others may come by it, so that they have to be asked
 */
export function deviceReach({ netns, device, address, v6only }: Place, facts: Facts): Exposure | undefined {
  if (device === undefined) return undefined;
  if (netns === undefined) {
    const met = metBy({ address, device, ...(v6only !== undefined && { v6only }) }, facts.interfaces);
    if (met.by === 'others') return undefined;
    const words = { here: 'local-only', nobody: 'nothing-listening', unknown: 'unknown' } as const;
    return { word: words[met.by], answers: [], reason: met.why };
  }
  if (device === 'lo') {
    const reason = 'it is bound to lo: only what runs in its network namespace reaches it';
    return { word: 'local-only', answers: [], reason };
  }
  const endpoints = facts.containers.find(({ id }) => id === netns)?.endpoints ?? [];
  if (endpoints.some(each => each.interface === device)) return undefined;
  const reason = `it is bound to ${device}, which is on none of its networks, as far as is known`;
  return { word: 'unknown', answers: [], reason };
}

/**
 * The questions that all neighbours together would ask about a place: from the network of every interface that leads off
 * this host, to each address at which they meet it.
 */
export function lanQuestions(place: Place, facts: Facts): Question[] {
  const { port, proto, netns, device } = place;
  const address = boundAddress(place.address);
  if (netns !== undefined && isLocal(address)) return [];
  const families = familiesOf(place);
  const direct = netns === undefined ? undefined : ownAddresses(netns, device, facts);
  const leading = lanInterfaces(facts).filter(
    ({ name }) => netns !== undefined || device === undefined || name === device,
  );
  return leading.flatMap(each => {
    const candidates = isWild(address)
      ? families.flatMap(family => direct?.filter(own => familyOf(own) === family) ?? metAt(each, family))
      : [address];
    const hears = (family: 4 | 6) => each.addresses.some(own => own.family === family);
    return candidates
      .filter(target => hears(familyOf(target)))
      .filter(target => !isOnLink(target) || each.addresses.some(own => own.address === target))
      .map((target): Question => ({
        from: { kind: 'lan', interface: each.name },
        to: { address: target, port, proto },
      }));
  });
}

/**
 * The questions about ports that Docker publishes on 127.0.0.1, from those who should not reach them: Docker before 28 lets
 * a neighbour in that sends to 127.0.0.1 by this host. Only where they would be asked: from a LAN, of a port or container.
 */
export function loopbackQuestions(subject: Subject, from: From | undefined, facts: Facts): Question[] {
  if (subject.kind === 'address' || (from && from.kind !== 'lan')) return [];
  const { port, proto } = subject;
  const wanted = facts.containers.flatMap(({ id, publishedPorts }) =>
    publishedPorts.filter(
      each =>
        each.hostIp.startsWith('127.') &&
        (proto === undefined || each.proto === proto) &&
        (subject.kind === 'port'
          ? each.hostPort === port
          : id === subject.containerId && (port === undefined || each.containerPort === port)),
    ),
  );
  return wanted
    .flatMap(each => lanQuestions({ address: each.hostIp, port: each.hostPort, proto: each.proto }, facts))
    .filter(question => from?.interface === undefined || isFrom(question, from.interface));
}

/** What this host itself asks of a place that is on its loopback: nobody else can reach it, so that only this is left to be known. */
export function ownQuestion({ netns, address, port, proto }: Place): Question | undefined {
  if (netns !== undefined || !isLocal(address) || proto === 'sctp') return undefined;
  return { from: { kind: 'loopback' }, to: { address: boundAddress(address), port, proto } };
}

const isFrom = ({ from }: Question, name: string): boolean => from.kind === 'lan' && from.interface === name;

const order: readonly VerdictWord[] = ['reachable', 'unknown', 'blocked', 'nothing-listening', 'local-only'];

function decided(answers: readonly Answered[]): Exposure | undefined {
  for (const word of order) {
    const deciding = answers.find(({ verdict }) => verdict.verdict === word);
    if (deciding) return { word, answers, deciding };
  }
  return undefined;
}

const hasOwnPlace = ({ driver }: { driver: string }): boolean => driver === 'macvlan' || driver === 'ipvlan';

/** Whether those off this host were meant to reach a place: a container on macvlan is on their network itself. */
function isMeant({ netns, address }: Place, { containers }: Pick<Facts, 'containers'>): boolean {
  if (isLocal(address)) return false;
  if (netns === undefined) return true;
  const endpoints = containers.find(({ id }) => id === netns)?.endpoints ?? [];
  return endpoints.length > 0 && endpoints.every(hasOwnPlace);
}

/**
 * One word for all answers about a place.
 * @param own what this host itself meets there (`ownQuestion`)
 */
export function exposureOf(
  place: Place,
  answers: readonly Answered[],
  facts: Pick<Facts, 'containers'>,
  own?: Answered,
): Exposure {
  const { netns, address } = place;
  if (netns !== undefined && isLocal(address)) return { word: 'local-only', answers };
  const exposure = decided(answers);
  // Not even this host reaches it, nor does anybody else.
  const isShut = exposure === undefined || exposure.word === 'blocked' || exposure.word === 'local-only';
  if (own?.verdict.verdict === 'blocked' && isShut) return { word: 'blocked', answers, deciding: own };
  // What is only for this host is not cut off where a rule keeps others from it.
  if (exposure?.word === 'blocked' && isLocal(address)) return { ...exposure, word: 'local-only' };
  if (exposure?.word === 'reachable' && !isMeant(place, facts)) return { ...exposure, unmeant: true };
  return exposure ?? { word: isLocal(address) ? 'local-only' : 'apart', answers };
}
