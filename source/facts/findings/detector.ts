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
}

/** A finding before code, severity, id and times are put on it. */
export type FindingDraft = Omit<Finding, 'id' | 'code' | 'severity' | 'since' | 'stale'>;

/** Looks for one kind of finding. */
export interface Detector {
  /** As in docs/findings.md; never changes once released. */
  code: string;
  severity: Severity;
  /** Sources without which it cannot judge: while one of them fails, its findings stay and are marked stale. */
  needs: readonly SourceName[];
  /** Returns every case there is now, in any order; subjects must be unique within the code. */
  detect(context: FindingContext): FindingDraft[];
}
