/** Keeps, of each source, the reading before the current one, for detectors that want to see a thing twice. */
import type { Readings } from '../../host/readings.ts';
import type { EarlierReadings } from './detector.ts';

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
  if (history === undefined) return { current, earlier: { inside: {} } };
  const before = history.current;
  const earlier: EarlierReadings = { ...history.earlier, inside: {} };
  if (before.docker.at !== docker.at && before.docker.value !== undefined) earlier.docker = before.docker;
  if (before.links.at !== links.at && before.links.value !== undefined) earlier.links = before.links;
  if (before.netfilter.at !== netfilter.at && before.netfilter.value !== undefined)
    earlier.netfilter = before.netfilter;
  if (before.processes.at !== processes.at && before.processes.value !== undefined)
    earlier.processes = before.processes;
  for (const [id, reading] of Object.entries(inside)) {
    const last = before.inside[id];
    const kept =
      last !== undefined && last.at !== reading.at && last.value !== undefined ? last : history.earlier.inside[id];
    if (kept !== undefined) earlier.inside[id] = kept;
  }
  return { current, earlier };
}
