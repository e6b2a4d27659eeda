/**
 * When views are made: one for all that comes together, at once for what is waited for, and less often where changes do not cease.
 */
import { inTurn, urgentTurn } from '../loop/turns.ts';
import { inSlices } from './slices.ts';

/** After a view, other things come first for so many times the time it took; less for what is waited for. */
const restFactors = { else: 4, awaited: 0.5 };
/** The screen draws four times a second: but for what is waited for, views are made no more often. */
const gapMs = 250;
/**
 * Every `busyViews` views within so many ms make the gap longer by what it is at first: what happens alone is on screen at once, but on a
 * host on which containers restart every second views are not to take the processor from those who wait for keys.
 */
const busyMs = 10_000;
const busyViews = 10;
/** Of the first second, in which every source answers for the first time, there are few views: the one that is waited for is the one that has all. */
const startMs = 1000;
const startGatherMs = 150;

/** How soon a view is wanted. */
export interface Wish {
  /** The last that is waited for, or what the operator looks for after a restart: it does not wait for the gap. */
  isAwaited?: boolean;
  /** Nothing else is to come first. */
  isOnlyWork?: boolean;
}

/** What the pace depends on. */
export interface PaceOptions {
  /** Makes a view, in pieces. Must not throw. */
  make(): Generator<void, void>;
  /** Called after each view. */
  onMade(): void;
  /** Whether the sources are still to answer for the first time. */
  isStarting(): boolean;
  /** Whether views are shown as they come, so that there may be too many. */
  isFollowed(): boolean;
}

/** The views of one session. One is made at a time. */
export class ViewPace {
  readonly #options: PaceOptions;
  readonly #begunAt = performance.now();
  #timer: NodeJS.Timeout | undefined;
  #timerAt = Infinity;
  #last = { endedAt: 0, tookMs: 0 };
  /** When the views of the last `busyMs` were made. */
  #madeAt: number[] = [];
  #making: Promise<void> | undefined;
  /** What was asked for while a view was being made, of readings that were older. */
  #wishes: { delayMs: number; wish: Wish }[] = [];
  #stopped = false;

  constructor(options: PaceOptions) {
    this.#options = options;
  }

  /** Makes a view `delayMs` from now, or when it is due anyhow if that is sooner. */
  soon(delayMs: number, wish: Wish = {}): void {
    if (this.#stopped) return;
    if (this.#making) {
      this.#wishes.push({ delayMs, wish });
      return;
    }
    const { endedAt, tookMs } = this.#last;
    const now = performance.now();
    const isStarting = now < this.#begunAt + startMs && this.#options.isStarting();
    const rest = wish.isOnlyWork ? 0 : wish.isAwaited ? restFactors.awaited : restFactors.else;
    const gap = wish.isAwaited || wish.isOnlyWork || !this.#options.isFollowed() ? 0 : this.#gap(now);
    const at = Math.max(
      now + (isStarting ? Math.max(delayMs, startGatherMs) : delayMs),
      endedAt + Math.max(rest * tookMs, gap),
    );
    if (at >= this.#timerAt) return;
    clearTimeout(this.#timer);
    this.#timerAt = at;
    this.#timer = setTimeout(() => inTurn(() => void this.make()), Math.max(0, at - performance.now()));
  }

  /** Makes a view now, after the one that is being made; resolves when it is done. */
  async make(): Promise<void> {
    while (this.#making) await this.#making;
    if (this.#stopped) return;
    clearTimeout(this.#timer);
    this.#timerAt = Infinity;
    this.#making = this.#make();
    await this.#making;
  }

  /** Ends it; a view that is being made is given up. */
  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  #gap(now: number): number {
    this.#madeAt = this.#madeAt.filter(at => at > now - busyMs);
    return gapMs * (1 + this.#madeAt.length / busyViews);
  }

  async #make(): Promise<void> {
    const done = await inSlices(this.#options.make(), () => this.#stopped, urgentTurn).finally(
      () => (this.#making = undefined),
    );
    if (!done) return;
    const endedAt = performance.now();
    this.#last = { endedAt, tookMs: done.tookMs };
    this.#madeAt.push(endedAt);
    const wishes = this.#wishes;
    this.#wishes = [];
    for (const { delayMs, wish } of wishes) this.soon(delayMs, wish);
    this.#options.onMade();
  }
}
