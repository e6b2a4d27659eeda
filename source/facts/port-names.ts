/**
 * Which container another was made in place of: Docker has no word for a container that is recreated, so it is told by the
 * name that the new one bears and the old one bore.
 */
import type { ContainerReading } from '../host/readings.ts';
import type { PortHints } from './port-cause.ts';
import type { Ledger, LedgerEntry } from './port-ledger.ts';
import { isUp } from './publishing.ts';

/** Names a container had before that are remembered. */
const mostFormerNames = 4;

/** Compose (v1) names the container that it is about to replace after its own id: `0123456789ab_web`. */
const baseName = (id: string, name: string): string => (name.startsWith(`${id.slice(0, 12)}_`) ? name.slice(13) : name);

function withFormerNames(entry: LedgerEntry, names: readonly string[]): LedgerEntry {
  const { formerNames: _, ...rest } = entry;
  return names.length === 0 ? rest : { ...rest, formerNames: [...new Set(names)].slice(-mostFormerNames) };
}

/** The entry under its container's new name, the old one among those it had before. */
export function renamed(entry: LedgerEntry, name: string): LedgerEntry {
  const former = [...(entry.formerNames ?? []), entry.name].filter(each => each !== name);
  return withFormerNames({ ...entry, name }, former);
}

/** Every name under which something else may have been put in a container's place. */
function namesOf(
  id: string,
  entry: LedgerEntry,
  still: ContainerReading | undefined,
  hints: PortHints,
): readonly string[] {
  // Of a container that is gone, the events are newer than the last reading. Those of a network bear the network's name.
  const own = still ? [] : (hints.events.get(id)?.filter(({ type }) => type === 'container') ?? []);
  const told = own.findLast(({ attributes }) => attributes['name'] !== undefined);
  const last = still?.name ?? told?.attributes['name'];
  const names = [entry.name, ...(entry.formerNames ?? []), ...(last === undefined ? [] : [last])];
  return names.map(name => baseName(id, name));
}

/**
 * The container whose name this one has taken: another one that bore it, and is gone or was renamed; of several, the one
 * that was started last.
 * @param containers the ledger's, with the names that the present ones have now
 * @returns its id
 */
export function predecessorOf(
  container: ContainerReading,
  containers: Ledger['containers'],
  present: ReadonlyMap<string, ContainerReading>,
  hints: PortHints,
): string | undefined {
  const [latest] = Object.entries(containers)
    .filter(([id, entry]) => id !== container.id && entry.replaced !== true)
    .filter(([id, entry]) => namesOf(id, entry, present.get(id), hints).includes(container.name))
    .sort(([, a], [, b]) => b.inspectedAt - a.inspectedAt);
  return latest?.[0];
}

/** Whether a container whose name another has taken is out of the way: gone, or not running. Else both run, and nothing has moved yet. */
export function isReplaced(predecessor: string, present: ReadonlyMap<string, ContainerReading>): boolean {
  const still = present.get(predecessor);
  return still === undefined || !isUp(still);
}

/** The entry without this name among its former ones, so that it is taken from it once only. */
export function withoutName(id: string, entry: LedgerEntry, name: string): LedgerEntry {
  return withFormerNames(
    entry,
    (entry.formerNames ?? []).filter(each => baseName(id, each) !== name),
  );
}

/**
 * What stays of the entry of a container after another has taken its place under this name: nothing when it is gone or was set
 * aside by Compose; else its ports, for it may be started again.
 */
export function afterReplaced(
  id: string,
  entry: LedgerEntry,
  still: ContainerReading | undefined,
  name: string,
): LedgerEntry | undefined {
  if (still === undefined || baseName(id, still.name) === name) return undefined;
  return { ...withoutName(id, entry, name), replaced: true };
}
