/** Keeps, of each source, the reading before the current one, for detectors that want to see a thing twice. */
import type { LinkReading, Readings } from '../../host/readings.ts';
import type { ComparedSource, EarlierReadings, FindingContext } from './detector.ts';

const compared: readonly ComparedSource[] = ['docker', 'links', 'netfilter', 'processes'];

/** What of a reading stays the same object as long as nothing of it changes; the counters of interfaces always do. */
const said = (name: ComparedSource, reading: Readings[ComparedSource]): unknown =>
  name === 'links' ? (reading as Readings['links']).value?.links : reading.value;

/** What tells a link from one made later: names come again, and so may an index that was asked for. */
export const linkKey = ({ ifindex, name }: Pick<LinkReading, 'ifindex' | 'name'>): string => `${ifindex} ${name}`;

/** When each link of the current reading was first seen. */
function linksSince({ links }: Readings, history: ReadingHistory | undefined): ReadonlyMap<string, number> | undefined {
  const before = history?.earlier.linksSince;
  const { at, value } = links;
  if (at === undefined || value === undefined) return before;
  if (before && history?.current.links.value?.links === value.links) return before;
  const since = new Map<string, number>();
  for (const link of value.links) {
    const key = linkKey(link);
    since.set(key, before?.get(key) ?? at);
  }
  return since;
}

type Inside = Readings['inside'];

/** The readings inside before the current ones, for each container that is read inside now. */
function earlierInside(current: Inside, { current: before, earlier }: ReadingHistory): EarlierReadings['inside'] {
  let isSame = true;
  for (const id in current) if (before.inside[id] !== current[id]) isSame = false;
  for (const id in before.inside) if (!(id in current)) isSame = false;
  if (isSame) return earlier.inside;
  const kept: EarlierReadings['inside'] = {};
  for (const id in current) {
    const last = before.inside[id];
    const isNew = last !== undefined && last.at !== current[id]?.at && last.value !== undefined;
    const reading = isNew ? last : earlier.inside[id];
    if (reading !== undefined) kept[id] = reading;
  }
  return kept;
}

/** What `keepEarlier` carries from one snapshot to the next. */
export interface ReadingHistory {
  current: Pick<Readings, 'docker' | 'links' | 'netfilter' | 'processes' | 'inside'>;
  earlier: EarlierReadings;
}

/**
 * Moves on by one round of readings. A reading replaces another only when it was taken at another moment (`at`), so that
 * a snapshot made because of one source does not age the others.
 */
export function keepEarlier(history: ReadingHistory | undefined, readings: Readings): ReadingHistory {
  const { docker, links, netfilter, processes, inside } = readings;
  const current = { docker, links, netfilter, processes, inside };
  const since: EarlierReadings['since'] = {};
  for (const name of compared) {
    const { at } = readings[name];
    const last = history?.current[name];
    const isSame = last !== undefined && said(name, last) === said(name, readings[name]);
    const from = (isSame ? history?.earlier.since?.[name] : undefined) ?? at;
    if (from !== undefined) since[name] = from;
  }
  const seen = linksSince(readings, history);
  const first = { since, ...(seen && { linksSince: seen }) };
  if (history === undefined) return { current, earlier: { inside: {}, ...first } };
  const before = history.current;
  const earlier: EarlierReadings = { ...history.earlier, inside: earlierInside(inside, history), ...first };
  if (before.docker.at !== docker.at && before.docker.value !== undefined) earlier.docker = before.docker;
  if (before.links.at !== links.at && before.links.value !== undefined) earlier.links = before.links;
  if (before.netfilter.at !== netfilter.at && before.netfilter.value !== undefined)
    earlier.netfilter = before.netfilter;
  if (before.processes.at !== processes.at && before.processes.value !== undefined)
    earlier.processes = before.processes;
  return { current, earlier };
}

/**
 * Whether a source said what it says now at some moment between two others. The sources are read at different times, so what one
 * shows is only sure to be wrong when another, which contradicts it, was read both before and after.
 * @param from ms since the epoch
 * @param to ms since the epoch
 */
export function saidBetween(name: ComparedSource, from: number, to: number, context: FindingContext): boolean {
  const { at } = context.readings[name];
  const since = context.earlier?.since?.[name] ?? at;
  return at !== undefined && since !== undefined && Math.max(since, from) <= Math.min(at, to);
}

/**
 * Since when a source has shown something that its current reading shows, as far as is known.
 * @param wasThere whether the reading before shows it too
 * @returns ms since the epoch; undefined when the source was never read
 */
export function shownSince(name: ComparedSource, wasThere: boolean, context: FindingContext): number | undefined {
  const { earlier, readings } = context;
  const since = earlier?.since?.[name] ?? readings[name].at;
  const before = wasThere ? earlier?.[name]?.at : undefined;
  return before === undefined || since === undefined ? since : Math.min(before, since);
}
