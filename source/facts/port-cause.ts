/** Why a port changed: read off Docker's events and what the container says of its runs. */
import type { DockerEvent } from '../host/host.ts';
import type { PortChange } from './schema.ts';
import type { PendingChange } from './port-ledger.ts';

/** What the collector of events knows. */
export interface PortHints {
  /** Docker's events by id of the container or network, in the order in which they came; the last few minutes of each are enough. */
  events: ReadonlyMap<string, readonly DockerEvent[]>;
  /** When the daemon was noticed to answer again after it had been away, ms. */
  daemonRestarts: readonly number[];
  /** Whether the event stream is open now, so that an event that is due will come. */
  following: boolean;
  /** When the last event came before the stream was cut, ms since the epoch by Docker's clock; absent where it never was. */
  cutAt?: number | undefined;
  /** The containers of whose removal it told, the last ones; the same list until it tells of another. */
  removed?: readonly string[];
}

/** One start of a container and what led to it. */
interface Run {
  /** When its `start` event came, ms. */
  at: number;
  /** The actions between the start before and this one. */
  before: ReadonlySet<string>;
  /** Docker sends `restart` right after the `start` of a `docker restart`. */
  restarted: boolean;
}

/** A daemon starts its containers within this time of being able to answer. */
const daemonStartMs = 10_000;
/** `start` and `restart` leave the daemon together; this is enough for the second to arrive. */
const restartEventMs = 100;
/** An event of a start that was already seen in an inspect is not later than this. */
const startEventMs = 1500;

/** Splits the events of a container at each start; `after` are the actions since the last one. */
function runsOf(events: readonly DockerEvent[], from: number): { runs: Run[]; after: Set<string> } {
  const runs: Run[] = [];
  let actions = new Set<string>();
  for (const { action, at, type } of events.toSorted((a, b) => a.at - b.at)) {
    if (type !== 'container' || at < from) continue;
    const last = runs.at(-1);
    if (action === 'start') {
      runs.push({ at, before: actions, restarted: false });
      actions = new Set();
    } else if (action === 'restart' && last !== undefined && actions.size === 0) last.restarted = true;
    else if (['kill', 'die', 'stop', 'oom'].includes(action)) actions.add(action);
  }
  return { runs, after: actions };
}

/** The start event of the run that began at `startedAt`: the daemon sets StartedAt just before it sends `start`. */
const runAt = (runs: readonly Run[], startedAt: number): Run | undefined => runs.find(({ at }) => at >= startedAt - 5);

function byDaemon(
  { startedBefore, startedNow }: PendingChange,
  hints: PortHints,
  events: readonly DockerEvent[],
): boolean {
  if (startedBefore === null || startedNow === null) return false;
  return hints.daemonRestarts.some(
    back =>
      startedBefore < back &&
      startedNow <= back + daemonStartMs &&
      !events.some(({ action, at }) => at > back && at <= startedNow && ['kill', 'stop'].includes(action)) &&
      !events.some(({ action, at }) => at > back && at >= startedNow && action === 'restart'),
  );
}

/**
 * The cause of a change within one container, or `wait` when the event that tells is still to come (at most 1.5 s).
 * - `network-change`: the same run has another port
 * - `daemon-restart`: the daemon came back in between and started it
 * - `restart`: `docker restart`; `stop-start`: stopped or killed, then started
 * - `crash`: ended by itself and was started by its restart policy
 * - `unknown`: no event says
 */
export function causeOf(change: PendingChange, hints: PortHints, now: number): PortChange['cause'] | 'wait' {
  const { startedBefore, startedNow } = change;
  if (startedBefore !== null && startedBefore === startedNow) return 'network-change';
  const events = hints.events.get(change.containerId) ?? [];
  if (byDaemon(change, hints, events)) return 'daemon-restart';
  const { runs, after } = runsOf(events, startedBefore ?? 0);
  const run = startedNow === null ? runs.at(-1) : runAt(runs, startedNow);
  if (run?.restarted === true) return 'restart';
  const actions = run?.before ?? after;
  const since = (at: number | null) => (at === null ? Infinity : Math.abs(now - at));
  if (hints.following && run === undefined && since(startedNow) < startEventMs) return 'wait';
  if (hints.following && run !== undefined && actions.has('stop') && since(run.at) < restartEventMs) return 'wait';
  // Docker counts only the starts by a restart policy, and a `kill` may have been any signal (`docker kill -s HUP`).
  const isRestarted = change.restartsNow > change.restartsBefore;
  if (isRestarted && !actions.has('stop')) return 'crash';
  if (actions.has('kill') || actions.has('stop')) return 'stop-start';
  const hasPolicy = change.restartPolicy !== '' && change.restartPolicy !== 'no';
  if (isRestarted || (actions.has('die') && hasPolicy && !change.wasExited)) return 'crash';
  if (actions.has('die') || change.wasExited) return 'stop-start';
  return 'unknown';
}
