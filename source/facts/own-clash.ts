/** Bindings of one container that exclude each other, whoever else there is: what Docker can never, or may not, give it. */
import type { EngineReading, Proto } from '../host/readings.ts';
import { claimText, type Claim } from './claims.ts';
import { bindConflict } from './conflicts.ts';
import { joinsRepeats, takesRepeats, triesOfRange } from './engine.ts';
import { listText } from './holders.ts';
import { claimsFor, type PortRequest } from './requests.ts';

/** What a container asks for that its other bindings keep from it. */
export interface OwnClash {
  /**
   * - `twice`: two fixed bindings exclude each other
   * - `full`: more bindings exclude each other than there are ports for them
   * - `joined`: two ranges that Docker takes for one
   * - `race`: it depends on the port of a range that Docker tries, whether another binding takes that too
   */
  kind: 'twice' | 'full' | 'joined' | 'race';
  proto: Proto;
  /** First and last port that it is about. */
  ports: [number, number];
  /** At those ports. */
  claims: Claim[];
  /** `it asks for port 80/tcp twice itself (0.0.0.0:80/tcp and 127.0.0.1:80/tcp)` */
  text: string;
}

/** What is asked for. */
interface Options {
  /** Only what is about this host port. */
  port?: number | undefined;
  /** Whose bindings they are. */
  engine: EngineReading;
  /** A start has failed: of two fixed bindings that may be why it is told as well where it is not certain that Docker takes the addresses, or refuses that. */
  hasFailed?: boolean;
}

/** A request with the claims that count of it, at its first port. Whether two claims conflict does not hang on which port it is. */
interface Asked {
  request: PortRequest;
  ports: [number, number];
  claims: Claim[];
}

const rangeText = ([from, to]: [number, number], proto: Proto): string =>
  from === to ? `port ${from}/${proto}` : `${from}-${to}/${proto}`;

const isFixed = ({ ports: [from, to] }: Asked): boolean => from === to;

const askedIn = (requests: readonly PortRequest[], surely: boolean): Asked[] =>
  requests.flatMap(request => {
    const { ports } = request;
    if (ports === undefined) return [];
    const claims = claimsFor(request, ports[0]).flatMap(({ claim, certain }) => (surely && !certain ? [] : [claim]));
    return claims.length > 0 ? [{ request, ports, claims }] : [];
  });

const atPort = (claim: Claim, port: number): Claim => ({ ...claim, port });

/** The first two claims that exclude each other if both requests get the same port. */
function excluding(one: Asked, other: Asked): [Claim, Claim] | undefined {
  const [port] = one.ports;
  for (const mine of one.claims) {
    for (const theirs of other.claims) {
      if (bindConflict(atPort(mine, port), atPort(theirs, port)) === true) return [mine, theirs];
    }
  }
  return undefined;
}

const isSameWay = (one: Asked, other: Asked): boolean =>
  one.request.binding.containerPort === other.request.binding.containerPort &&
  one.ports[0] === other.ports[0] &&
  one.ports[1] === other.ports[1];

const isOn = ({ ports: [from, to] }: Asked, port: number | undefined): boolean =>
  port === undefined || (from <= port && port <= to);

function twiceIn(asked: readonly Asked[], { port, engine, hasFailed }: Options): OwnClash | undefined {
  const fixed = asked.filter(each => isFixed(each) && isOn(each, port));
  for (const [i, one] of fixed.entries()) {
    for (const other of fixed.slice(i + 1)) {
      if (one.ports[0] !== other.ports[0]) continue;
      const pairs = one.claims.flatMap(mine => other.claims.map(theirs => [mine, theirs] as const));
      const found = pairs.find(([mine, theirs]) => {
        if (bindConflict(mine, theirs) !== true) return false;
        const isRepeated = isSameWay(one, other) && mine.address === theirs.address;
        return !isRepeated || hasFailed === true || takesRepeats(engine, mine.proto) === false;
      });
      if (!found) continue;
      const [{ proto }] = found;
      const places = listText([...new Set(found.map(claimText))]);
      const text = `it asks for ${rangeText(one.ports, proto)} twice itself (${places})`;
      return { kind: 'twice', proto, ports: one.ports, claims: [...found], text };
    }
  }
  return undefined;
}

/**
 * Those that exclude each other at one address, of which each needs a port of its own. What is asked for in the very same way counts
 * once, for some releases of Docker map that twice.
 */
function crowdsIn(asked: readonly Asked[]): Asked[][] {
  const addresses = new Set(asked.flatMap(({ claims }) => claims.map(({ address }) => address)));
  return [...addresses].flatMap(address => {
    const wild = address.includes(':') ? '::' : '0.0.0.0';
    const there = asked.filter(({ claims }) => claims.some(claim => [address, wild].includes(claim.address)));
    const crowd = there.filter((each, at) => !there.slice(0, at).some(before => isSameWay(before, each)));
    return (['tcp', 'udp', 'sctp'] as const).map(proto =>
      crowd.filter(({ request }) => request.binding.proto === proto),
    );
  });
}

/** Too many for the ports from one on to another, of which there are fewer (Hall's theorem: there are enough unless some stretch is too short). */
function fullIn(asked: readonly Asked[], { port }: Options): OwnClash | undefined {
  if (asked.every(isFixed)) return undefined;
  for (const crowd of crowdsIn(asked)) {
    const byEnd = crowd.toSorted((a, b) => a.ports[1] - b.ports[1]);
    for (const from of new Set(crowd.map(({ ports }) => ports[0]).toSorted((a, b) => b - a))) {
      const within: Asked[] = [];
      for (const each of byEnd) {
        const to = each.ports[1];
        if (each.ports[0] >= from) within.push(each);
        if (within.length <= to - from + 1 || within.every(isFixed)) continue;
        if (port !== undefined && (port < from || port > to)) continue;
        const { proto } = each.request.binding;
        const text = `it asks for ${within.length} of the ports ${from}-${to}/${proto} itself, at addresses that exclude each other, and there are ${to - from + 1}`;
        return {
          kind: 'full',
          proto,
          ports: [from, to],
          claims: within.flatMap(({ claims }) => claims.slice(0, 1)),
          text,
        };
      }
    }
  }
  return undefined;
}

function joinedIn(asked: readonly Asked[], { engine, port }: Options): OwnClash | undefined {
  const ranges = asked.filter(each => !isFixed(each) && isOn(each, port));
  for (const [i, one] of ranges.entries()) {
    const { proto, containerPort } = one.request.binding;
    if (joinsRepeats(engine, proto) !== true) continue;
    const other = ranges.slice(i + 1).find(each => isSameWay(one, each) && excluding(one, each));
    if (!other) continue;
    const text = `it asks for one of ${rangeText(one.ports, proto)} twice itself for its port ${containerPort}, which Docker ${Number.parseInt(engine.version, 10)} takes for one wish and then fails to listen twice`;
    return { kind: 'joined', proto, ports: one.ports, claims: excluding(one, other) ?? [], text };
  }
  return undefined;
}

/**
 * Whether Docker to 26 gives a range its port surely after a fixed binding has got its own: it begins with the highest ports inside the
 * container, and of one such port its sort turns TCP around (`nat.SortPortMap` of docker/go-connections). Where the order by host ports
 * is another one, it is left to chance.
 */
function isSurelyLater(range: Asked, fixed: Asked, asked: readonly Asked[]): boolean {
  const [inside, other] = [range.request.binding.containerPort, fixed.request.binding.containerPort];
  if (inside !== other) return inside < other;
  const isListedLater = asked.indexOf(range) > asked.indexOf(fixed);
  if (range.request.binding.proto === 'tcp') return !isListedLater;
  return isListedLater || fixed.ports[0] > range.ports[0];
}

function raceIn(asked: readonly Asked[], { engine, port }: Options): OwnClash | undefined {
  // With more tries than one it is none: newer releases pass over what they have given away at whatever address.
  if (triesOfRange(engine) !== 1) return undefined;
  for (const range of asked.filter(each => !isFixed(each))) {
    for (const other of asked) {
      if (other === range) continue;
      const from = Math.max(range.ports[0], other.ports[0]);
      const to = Math.min(range.ports[1], other.ports[1]);
      const pair =
        from > to || (port !== undefined && (port < from || port > to)) ? undefined : excluding(range, other);
      if (!pair) continue;
      // Of what it has given away at that very address it knows.
      const isKnown = pair[0].address === pair[1].address;
      if (isKnown && (!isFixed(other) || isSurelyLater(range, other, asked))) continue;
      const { proto } = pair[0];
      const wishes = listText([range, other].map(({ ports }, i) => placesText(pair[i]!.address, ports, proto)));
      const text = `it asks for ${wishes} itself: Docker ${Number.parseInt(engine.version, 10)} may try one port for both, and tries no other of a range at that start`;
      return { kind: 'race', proto, ports: [from, to], claims: pair.map(claim => atPort(claim, from)), text };
    }
  }
  return undefined;
}

/** `0.0.0.0:8000-8002/tcp` */
const placesText = (address: string, [from, to]: [number, number], proto: Proto): string =>
  `${address.includes(':') ? `[${address}]` : address}:${from === to ? from : `${from}-${to}`}/${proto}`;

/** What of a container's own bindings keeps it from starting; what can never be had first. */
export function ownClash(requests: readonly PortRequest[], options: Options): OwnClash | undefined {
  const sure = askedIn(requests, true);
  return (
    twiceIn(options.hasFailed === true ? askedIn(requests, false) : sure, options) ??
    fullIn(sure, options) ??
    joinedIn(sure, options) ??
    raceIn(sure, options)
  );
}

/** What to do about it. */
export const ownClashFix = (name: string): string =>
  `Remove ${name} and create it again without one of the two bindings: as it is, it can never start`;
