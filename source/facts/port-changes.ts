/**
 * Notices that Docker gave a binding another host port: compares what is published now with the last that was, per requested
 * binding. Stopped containers keep their last ports; only what is read of a container that runs counts as new.
 */
import type { ContainerReading, DockerReading } from '../host/readings.ts';
import { pickedBindings } from './port-bindings.ts';
import { causeOf, type PortHints } from './port-cause.ts';
import type { Ledger, LedgerBinding, LedgerEntry, PendingChange } from './port-ledger.ts';
import { isUp } from './publishing.ts';
import type { PortChange } from './schema.ts';

export { emptyLedger, LedgerSchema, openLedger, type Ledger } from './port-ledger.ts';
export type { PortHints } from './port-cause.ts';

/** How many containers that are gone the ledger remembers. */
const mostDeparted = 500;
/** Answers to inspect may overtake each other by this much; by more, the clock was set back. */
const overtakeMs = 60_000;

type Side = LedgerBinding['sides'][number];

/** Whether the number differs on an address that both have, or, with no address in common, at all. One side that comes or goes is no move. */
function hasMoved(from: readonly Side[], to: readonly Side[]): boolean {
  const common = from.filter(side => to.some(({ hostIp }) => hostIp === side.hostIp));
  if (common.length > 0)
    return common.some(
      side => !to.some(({ hostIp, hostPort }) => hostIp === side.hostIp && hostPort === side.hostPort),
    );
  const ports = new Set(from.map(({ hostPort }) => hostPort));
  return to.length > 0 && from.length > 0 && !to.some(({ hostPort }) => ports.has(hostPort));
}

const keyOf = ({ proto, containerPort, hostIp, request }: LedgerBinding): string =>
  `${proto}/${containerPort}/${hostIp}/${request}`;

/** Pairs the bindings of two moments: those that stayed with themselves, then the rest of the same request in order of port. */
function pairBindings(
  before: readonly LedgerBinding[],
  after: readonly LedgerBinding[],
): { moved: [LedgerBinding, LedgerBinding][]; known: LedgerBinding[] } {
  const moved: [LedgerBinding, LedgerBinding][] = [];
  const known: LedgerBinding[] = [];
  for (const key of new Set([...before, ...after].map(keyOf))) {
    const old = before.filter(binding => keyOf(binding) === key);
    const open: LedgerBinding[] = [];
    const asked = after.filter(binding => keyOf(binding) === key);
    for (const binding of asked.filter(({ sides }) => sides.length > 0)) {
      const same = old.findIndex(({ sides }) => !hasMoved(sides, binding.sides));
      if (same >= 0) old.splice(same, 1);
      else open.push(binding);
      known.push(binding);
    }
    for (const binding of open) {
      const from = old.shift();
      if (from !== undefined) moved.push([from, binding]);
    }
    // A binding that is asked for but not mapped at the moment keeps its last port.
    known.push(...old.slice(0, asked.filter(({ sides }) => sides.length === 0).length));
  }
  return { moved, known };
}

/** Compose names the container that it is about to replace after its own id: `0123456789ab_web`. */
const baseName = (id: string, name: string): string => (name.startsWith(`${id.slice(0, 12)}_`) ? name.slice(13) : name);

/** The last name of a container that is gone: its events are newer than the last reading of it. */
function lastName(id: string, entry: LedgerEntry, hints: PortHints): string {
  const named = hints.events.get(id)?.findLast(({ attributes }) => attributes['name'] !== undefined);
  return baseName(id, named?.attributes['name'] ?? entry.name);
}

/** The entry of the container that this one was made in place of: same name, another id, gone (or set aside by Compose and not running). */
function predecessorOf(
  container: ContainerReading,
  containers: Ledger['containers'],
  present: ReadonlyMap<string, ContainerReading>,
  hints: PortHints,
): string | undefined {
  return Object.keys(containers)
    .filter(id => {
      const entry = containers[id];
      if (id === container.id || entry === undefined) return false;
      const still = present.get(id);
      if (still === undefined) return lastName(id, entry, hints) === container.name;
      return baseName(id, still.name) === container.name && (!isUp(still) || still.name === container.name);
    })
    .sort((a, b) => (containers[a]?.inspectedAt ?? 0) - (containers[b]?.inspectedAt ?? 0))
    .at(-1);
}

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

/** Drops the oldest of the containers that are gone. */
function forgetOldest(containers: Ledger['containers'], present: ReadonlyMap<string, ContainerReading>): boolean {
  const departed = Object.keys(containers).filter(id => !present.has(id));
  if (departed.length <= mostDeparted) return false;
  departed.sort((a, b) => (containers[a]?.inspectedAt ?? 0) - (containers[b]?.inspectedAt ?? 0));
  for (const id of departed.slice(0, departed.length - mostDeparted)) delete containers[id];
  return true;
}

/**
 * Compares a reading with the ledger.
 *
 * Only bindings whose port Docker picks (ephemeral or from a range) can move; one that was asked for at another port is
 * another request. A container's first sight is no change. A change whose cause hangs on an event that is due waits in
 * `ledger.pending`: call again, with the same reading if there is no new one, within two seconds.
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
  const present = new Map(docker.containers.map(container => [container.id, container]));
  const containers = { ...ledger.containers };
  const pending: PendingChange[] = [...ledger.pending];
  const changes: PortChange[] = [];
  let isNew = false;
  const put = (id: string, entry: LedgerEntry) => {
    containers[id] = entry;
    isNew = true;
  };
  for (const container of docker.containers) {
    const entry = containers[container.id];
    if (container.inspectError === undefined && entry !== undefined && entry.name !== container.name) {
      put(container.id, { ...entry, name: container.name });
    }
  }
  for (const container of docker.containers) {
    const { id, name } = container;
    const entry = containers[id];
    if (container.inspectError !== undefined) continue;
    if (!isUp(container)) {
      const isExited = container.state === 'exited' || container.state === 'created';
      if (entry !== undefined && (entry.away === true || (isExited && entry.wasExited !== true))) {
        const { away: _, ...rest } = entry;
        put(id, isExited ? { ...rest, wasExited: true } : rest);
      }
      continue;
    }
    if (entry !== undefined && isOutdated(container, entry)) continue;
    const bindings = pickedBindings(container);
    const isReadable = bindings.some(({ sides }) => sides.length > 0);
    if (bindings.length > 0 && !isReadable) continue;
    const predecessor = entry === undefined ? predecessorOf(container, containers, present, hints) : undefined;
    const prior = entry ?? (predecessor === undefined ? undefined : containers[predecessor]);
    if (predecessor !== undefined) {
      delete containers[predecessor];
      isNew = true;
    }
    const { moved, known } = pairBindings(prior?.bindings ?? [], bindings);
    for (const [from, to] of moved) {
      const change: PendingChange = {
        containerId: id,
        containerName: name,
        proto: to.proto,
        containerPort: to.containerPort,
        from: from.sides,
        to: to.sides,
        at: now,
        startedBefore: prior?.startedAt ?? null,
        startedNow: container.startedAt ?? null,
        restartsBefore: prior?.restartCount ?? 0,
        restartsNow: container.restartCount,
        restartPolicy: container.restartPolicy,
        wasExited: prior?.wasExited === true,
      };
      if (prior?.away === true) changes.push(toChange(change, 'while-away'));
      else if (predecessor !== undefined) changes.push(toChange(change, 'recreate'));
      else pending.push(change);
    }
    const isSameRun = entry !== undefined && entry.startedAt === (container.startedAt ?? null) && entry.away !== true;
    const isSame = isSameRun && moved.length === 0 && JSON.stringify(entry.bindings) === JSON.stringify(known);
    if (bindings.length === 0) {
      if (entry !== undefined) {
        delete containers[id];
        isNew = true;
      }
    } else if (!isSame) {
      const { startedAt = null, restartCount, inspectedAt } = container;
      put(id, { name, bindings: known, startedAt, restartCount, inspectedAt });
    }
  }
  const waiting = pending.filter(change => {
    const cause = causeOf(change, hints, now);
    if (cause !== 'wait') changes.push(toChange(change, cause));
    return cause === 'wait';
  });
  for (const [id, entry] of Object.entries(containers)) {
    if (entry.away === true && !present.has(id)) {
      const { away: _, ...rest } = entry;
      put(id, rest);
    }
  }
  if (forgetOldest(containers, present) || waiting.length !== ledger.pending.length || waiting.length > 0) isNew = true;
  if (!isNew) return { ledger, changes };
  changes.sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0));
  return { ledger: { version: 1, containers, pending: waiting }, changes };
}
