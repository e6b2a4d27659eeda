/** What the packet walk answers, and what it is asked. */
import type { Proto } from '../../host/readings.ts';
import type { Rule } from '../schema.ts';

/**
 * - `reachable`: a byte sent there is answered
 * - `blocked`: a rule, policy, setting or missing route stops it on the way there or back
 * - `local-only`: something listens, but on a loopback address, or bound to lo or to an interface that leads to nobody off this host,
 *   which this vantage, not the host itself, cannot reach
 * - `nothing-listening`: it would get there, but nobody answers (also a paused container, or a docker-proxy without anything behind)
 * - `unknown`: hangs on something that was not read or is not evaluated; `decidedBy.detail` says what
 */
export type VerdictWord = 'reachable' | 'blocked' | 'local-only' | 'nothing-listening' | 'unknown';

/** What made the verdict what it is. */
export interface DecidedBy {
  kind: 'rule' | 'policy' | 'sysctl' | 'route' | 'bridge' | 'listener' | 'proxy';
  family?: string;
  table?: string;
  chain?: string;
  /** 1-based position in its chain. */
  rule?: number;
  /** nft's handle. */
  handle?: number;
  /** The rule as its tool prints it. */
  text?: string;
  packets?: number;
  bytes?: number;
  /** Absent where nobody knows who wrote it. */
  author?: Exclude<Rule['author'], 'unknown'>;
  /** Name of the container in whose netns the rule is; absent: it is the host's. */
  inside?: string;
  /** Host pid of a process in the container's netns where it was decided; absent: it was in the host's. */
  pid?: number;
  /** What came was let through, and it is the answer that is stopped. */
  onAnswer?: true;
  /** Of kind `route`: the address to which the route is missing, or leads elsewhere. */
  routeTo?: string;
  /** Of kind `route`: the address, with the length of its prefix, that this host should have, and the interface for it, as far as it can be told. */
  lacks?: { address: string; interface?: string };
  /** Of kind `route`: the interface of the host that is down, or has no carrier. */
  off?: string;
  /** Of kind `route`, where a container's answer leaves by a network of its own past the host: its address there. */
  past?: string;
  /** Of kind `listener`, where Docker publishes the port on loopback only: for whom. */
  publishedFor?: { container: string; containerPort?: number };
  /** One line for the operator. */
  detail: string;
}

/** A step of the way. */
export interface Hop {
  /** Where: `filter FORWARD`, `route`, `bridge docker0`, `web`… */
  hop: string;
  ok: boolean;
  /** Whether it gets past here is not known, since rules were not read; `ok` is false then. */
  unknown?: true;
  detail: string;
  /** At a hook that was passed: the rules that accepted the packet, or sent it back to the chain before, in order. */
  passedBy?: () => DecidedBy[];
}

/** The answer for one vantage and destination. */
export interface Verdict {
  verdict: VerdictWord;
  /** Absent for most `reachable` ones. */
  decidedBy?: DecidedBy;
  path: Hop[];
}

/** Where the packet starts. */
export type Vantage =
  /** A process of the host itself, outside containers. */
  | { kind: 'loopback' }
  /** A neighbour on the network of a host interface; without an address: any of its subnet. */
  | { kind: 'lan'; interface: string; address?: string }
  /** Somebody with that address, wherever it is routed to. */
  | { kind: 'address'; address: string }
  /** A process inside a container's netns. */
  | { kind: 'container'; containerId: string };

/** What is asked of the walk. `address` is a single one; LAN neighbours send to it by way of this host. */
export interface Question {
  from: Vantage;
  to: { address: string; port: number; proto: Proto };
}
