/**
 * From readings to a snapshot: joins them, tracks ports, judges, and tells what happened since the snapshot before. What is
 * carried from one to the next is in the memory; all of it is pure.
 */
import { sourceNames, type Readings } from '../host/readings.ts';
import { diffEvents } from './events.ts';
import { keepEarlier, type ReadingHistory } from './findings/earlier.ts';
import { judge } from './findings/index.ts';
import { joinFacts, type JoinContext } from './join.ts';
import { emptyLedger, type Ledger, type PortHints, trackPorts } from './port-changes.ts';
import type { Finding, NetdashEvent, PortChange, Snapshot } from './schema.ts';
import { reuse, type Steps, stepping } from './sharing.ts';

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
): { ledger: Ledger; list: PortChange[] } {
  const before = memory.snapshot?.portChanges ?? [];
  const { state, value } = readings.docker;
  if (!value || (state !== 'ok' && state !== 'partial')) return { ledger: memory.ledger, list: before };
  const { ledger, changes } = trackPorts(memory.ledger, value, context.hints, context.now);
  if (changes.length === 0) return { ledger, list: before };
  return { ledger, list: [...changes.toReversed(), ...before].slice(0, mostPortChanges) };
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
  const joined = joinFacts(readings, context, stepping(memory.steps, steps));
  const { ledger, list } = portChanges(memory, readings, context);
  const facts = { ...joined, portChanges: list };
  const history = keepEarlier(memory.history, readings);
  const previous = memory.snapshot?.findings ?? none;
  const failed = new Set(
    sourceNames.filter(name => readings[name].state === 'failed' || readings[name].state === 'pending'),
  );
  const judged = judge(
    { readings, facts, now: context.now, previous, earlier: context.once ? undefined : history.earlier },
    failed,
  );
  const next: Snapshot = { ...facts, findings: reuse(memory.snapshot?.findings, judged) };
  const complete = sourceNames.every(name => readings[name].state !== 'pending');
  return {
    snapshot: next,
    memory: { ledger, snapshot: next, complete, history, steps },
    events: diffEvents(baseline(memory, next), next),
  };
}

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
