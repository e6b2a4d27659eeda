/**
 * Who reaches what, for a view that is shown before it is judged. A screen asks for the places that it draws, and a walk for
 * each of them takes longer than all the rest of a frame; so until the judgement has asked for those places again, the
 * answers are those of the moment before, and of a place that nobody has asked for yet, that it is not known.
 */
import type { Readings } from '../host/readings.ts';
import { placeKey as keyOf, type Exposure, type Place } from '../facts/exposure.ts';
import { PlaceBases, type PlaceBasis } from '../facts/findings/place-basis.ts';
import { settled } from '../facts/findings/reach.ts';
import { reachability, type Exposures, type Reachability } from '../facts/reachability.ts';
import type { Snapshot } from '../facts/schema.ts';

type Facts = Parameters<typeof reachability>[1] & Pick<Snapshot, 'interfaces'>;

/** An answer, and for what it was worked out; without that it is worked out anew. */
interface Answer {
  exposure: Exposure;
  basis?: PlaceBasis;
  /** Whether it keeps nothing of its moment alive. */
  isSettled?: boolean;
}

/** The same answer, to be kept for long. */
function settledAnswer({ exposure, basis }: Answer): Answer {
  const { deciding } = exposure;
  const answers = exposure.answers.map(each => ({ ...each, verdict: settled(each.verdict) }));
  const at = deciding ? exposure.answers.indexOf(deciding) : -1;
  // What this host itself meets decides some, and is none of the answers.
  const own = deciding && at < 0 ? { ...deciding, verdict: settled(deciding.verdict) } : answers[at];
  const kept: Exposure = { ...exposure, answers, ...(own && { deciding: own }) };
  return { exposure: kept, isSettled: true, ...(basis && { basis }) };
}

/**
 * A place is worked out again for so many judgements after it was asked for last: a screen that is slow draws once in several of
 * them, and what it draws next is what it drew before.
 */
const keptFor = 8;

const notJudged: Exposure = { word: 'unknown', answers: [], reason: 'not judged yet' };

/** Exposures that remember what was asked of them. The same object for as long as its answers are the newest. */
class Remembering implements Exposures {
  source: Exposures;
  /** Whether `source` is of the newest readings, so that it may be asked for more. */
  isCurrent = true;
  /** What a screen has asked for, and how many judgements ago. */
  asked = new Map<string, { place: Place; judgements: number }>();
  #answers = new Map<string, Answer>();

  constructor(source: Exposures) {
    this.source = source;
  }

  of(place: Place): Exposure {
    const key = keyOf(place);
    this.asked.set(key, { place, judgements: 0 });
    return this.#answers.get(key)?.exposure ?? (this.isCurrent ? this.learn(place) : notJudged);
  }

  learn(place: Place, basis?: PlaceBasis): Exposure {
    const exposure = this.source.of(place);
    this.#answers.set(keyOf(place), { exposure, ...(basis && { basis }) });
    return exposure;
  }

  /** Takes up what is known of a place if that still holds; else works it out anew. @returns whether it still held */
  follow(place: Place, before: Remembering, bases: PlaceBases): boolean {
    const key = keyOf(place);
    const last = before.#answers.get(key);
    const basis = bases.of(place, last?.basis);
    const holds = last !== undefined && basis !== undefined && basis === last.basis;
    if (holds) this.#answers.set(key, last.isSettled ? last : settledAnswer(last));
    else this.learn(place, basis);
    return holds;
  }

  /** Becomes another one that says the same: whoever holds this one need not be told. */
  become(other: Remembering): void {
    this.source = other.source;
    this.asked = other.asked;
    this.#answers = other.#answers;
  }
}

/** What views show of reachability. */
export class ScreenReach {
  #fresh: Reachability;
  #judged: Remembering;
  #shown: Reachability;
  #readings: Readings;
  #facts: Facts;

  constructor(readings: Readings, facts: Facts) {
    this.#readings = readings;
    this.#facts = facts;
    this.#fresh = reachability(readings, facts);
    this.#judged = new Remembering(this.#fresh.exposures);
    this.#shown = { ...this.#fresh, exposures: this.#judged };
  }

  /** What is to be shown; the same object until something changed. */
  get shown(): Reachability {
    return this.#shown;
  }

  /** Takes the readings and facts of this moment: its verdicts, but for exposures those of the last judgement. */
  update(readings: Readings, facts: Facts): void {
    const fresh = reachability(readings, facts, this.#fresh);
    this.#readings = readings;
    this.#facts = facts;
    if (fresh !== this.#fresh) this.#present(fresh);
  }

  /**
   * Works out anew, in pieces, what was asked for and may have another answer now, and shows it from then on.
   * @param now ms since the epoch
   */
  *judge(now: number): Generator<void, void> {
    const { exposures } = this.#fresh;
    if (exposures === this.#judged.source) return;
    const next = new Remembering(exposures);
    const bases = new PlaceBases({ readings: this.#readings, facts: this.#facts, now });
    let isSame = true;
    for (const [key, { place, judgements }] of this.#judged.asked) {
      // What a screen made of an answer that is followed no longer must be made again, too.
      if (judgements === keptFor || !next.follow(place, this.#judged, bases)) isSame = false;
      if (judgements === keptFor) continue;
      next.asked.set(key, { place, judgements: judgements + 1 });
      yield;
    }
    // What a screen made of answers that all hold, it need not make again.
    if (isSame) this.#judged.become(next);
    else this.#judged = next;
    // Newer facts may have come in between: they are judged next.
    this.#present(this.#fresh);
  }

  #present(fresh: Reachability): void {
    this.#fresh = fresh;
    this.#judged.isCurrent = fresh.exposures === this.#judged.source;
    this.#shown = { ...fresh, exposures: this.#judged };
  }
}
