/** From readings to the view that screens and commands see. */
import type { Readings } from '../host/readings.ts';
import type { NetdashEvent, Snapshot, Source } from '../facts/schema.ts';
import { containersToReadAgain } from '../facts/findings/index.ts';
import {
  emptyMemory,
  facts,
  factsSlowly,
  judgement,
  sayTheSame,
  withFindings,
  type Made,
  type SnapshotContext,
  type SnapshotMemory,
} from '../facts/snapshot.ts';
import { Beginning } from './beginning.ts';
import { ScreenReach } from './screen-reach.ts';
import { MadeAnew } from './made-anew.ts';
import { Settling } from './settling.ts';
import type { LiveView } from './live.ts';
import type { KeptPorts } from './state-ports.ts';
import { Store } from './store.ts';

/** How many events a view keeps. */
const mostEvents = 500;
/** Ages on screen count in minutes: a view in which nothing else changed is renewed that often. */
const renewMs = 60_000;
/** In its first minute an age counts in seconds; as does that of what is shown though its source fails. */
const renewYoungMs = 5000;
const causeMs = 60;
const confirmMs = 500;
/** Which containers are to be read a second time is asked this often though nothing new is found: some are so because time has passed. */
const askMs = 5000;

/** The view, its memory and its listeners. */
export class ViewKeeper {
  readonly store: Store<LiveView>;
  #memory: SnapshotMemory = emptyMemory();
  #readings: Readings;
  #own: Record<string, Source> = {};
  #askedAt = -Infinity;
  #isYoung = false;
  readonly #reach: ScreenReach;
  readonly #settling = new Settling();
  readonly #beginning = new Beginning();
  readonly #anew = new MadeAnew();
  readonly #isOutdated: () => boolean;
  /** Whether the newest view, and what was judged last, were made of readings that did not all show what had changed. */
  #outdated = { view: false, judged: false };
  readonly #eventListeners = new Set<(event: NetdashEvent) => void>();

  /** @param isOutdated whether something has changed that the readings of links, rules or containers do not show yet */
  constructor(readings: Readings, context: SnapshotContext, isOutdated: () => boolean) {
    this.#isOutdated = isOutdated;
    const made = facts(this.#memory, readings, context);
    this.#memory = made.memory;
    this.#readings = readings;
    this.#reach = new ScreenReach(readings, made.snapshot);
    this.store = new Store<LiveView>({
      snapshot: made.snapshot,
      reach: this.#reach.shown,
      events: [],
      ready: false,
    });
  }

  /** The last known ports and the changes seen: what the state file keeps. */
  get ports(): { ledger: SnapshotMemory['ledger']; portChanges: Snapshot['portChanges'] } {
    return { ledger: this.#memory.ledger, portChanges: this.#memory.snapshot?.portChanges ?? [] };
  }

  /** Whether ports have changed of which nobody knows yet why: Docker's events may tell. */
  get awaitsCause(): boolean {
    return this.#memory.ledger.pending.length > 0;
  }

  /**
   * How soon the view must be made anew though nothing new is read, ms: a port change waits for its cause, a finding for being
   * confirmed, a network that came and went for its container to be as it is now, or an age that counts in seconds goes on.
   */
  get againMs(): number | undefined {
    if (this.awaitsCause) return causeMs;
    if (this.#settling.isWaiting || this.#memory.passing?.isWaiting === true) return confirmMs;
    return this.#isYoung ? renewYoungMs : undefined;
  }

  /** The readings behind the newest view. */
  get readings(): Readings {
    return this.#readings;
  }

  /** Takes up what an earlier run of netdash left, before the first containers are seen. */
  recall(kept: KeptPorts): void {
    const { ledger, snapshot: last } = this.#memory;
    this.#memory = {
      ...this.#memory,
      ledger: kept.ledger ?? ledger,
      snapshot: last && { ...last, portChanges: kept.portChanges },
    };
  }

  /**
   * Makes the view of these readings, in pieces; its findings stay those of the last judgement until `judge`.
   * @param own sources of netdash's own (its state file), shown beside those of the host
   * @param isBehind whether something else has been read since
   */
  *update(
    readings: Readings,
    context: SnapshotContext,
    own: Record<string, Source>,
    isBehind: () => boolean,
  ): Generator<void, void> {
    const wasOutdated = this.#isOutdated();
    const made = yield* factsSlowly(() => this.#memory, readings, context);
    this.#memory = made.memory;
    this.#readings = readings;
    this.#outdated.view = wasOutdated || isBehind() || this.#isOutdated();
    this.#own = own;
    this.#reach.update(readings, made.snapshot);
    this.#show(made, context, this.store.latest.ready);
  }

  /**
   * Judges what `update` made last and puts the findings into the view, in pieces: between two of them `update` may be
   * called again.
   * @param ready of the view that comes of it
   * @param isAtRest nothing has been new for so long that time alone makes none worth a second reading before all is judged again
   * @returns containers of which a second reading is wanted soon
   */
  *judge(context: SnapshotContext, ready: boolean, isAtRest = false): Generator<void, string[]> {
    const readings = this.#readings;
    const { view: isOutdated } = this.#outdated;
    this.#settling.beginJudgement();
    const judged = yield* judgement(this.#memory, readings, context);
    this.#outdated.judged = isOutdated;
    const { shown } = this.#reach;
    yield* this.#reach.judge(context.now);
    this.#settling.endJudgement();
    if (judged) {
      const made = withFindings(this.#memory, judged);
      this.#memory = made.memory;
      this.#show(made, context, ready);
      yield;
    } else if (ready !== this.store.latest.ready || shown !== this.#reach.shown) {
      this.#show({ snapshot: this.#memory.snapshot!, memory: this.#memory, events: [] }, context, ready);
    }
    const { history, snapshot } = this.#memory;
    if (context.once || !history || !snapshot) return [];
    if (!judged && (isAtRest || context.now - this.#askedAt < askMs)) return [];
    this.#askedAt = context.now;
    const previous = snapshot.findings;
    return containersToReadAgain({ readings, facts: snapshot, now: context.now, previous, earlier: history.earlier });
  }

  /** Judges what `update` made last, in pieces, and nothing comes of it. */
  *rehearse(context: SnapshotContext): Generator<void, void> {
    yield* judgement(this.#memory, this.#readings, context);
  }

  #show(made: Made, context: SnapshotContext, ready: boolean): void {
    const own = this.#own;
    const { findings, events: settled } = this.#settling.apply(
      made.snapshot.findings,
      made.events,
      context.now,
      context.once === true || !this.store.latest.ready,
      this.#outdated.judged || this.#isOutdated(),
    );
    const told = this.#anew.mark(this.#beginning.mark(settled, context.now, ready), context.now);
    const shown: Snapshot = {
      ...made.snapshot,
      findings,
      sources: Object.keys(own).length === 0 ? made.snapshot.sources : { ...made.snapshot.sources, ...own },
    };
    const before = this.store.latest;
    this.#isYoung = hasYoung(shown, context.now);
    const oldMs = this.#isYoung || hasYoung(before.snapshot, context.now) ? renewYoungMs - 500 : renewMs;
    const isOld = context.now - Date.parse(before.snapshot.takenAt) >= oldMs;
    const reach = this.#reach.shown;
    const isNew =
      told.length > 0 ||
      reach !== before.reach ||
      ready !== before.ready ||
      isOld ||
      !sameSources(before.snapshot, shown) ||
      !sayTheSame(before.snapshot, shown);
    if (isNew) {
      const events = told.length === 0 ? before.events : newestFirst(told, before.events).slice(0, mostEvents);
      this.store.set({ snapshot: shown, reach, events, ready });
    }
    for (const event of told) for (const listener of this.#eventListeners) listener(event);
  }

  /** Calls back with every event; returns the way to stop that. */
  onEvent(listener: (event: NetdashEvent) => void): () => void {
    this.#eventListeners.add(listener);
    return () => this.#eventListeners.delete(listener);
  }

  /** Pins what is shown now, marked with the time, or follows again. */
  freeze(on: boolean, now: number): void {
    if (!on) this.store.pin(undefined);
    else if (this.store.get().frozenAt === undefined) this.store.pin({ ...this.store.latest, frozenAt: now });
  }
}

/** Both by time: what Docker says of when something happened may be before what was seen sooner. */
function newestFirst(told: readonly NetdashEvent[], before: readonly NetdashEvent[]): NetdashEvent[] {
  return [...told.toReversed(), ...before].sort((a, b) => (a.at > b.at ? -1 : a.at < b.at ? 1 : 0));
}

const sameSources = (a: Snapshot, b: Snapshot): boolean =>
  Object.keys(a.sources).length === Object.keys(b.sources).length;

/** Whether anything is shown with an age that counts in seconds. */
function hasYoung({ containers, findings, sources }: Snapshot, now: number): boolean {
  const isYoung = (at: string | undefined) => at !== undefined && now - Date.parse(at) < renewMs;
  return (
    containers.some(({ state, startedAt, finishedAt }) => isYoung(state === 'running' ? startedAt : finishedAt)) ||
    findings.some(({ since }) => isYoung(since)) ||
    Object.values(sources).some(({ state, ageMs }) => state === 'failed' && ageMs !== null)
  );
}
