/**
 * What cannot be told is tried both ways: the walk is repeated with every combination of answers, and only where these
 * lead to different verdicts is the verdict unknown.
 */
import type { DecidedBy, Verdict } from './verdict.ts';

/** More combinations than this are not tried: then it is unknown. */
const mostRuns = 200;

interface Taken {
  option: number;
  options: number;
  about: () => DecidedBy;
}

/** Answers the questions of one run: those of `prefix` first, then always the first option. */
export class Chooser {
  readonly taken: Taken[] = [];
  private readonly prefix: readonly number[];

  constructor(prefix: readonly number[]) {
    this.prefix = prefix;
  }

  /** @param about what the question hangs on, for the operator */
  choose(options: number, about: () => DecidedBy): number {
    const option = this.prefix[this.taken.length] ?? 0;
    this.taken.push({ option, options, about });
    return option;
  }
}

/** The next combination, in which the last answer that has another option takes it. */
function next(taken: readonly Taken[]): number[] | undefined {
  for (let at = taken.length - 1; at >= 0; at -= 1) {
    const last = taken[at];
    if (last && last.option + 1 < last.options)
      return [...taken.slice(0, at).map(item => item.option), last.option + 1];
  }
  return undefined;
}

/** Runs the walk with all combinations of answers. */
export function explore(run: (chooser: Chooser) => Verdict): Verdict {
  let prefix: number[] | undefined = [];
  let first: Verdict | undefined;
  for (let runs = 0; prefix; runs += 1) {
    const chooser = new Chooser(prefix);
    const verdict = run(chooser);
    // An unknown of its own tells the operator more than what the ways differ in.
    if (verdict.verdict === 'unknown' && !first) return verdict;
    first ??= verdict;
    const culprit = chooser.taken[prefix.length - 1];
    if (verdict.verdict !== first.verdict || runs >= mostRuns) {
      const decidedBy = culprit?.about() ?? verdict.decidedBy;
      return { verdict: 'unknown', ...(decidedBy && { decidedBy }), path: first.path };
    }
    prefix = next(chooser.taken);
  }
  return first ?? { verdict: 'unknown', path: [] };
}
