/**
 * From readings to a snapshot: joins them, tracks ports, judges, and tells what happened since the snapshot before. What is
 * carried from one to the next is in the memory; all of it is pure.
 */
import { type DockerReading, sourceNames, type Readings, type SourceName } from '../host/readings.ts';
import { diffEvents } from './events.ts';
import { keepEarlier, type ReadingHistory } from './findings/earlier.ts';
import { judge } from './findings/index.ts';
import { joinFacts, type JoinContext } from './join.ts';
import { emptyLedger, type Ledger, type PortHints, trackPorts } from './port-changes.ts';
import type { Finding, NetdashEvent, PortChange, Snapshot } from './schema.ts';
import { reuse, type Steps, stepping } from './sharing.ts';
import { keepSightings, type Sightings } from './sightings.ts';

export { joinFacts, type JoinContext, type JoinedFacts } from './join.ts';

/** What a snapshot is made from beside the readings. */
export interface SnapshotContext extends JoinContext {
  /** What Docker's events tell of the causes of port changes. */
  hints: PortHints;
  /** True where the host is read only once: findings that want to be seen twice are then raised at first sight. */
  once?: boolean;
}

/** What is carried from one snapshot to the next. `ledger` is what the state file keeps; the rest begins empty. */
export interface SnapshotMemory {
  /** The last known ports; the same object as long as nothing in it is new. */
  ledger: Ledger;
  /** The snapshot before. */
  snapshot?: Snapshot;
  /** Whether every source had been asked when it was made. */
  complete?: boolean;
  history?: ReadingHistory;
  sightings?: Sightings;
  /** The reading and the ledger that ports were last tracked with. */
  tracked?: { docker: DockerReading; ledger: Ledger };
  steps?: Steps;
}

/** Port changes that a snapshot keeps. */
const mostPortChanges = 500;

/** The memory before the first snapshot. @param ledger what an earlier run of netdash left */
export function emptyMemory(ledger: Ledger = emptyLedger): SnapshotMemory {
  return { ledger };
}

const none: readonly Finding[] = [];

/** Tracks the ports; a Docker that did not answer tells nothing of them. */
function portChanges(
  memory: SnapshotMemory,
  readings: Readings,
  context: SnapshotContext,
): { ledger: Ledger; list: PortChange[]; tracked: SnapshotMemory['tracked'] } {
  const before = memory.snapshot?.portChanges ?? [];
  const { ledger, tracked } = memory;
  const { state, value } = readings.docker;
  const isDone = tracked?.docker === value && tracked?.ledger === ledger && ledger.pending.length === 0;
  if (isDone || !value || (state !== 'ok' && state !== 'partial')) return { ledger, list: before, tracked };
  const made = trackPorts(ledger, value, context.hints, context.now);
  const list = made.changes.length === 0 ? before : [...made.changes.toReversed(), ...before].slice(0, mostPortChanges);
  return { ledger: made.ledger, list, tracked: { docker: value, ledger: made.ledger } };
}

/**
 * What the new snapshot is compared with for events. Until every source has been asked once, what appears is not what
 * happened: then only port changes count, for those compare with an earlier run.
 */
function baseline(memory: SnapshotMemory, next: Snapshot): Snapshot {
  if (memory.snapshot && memory.complete) return memory.snapshot;
  return { ...next, portChanges: memory.snapshot?.portChanges ?? [] };
}

/**
 * Makes the snapshot of this moment.
 * @returns the snapshot, in which everything that did not change is the very object of the snapshot before; the memory for
 * the next one; and what happened in between, oldest first
 */
export function snapshot(
  memory: SnapshotMemory,
  readings: Readings,
  context: SnapshotContext,
): { snapshot: Snapshot; memory: SnapshotMemory; events: NetdashEvent[] } {
  const steps = new Map<string, { inputs: readonly unknown[]; output: unknown }>();
  const step = stepping(memory.steps, steps);
  const joined = joinFacts(readings, context, step);
  const { ledger, list, tracked } = portChanges(memory, readings, context);
  const facts = { ...joined, portChanges: list };
  const history = keepEarlier(memory.history, readings);
  const sightings = keepSightings(memory.sightings, readings, context.now);
  const { takenAt: _, sources: __, traffic: ___, ...judged } = facts;
  const findings = step('findings', [sightings, ...Object.values(judged)], (before: Finding[] | undefined) => {
    const previous = memory.snapshot?.findings ?? none;
    const earlier = context.once ? undefined : history.earlier;
    return reuse(before, judge({ readings, facts, now: context.now, previous, earlier }, silent(readings)));
  });
  const next: Snapshot = { ...facts, findings };
  const complete = sourceNames.every(name => readings[name].state !== 'pending');
  return {
    snapshot: next,
    memory: { ledger, snapshot: next, complete, history, sightings, tracked, steps },
    events: diffEvents(baseline(memory, next), next),
  };
}

/** The sources that say nothing now. */
const silent = (readings: Readings): Set<SourceName> =>
  new Set(sourceNames.filter(name => readings[name].state === 'failed' || readings[name].state === 'pending'));

/**
 * Whether two snapshots say the same but for the time: when they were taken, and how old their readings are. A screen that
 * shows one need not be drawn again for the other.
 */
export function sayTheSame(a: Snapshot, b: Snapshot): boolean {
  const names = Object.keys(b) as (keyof Snapshot)[];
  if (!names.every(name => name === 'takenAt' || name === 'sources' || a[name] === b[name])) return false;
  return Object.entries(b.sources).every(
    ([name, source]) => a.sources[name]?.state === source.state && a.sources[name].reason === source.reason,
  );
}
