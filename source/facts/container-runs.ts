/** The runs of a container between two looks: the last one is in what inspect answers, those before it only in Docker's events. */
import type { DockerEvent } from '../host/host.ts';
import { isUp } from './publishing.ts';
import type { Container } from './schema.ts';

/** What a look says of runs. */
export type RunState = Pick<Container, 'state' | 'startedAt' | 'finishedAt' | 'exitCode'>;

/** A run began or ended. */
export interface RunEvent {
  type: 'container-started' | 'container-died';
  at: string;
  /** Of an end; absent where nobody saw it. */
  exitCode?: number;
  /** What Docker's event calls the container; absent where no event tells. */
  name?: string;
}

/** Docker tells of a start this soon after it, in ms, however busy it is. */
const toldWithinMs = 10_000;

/** Whether the last run that one look shows is a later one than that of the look before. */
function isAnotherRun(was: RunState | undefined, is: RunState): boolean {
  if (is.startedAt === undefined) return isUp(is);
  // One that is up and began earlier did so by a clock that was set back.
  return was?.startedAt === undefined || (isUp(is) ? is.startedAt !== was.startedAt : is.startedAt > was.startedAt);
}

const stamp = (at: number): string => new Date(at).toISOString();

function ended(event: DockerEvent): RunEvent {
  const code = Number(event.attributes['exitCode'] ?? Number.NaN);
  return { ...told('container-died', event), ...(Number.isInteger(code) && { exitCode: code }) };
}

function told(type: RunEvent['type'], { at, attributes: { name } }: DockerEvent): RunEvent {
  return { type, at: stamp(at), ...(name !== undefined && { name }) };
}

/** Starts and ends as Docker told of them, each once: 20.10 sends an event twice now and then. */
function turnsOf(events: readonly DockerEvent[]): DockerEvent[] {
  const turns = events.filter(({ type, action }) => type === 'container' && (action === 'start' || action === 'die'));
  return turns.filter(({ action, at }, i) => turns[i - 1]?.action !== action || turns[i - 1]?.at !== at);
}

/**
 * What began and ended from one look to the next, oldest first: a container that ends as soon as it is started has often
 * been started again, or is gone, when it is looked at.
 * @param was undefined for one that was not there
 * @param is undefined for one that is gone
 * @param events what Docker told of this container
 * @param takenAt of the second look, for what nobody gave a time
 */
export function runsBetween(
  was: RunState | undefined,
  is: RunState | undefined,
  events: readonly DockerEvent[],
  takenAt: string,
): RunEvent[] {
  const isOpen = was !== undefined && isUp(was);
  if (is !== undefined && !isAnotherRun(was, is)) return isOpen && !isUp(is) ? [endOf(is, takenAt)] : [];
  const from = was?.startedAt === undefined ? -Infinity : Date.parse(was.startedAt);
  // What Docker tells after the start of the last run is of that run.
  const until = is === undefined ? Infinity : Date.parse(is.startedAt ?? takenAt);
  const turns = turnsOf(events).filter(({ at }) => at >= from && at < until);
  if (turns[0]?.action === 'start' && turns[0].at - from < toldWithinMs) turns.shift();
  const runs: RunEvent[] = [];
  let open = isOpen;
  for (const turn of turns) {
    if (turn.action === 'start') {
      if (open) runs.push({ type: 'container-died', at: stamp(turn.at) });
      runs.push(told('container-started', turn));
    } else if (open) runs.push(ended(turn));
    open = turn.action === 'start';
  }
  if (is === undefined) return open ? [...runs, { type: 'container-died', at: takenAt }] : runs;
  // Of one that is up, inspect tells when the run before ended, but no longer with what.
  const finishedAt = isUp(is) ? is.finishedAt : undefined;
  if (open) runs.push({ type: 'container-died', at: finishedAt ?? stamp(until) });
  else if (finishedAt !== undefined && runs.at(-1)?.type === 'container-died') {
    runs[runs.length - 1] = { ...runs.at(-1)!, at: finishedAt };
  }
  runs.push({ type: 'container-started', at: is.startedAt ?? takenAt });
  return isUp(is) ? runs : [...runs, endOf(is, takenAt)];
}

function endOf({ finishedAt, exitCode }: RunState, takenAt: string): RunEvent {
  return { type: 'container-died', at: finishedAt ?? takenAt, ...(exitCode !== undefined && { exitCode }) };
}
