/** The end of a way before its goal. */
import type { DecidedBy, VerdictWord } from './verdict.ts';

/** Why a packet goes no further. */
export class Stop {
  readonly verdict: Exclude<VerdictWord, 'reachable'>;
  readonly decidedBy: DecidedBy;
  /** The name of the hop where it ends. */
  readonly hop: string;

  constructor(verdict: Exclude<VerdictWord, 'reachable'>, hop: string, decidedBy: DecidedBy) {
    this.verdict = verdict;
    this.hop = hop;
    this.decidedBy = decidedBy;
  }
}

/** What a stop says beside its line: where to look, for the operator. */
export type Whereabouts = Pick<DecidedBy, 'pid' | 'routeTo' | 'lacks' | 'off' | 'past' | 'onAnswer' | 'publishedFor'>;

/** A stop that is told in one line. */
export const stop = (
  verdict: Exclude<VerdictWord, 'reachable'>,
  hop: string,
  kind: DecidedBy['kind'],
  detail: string,
  where: Whereabouts = {},
): Stop => new Stop(verdict, hop, { kind, detail, ...where });
