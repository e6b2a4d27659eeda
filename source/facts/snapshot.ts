/**
 * From readings to a snapshot: joins them, tracks ports, judges, and tells what happened since the snapshot before. What is
 * carried from one to the next is in the memory; all of it is pure.
 */
import { type DockerReading, sourceNames, type Readings, type SourceName } from '../host/readings.ts';
import { diffEvents } from './events.ts';
import { keepEarlier, type ReadingHistory } from './findings/earlier.ts';
import { keepListeners, type KnownListeners } from './listener-events.ts';
import { judgeSlowly } from './findings/index.ts';
import { withoutOvertaken } from './findings/overtaken.ts';
import { joinSlowly, type JoinContext } from './join.ts';
import { nothingPassing, type Passing, passingConnections } from './passing-connections.ts';
import { finish } from './pieces.ts';
import { emptyLedger, type Ledger, type PortHints, trackPorts } from './port-changes.ts';
import type { Container, Finding, NetdashEvent, PortChange, Snapshot } from './schema.ts';
import { haveSameItems, reuse, type Steps, stepping } from './sharing.ts';
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
  /** Of the judgement before: whether every source had been asked by then, and the containers in which it found what it found. */
  judged?: Pick<Judged, 'complete' | 'containers'>;
  history?: ReadingHistory;
  sightings?: Sightings;
  /** The host's listeners, for telling what opens and closes. */
  listeners?: KnownListeners;
  /** Of Docker's events that tell of what no two snapshots differ in. */
  passing?: Passing;
  /** The reading and the ledger that ports were last tracked with. */
  tracked?: { docker: DockerReading; ledger: Ledger };
  /** The containers of whose removal Docker had told by then. */
  removed?: readonly string[];
  steps?: Steps;
}

/** Port changes that a snapshot keeps. */
const mostPortChanges = 500;

/** The memory before the first snapshot. @param ledger what an earlier run of netdash left */
export function emptyMemory(ledger: Ledger = emptyLedger): SnapshotMemory {
  return { ledger };
}

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

/** The removals that Docker has told of since the snapshot before; while it does not answer, they wait. */
function takeRemovals(
  { removed: known, complete }: SnapshotMemory,
  { docker }: Readings,
  { hints: { removed = [] } }: SnapshotContext,
): { fresh: string[]; kept: Pick<SnapshotMemory, 'removed'> } {
  if (docker.state === 'failed' || known === removed) return { fresh: [], kept: {} };
  const before = new Set(known);
  const fresh = complete === true ? [...new Set(removed)].filter(id => !before.has(id)) : [];
  return { fresh, kept: { removed } };
}

/**
 * What the new snapshot is compared with for events. Until every source has been asked once, what appears is not what
 * happened: then only port changes count, for those compare with an earlier run.
 */
function baseline(memory: SnapshotMemory, next: Snapshot): Snapshot {
  if (memory.snapshot && memory.complete) return memory.snapshot;
  return { ...next, portChanges: memory.snapshot?.portChanges ?? [] };
}

/** What was made of readings. */
export interface Made {
  /** Everything in it that did not change is the very object of the snapshot before. */
  snapshot: Snapshot;
  /** For what is made next. */
  memory: SnapshotMemory;
  /** What happened since the snapshot before, oldest first. */
  events: NetdashEvent[];
}

/**
 * Makes the snapshot of this moment but for the findings, which are those of the snapshot before that what is read now does not
 * contradict: to judge takes several times as long as all the rest. `judgement` has to follow.
 */
export const facts = (memory: SnapshotMemory, readings: Readings, context: SnapshotContext): Made =>
  finish(factsSlowly(() => memory, readings, context));

/** What a reading says of a container. */
const ofContainer = ({ value }: Readings['docker'], id: string) =>
  value?.containers.find(container => container.id === id);

/**
 * `facts` in pieces. Between two of them the caller may do other things, but make no other facts.
 * @param remembered the memory of now: findings may be judged meanwhile, and what an earlier run knew may come to be known
 */
export function* factsSlowly(
  remembered: () => SnapshotMemory,
  readings: Readings,
  context: SnapshotContext,
): Generator<void, Made> {
  const steps = new Map<string, { inputs: readonly unknown[]; output: unknown }>();
  const joined = yield* joinSlowly(readings, context, stepping(remembered().steps, steps));
  yield;
  const memory = remembered();
  const findings = memory.steps?.get('findings');
  if (findings) steps.set('findings', findings);
  const { ledger, list, tracked } = portChanges(memory, readings, context);
  const history = keepEarlier(memory.history, readings);
  const sightings = keepSightings(memory.sightings, readings, context.now);
  const carried = withoutOvertaken(memory.snapshot?.findings ?? [], memory.judged?.containers, joined.containers);
  const next: Snapshot = { ...joined, portChanges: list, findings: carried };
  const complete = sourceNames.every(name => readings[name].state !== 'pending');
  const knownBefore = memory.complete ? memory.listeners : undefined;
  const sockets = readings.sockets.value?.listeners;
  const listeners = keepListeners(knownBefore, next.listeners, context.now, sockets);
  const known = { before: knownBefore ?? listeners, after: listeners };
  const { events, cutAt } = context.hints;
  const heard = { events, cutAt, now: context.now };
  const { events: passed, passing } = passingConnections(
    memory.complete ? memory.snapshot : undefined,
    next,
    heard,
    memory.passing ?? nothingPassing,
  );
  const removals = takeRemovals(memory, readings, context);
  return {
    snapshot: next,
    memory: {
      ...memory,
      ledger,
      snapshot: next,
      complete,
      history,
      sightings,
      listeners,
      tracked,
      steps,
      passing,
      ...removals.kept,
    },
    events: diffEvents(baseline(memory, next), next, known, {
      events,
      cutAt,
      passed,
      createdAt: id => ofContainer(readings.docker, id)?.created,
      lookedAt: id => memory.history && ofContainer(memory.history.current.docker, id)?.inspectedAt,
      removed: removals.fresh,
    }),
  };
}

/** The findings of one moment. */
export interface Judged {
  findings: Finding[];
  /** What they were found in. */
  inputs: readonly unknown[];
  /** Whether every source had been asked by then. */
  complete: boolean;
  /** The containers of that moment. */
  containers: Container[];
}

/**
 * Judges the snapshot that `facts` made last, in pieces of some milliseconds: between two of them the caller may do other
 * things, make newer facts among them. Returns undefined when there is nothing new to judge.
 */
export function* judgement(
  memory: SnapshotMemory,
  readings: Readings,
  context: SnapshotContext,
): Generator<void, Judged | undefined> {
  const { snapshot: made, history, sightings, complete = false, steps, judged } = memory;
  if (!made || !history) return undefined;
  const { takenAt: _, sources: __, traffic: ___, host: machine, findings: previous, ...rest } = made;
  // Load and memory, which always move, decide no finding.
  const { loadAverage: ____, memory: _____, ...settled } = machine;
  const { containers } = made;
  const inputs = [sightings, ...Object.values(rest), ...Object.values(settled)];
  const done = steps?.get('findings');
  const isDone = done !== undefined && haveSameItems(done.inputs, inputs);
  if (isDone) return judged?.complete === complete ? undefined : { findings: previous, inputs, complete, containers };
  const earlier = context.once ? undefined : history.earlier;
  const judgedIn = judged?.containers;
  const findings = yield* judgeSlowly(
    { readings, facts: made, now: context.now, previous, judgedIn, earlier },
    silent(readings),
  );
  return { findings, inputs, complete, containers };
}

/** Puts findings into the newest snapshot, but for those that it contradicts: it may be newer than the one that was judged. */
export function withFindings(memory: SnapshotMemory, { findings: fresh, inputs, complete, containers }: Judged): Made {
  const before = memory.snapshot!;
  const findings = reuse(before.findings, withoutOvertaken(fresh, containers, before.containers));
  const next: Snapshot = findings === before.findings ? before : { ...before, findings };
  const steps = new Map(memory.steps).set('findings', { inputs, output: findings });
  return {
    snapshot: next,
    memory: { ...memory, snapshot: next, judged: { complete, containers }, steps },
    // As with facts: what is found while sources are still silent has not just come about.
    events: memory.judged?.complete === true ? diffEvents(before, next) : [],
  };
}

/** Makes the whole snapshot of this moment at once. */
export function snapshot(memory: SnapshotMemory, readings: Readings, context: SnapshotContext): Made {
  const made = facts(memory, readings, context);
  const judged = finish(judgement(made.memory, readings, context));
  if (!judged) return made;
  const all = withFindings(made.memory, judged);
  return { ...all, events: [...made.events, ...all.events] };
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
  return Object.entries(b.sources).every(([name, source]) => {
    const before = a.sources[name];
    return before?.state === source.state && before.reason === source.reason && before.waitingMs === source.waitingMs;
  });
}
