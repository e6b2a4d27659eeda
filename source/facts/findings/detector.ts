/** The shape of a finding's detector. One file per finding beside this one; `index.ts` lists them. */
import type { Readings, SourceName } from '../../host/readings.ts';
import type { Finding, Severity, Snapshot } from '../schema.ts';

/** All that a detector may look at. It is pure: no I/O, no clock but `now`. */
export interface FindingContext {
  readings: Readings;
  /** The joined facts of this moment, port changes included. */
  facts: Omit<Snapshot, 'findings'>;
  /** ms since the epoch. */
  now: number;
  /** The findings of the moment before, for those that want to be seen twice before they are raised or that keep their text. */
  previous: readonly Finding[];
  /** The containers in which those were found, by which to tell what has become of them since; undefined: not known. */
  judgedIn?: Snapshot['containers'];
  /**
   * The readings that those in `readings` replaced, for detectors that want to see a thing twice: kept by
   * `keepEarlier` (earlier.ts) from one snapshot to the next. undefined: there is one round of readings only (a one-shot
   * command), so that what is seen once has to do.
   */
  earlier?: EarlierReadings;
}

/** The sources of which `EarlierReadings` tells, beside what is inside containers. */
export type ComparedSource = 'docker' | 'links' | 'netfilter' | 'processes';

/** Of each source the reading before the current one; an entry is absent while there was only one. */
export type EarlierReadings = Partial<Pick<Readings, ComparedSource>> &
  Pick<Readings, 'inside'> & {
    /** When each source first said what it has said ever since, ms since the epoch; absent: with its current reading. */
    since?: Partial<Record<ComparedSource, number>>;
    /** When each link (`linkKey` in earlier.ts) was first seen by a reading, ms since the epoch; every reading since shows it. */
    linksSince?: ReadonlyMap<string, number>;
  };

/** A finding before code, severity, id and times are put on it. */
export type FindingDraft = Omit<Finding, 'id' | 'code' | 'severity' | 'since' | 'stale'>;

/** Looks for one kind of finding. */
export interface Detector {
  /** As in docs/findings.md; never changes once released. */
  code: string;
  severity: Severity;
  /** Sources without which it cannot judge: while one of them fails, its findings stay and are marked stale. */
  needs: readonly SourceName[];
  /** Sources that show it further cases: while one of them fails it judges with the rest, and its earlier findings stay, marked stale. */
  helpedBy?: readonly SourceName[];
  /** False when an earlier finding cannot hold any more, whatever a silent source of `helpedBy` would say; absent: it can. */
  possible?(context: FindingContext, earlier: Finding): boolean;
  /** True when an earlier finding that `detect` no longer returns cannot be judged now (its container could not be read): it stays, marked stale. */
  undecided?(context: FindingContext, earlier: Finding): boolean;
  /** Returns every case there is now, in any order; subjects must be unique within the code. */
  detect(context: FindingContext): FindingDraft[];
}
