/**
 * Notices that Docker gave a binding another host port: compares what is published now with the last that was, per requested
 * binding. Stopped containers keep their last ports; only what is read of a container that runs counts as new.
 */
import type { ContainerReading, DockerReading } from '../host/readings.ts';
import { pickedBindings } from './port-bindings.ts';
import { causeOf, type PortHints } from './port-cause.ts';
import type { Ledger, LedgerBinding, LedgerEntry, PendingChange } from './port-ledger.ts';
import { afterReplaced, isReplaced, predecessorOf, renamed, withoutName } from './port-names.ts';
import { pairBindings } from './port-pairs.ts';
import { isUp } from './publishing.ts';
import type { PortChange } from './schema.ts';

export { emptyLedger, LedgerSchema, openLedger, type Ledger } from './port-ledger.ts';
export type { PortHints } from './port-cause.ts';

/** How many containers that are gone the ledger remembers. */
const mostDeparted = 500;
/** Of two that run, the one under the other's old name takes its place when that one ends within this time; later it is another story. */
const handOverMs = 3_600_000;
/** Answers to inspect may overtake each other by this much; by more, the clock was set back. */
const overtakeMs = 60_000;

/** Whether what is read of a container is older than what the ledger has of it. */
function isOutdated({ startedAt, inspectedAt }: ContainerReading, entry: LedgerEntry): boolean {
  if (startedAt !== undefined && entry.startedAt !== null && startedAt < entry.startedAt) {
    return entry.startedAt - startedAt < overtakeMs;
  }
  return inspectedAt < entry.inspectedAt && entry.inspectedAt - inspectedAt < overtakeMs;
}

const toChange = (
  { at, containerId, containerName, proto, containerPort, from, to }: PendingChange,
  cause: PortChange['cause'],
): PortChange => ({
  at: new Date(at).toISOString(),
  containerId,
  containerName,
  proto,
  containerPort,
  from,
  to,
  cause,
});

/** Running containers with the entries that say all there is to say of them: neither is ever changed, only replaced. */
const settled = new WeakMap<ContainerReading, LedgerEntry>();

/** A ledger that is being brought up to date with a reading. */
class Update {
  /** The ledger's own until something is put into them. */
  containers: Ledger['containers'];
  readonly pending: PendingChange[];
  readonly changes: PortChange[] = [];
  isNew = false;
  private readonly read: readonly ContainerReading[];
  private readonly present: ReadonlyMap<string, ContainerReading>;
  private readonly hints: PortHints;
  private readonly now: number;

  constructor(ledger: Ledger, docker: DockerReading, hints: PortHints, now: number) {
    this.containers = ledger.containers;
    this.pending = [...ledger.pending];
    this.present = new Map(docker.containers.map(container => [container.id, container]));
    this.read = docker.containers.filter(({ inspectError }) => inspectError === undefined);
    this.hints = hints;
    this.now = now;
  }

  private put(id: string, entry: LedgerEntry | undefined): void {
    // There are hundreds, and mostly nothing is new.
    if (!this.isNew) this.containers = { ...this.containers };
    if (entry === undefined) delete this.containers[id];
    else this.containers[id] = entry;
    this.isNew = true;
  }

  /** Takes up new names, and remembers whose place a container has taken with its name. */
  takeNames(): void {
    const taken: ContainerReading[] = [];
    for (const container of this.read) {
      const entry = this.containers[container.id];
      if (entry === undefined || entry.name === container.name) continue;
      this.put(container.id, renamed(entry, container.name));
      taken.push(container);
    }
    for (const container of taken) {
      const entry = this.containers[container.id];
      const predecessor = this.predecessorOf(container);
      if (entry === undefined || predecessor === undefined) continue;
      this.put(container.id, { ...entry, inPlaceOf: { id: predecessor, since: this.now } });
      this.nameTaken(predecessor, container.name);
    }
  }

  private predecessorOf(container: ContainerReading): string | undefined {
    return predecessorOf(container, this.containers, this.present, this.hints);
  }

  /** Notes that another container has taken the place of this one, which is told. */
  private replaced(id: string, name: string): void {
    const entry = this.containers[id];
    if (entry) this.put(id, afterReplaced(id, entry, this.present.get(id), name));
  }

  /** Notes that another container bears the name that this one, which runs on, had before. */
  private nameTaken(id: string, name: string): void {
    const entry = this.containers[id];
    if (entry) this.put(id, withoutName(id, entry, name));
  }

  /** Compares every container with what is known of it. */
  compare(): void {
    for (const container of this.read) {
      if (isUp(container)) this.compareRunning(container);
      else this.noteStopped(container);
    }
  }

  private noteStopped({ id, state }: ContainerReading): void {
    const entry = this.containers[id];
    const isExited = state === 'exited' || state === 'created';
    if (entry === undefined || (entry.away !== true && (!isExited || entry.wasExited === true))) return;
    const { away: _, ...rest } = entry;
    this.put(id, isExited ? { ...rest, wasExited: true } : rest);
  }

  private compareRunning(container: ContainerReading): void {
    const { id, name, restartCount, inspectedAt } = container;
    const startedAt = container.startedAt ?? null;
    const entry = this.containers[id];
    if (entry !== undefined && (settled.get(container) === entry || isOutdated(container, entry))) return;
    const bindings = pickedBindings(container);
    const isReadable = bindings.some(({ sides }) => sides.length > 0);
    if (bindings.length > 0 && !isReadable) return;
    const predecessor = entry === undefined ? this.predecessorOf(container) : undefined;
    const hasMadeWay = predecessor !== undefined && isReplaced(predecessor, this.present);
    const prior = hasMadeWay ? this.containers[predecessor] : entry;
    const { moved, known } = pairBindings(prior?.bindings ?? [], bindings);
    if (hasMadeWay) this.replaced(predecessor, name);
    else if (predecessor !== undefined) this.nameTaken(predecessor, name);
    for (const [from, to] of moved) {
      const change = this.toPending(container, prior, from, to);
      if (prior?.away === true) this.changes.push(toChange(change, 'while-away'));
      else if (hasMadeWay) this.changes.push(toChange(change, 'recreate'));
      else this.pending.push(change);
    }
    if (bindings.length === 0) {
      if (entry !== undefined) this.put(id, undefined);
      return;
    }
    const isSameRun = entry !== undefined && entry.startedAt === startedAt && entry.away !== true;
    if (isSameRun && moved.length === 0 && JSON.stringify(entry.bindings) === JSON.stringify(known)) {
      settled.set(container, entry);
      return;
    }
    const place = predecessor !== undefined && !hasMadeWay ? { id: predecessor, since: this.now } : entry?.inPlaceOf;
    const kept = { ...(entry?.formerNames && { formerNames: entry.formerNames }), ...(place && { inPlaceOf: place }) };
    this.put(id, { name, bindings: known, startedAt, restartCount, inspectedAt, ...kept });
  }

  /** Tells of containers whose place another one has taken under its name, once they are out of the way. */
  handOver(): void {
    for (const container of this.read) {
      const entry = this.containers[container.id];
      if (!entry?.inPlaceOf || !isUp(container) || entry.startedAt !== (container.startedAt ?? null)) continue;
      const { inPlaceOf: place, ...rest } = entry;
      const prior = this.containers[place.id];
      const isLate = this.now - place.since > handOverMs;
      if (prior && !isLate && !isReplaced(place.id, this.present)) continue;
      this.put(container.id, rest);
      if (!prior) continue;
      this.replaced(place.id, container.name);
      if (isLate) continue;
      for (const [from, to] of pairBindings(prior.bindings, entry.bindings).moved) {
        const change = this.toPending(container, prior, from, to);
        this.changes.push(toChange(change, prior.away === true ? 'while-away' : 'recreate'));
      }
    }
  }

  /** Tells of the changes whose cause is known by now. */
  settle(): void {
    const before = this.pending.length;
    const waiting = this.pending.filter(change => {
      const cause = causeOf(change, this.hints, this.now);
      if (cause !== 'wait') this.changes.push(toChange(change, cause));
      return cause === 'wait';
    });
    this.pending.splice(0, before, ...waiting);
  }

  /** What an earlier run of netdash knew and this one does not find is gone, and of what is gone the oldest is dropped. */
  forget(): void {
    const departed: string[] = [];
    for (const id in this.containers) if (!this.present.has(id)) departed.push(id);
    for (const id of departed) {
      const { away, ...rest } = this.containers[id]!;
      if (away === true) this.put(id, rest);
    }
    if (departed.length <= mostDeparted) return;
    departed.sort((a, b) => (this.containers[a]?.inspectedAt ?? 0) - (this.containers[b]?.inspectedAt ?? 0));
    for (const id of departed.slice(0, departed.length - mostDeparted)) this.put(id, undefined);
  }

  private toPending(
    { id, name, startedAt, restartCount, restartPolicy }: ContainerReading,
    prior: LedgerEntry | undefined,
    from: LedgerBinding,
    to: LedgerBinding,
  ): PendingChange {
    return {
      containerId: id,
      containerName: name,
      proto: to.proto,
      containerPort: to.containerPort,
      from: from.sides,
      to: to.sides,
      at: this.now,
      startedBefore: prior?.startedAt ?? null,
      startedNow: startedAt ?? null,
      restartsBefore: prior?.restartCount ?? 0,
      restartsNow: restartCount,
      restartPolicy,
      wasExited: prior?.wasExited === true,
    };
  }
}

/**
 * Compares a reading with the ledger.
 *
 * Only bindings whose port Docker picks (ephemeral or from a range) can move; one that was asked for at another port is
 * another request. A container's first sight is no change, unless it stands in the place of another that bore its name and
 * is gone or stopped; one that runs on under another name is waited for. A change whose cause hangs on an event that is due
 * waits in `ledger.pending`: call again, with the same reading if there is no new one, within two seconds.
 *
 * @param docker may be the same reading again: nothing is then reported twice
 * @param now ms since the epoch
 * @returns the ledger to pass next time (the same object when nothing is new in it, so that it need not be written),
 * and each change once, in the order in which they were seen
 */
export function trackPorts(
  ledger: Ledger,
  docker: DockerReading,
  hints: PortHints,
  now: number,
): { ledger: Ledger; changes: PortChange[] } {
  const update = new Update(ledger, docker, hints, now);
  update.takeNames();
  update.compare();
  update.handOver();
  update.settle();
  update.forget();
  const { containers, pending, changes } = update;
  if (!update.isNew && pending.length === 0 && ledger.pending.length === 0) return { ledger, changes };
  changes.sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0));
  return { ledger: { version: 1, containers, pending }, changes };
}
