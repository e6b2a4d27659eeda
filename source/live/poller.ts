/** Reads one source again and again: on a slow timer, on hints, on demand; never twice at a time. */
import { HostError, type Host } from '../host/host.ts';
import type { Outcome, Reading } from '../host/readings.ts';
import { reuse } from '../facts/sharing.ts';

/** The same reading, named to whoever keeps a log of what this host is asked; without one, `read` itself. */
export function traced<A extends unknown[], T>(
  host: Host,
  source: string,
  read: (...args: A) => Promise<Outcome<T>>,
): (...args: A) => Promise<Outcome<T>> {
  if (!host.trace) return read;
  return (...args) => host.trace!(source, () => read(...args));
}

/** How a source is read. */
export interface PollerOptions<T> {
  /** Reads it. @throws HostError when there is nothing at all */
  read(previous: T | undefined): Promise<Outcome<T>>;
  /** The time on the machine that is read, ms since the epoch. */
  now(): number;
  /**
   * Ms from the end of one read to the next that nothing else asks for; undefined: only on demand. Asked after each read.
   * A read that failed is followed by others sooner at first, then every 30 s.
   */
  everyMs(): number | undefined;
  /** After this long a read counts as failed, though nothing can end it. */
  timeoutMs: number;
  /** Hints are obeyed at most once in this many ms, and less and less often while they do not cease (`busyMs`). */
  hintGapMs: number;
  /** Called after every read. `changed` is false when state, reason and value are as before. */
  onReading(reading: Reading<T>, changed: boolean): void;
  /** Called with what was read and with what is kept of it: an equal value, in which each part that equals one of before is that one. */
  onKept?(value: T, kept: T): void;
  /** Items of lists in the value that have no `id`: see `reuse`. */
  keyOf?: (item: never) => string;
}

/** The longest pause between two tries of a source that fails. */
const longestBackOffMs = 30_000;
const firstBackOffMs = 1000;

/**
 * Every hint obeyed within so many ms makes the pause before the next one longer by half of what it is at first: what happens alone
 * is read at once, but a host on which containers restart every second is not to be read as often.
 */
const busyMs = 10_000;

/** One source. Made idle: the first `poke` starts it. */
export class Poller<T> {
  /** The latest reading; its value keeps its identity while it stays equal. */
  reading: Reading<T> = { state: 'pending' };
  readonly #options: PollerOptions<T>;
  #timer: NodeJS.Timeout | undefined;
  /** When the next timed read is due, and when the hints so far are to be obeyed; on the clock of performance.now(). */
  #regularAt = Infinity;
  #hintAt = Infinity;
  #running: Promise<void> | undefined;
  #again: Promise<void> | undefined;
  #lastStart = -Infinity;
  /** When hints were obeyed in the last `busyMs`. */
  #obeyed: number[] = [];
  #failures = 0;
  /** The read that runs is the one that a hint asked for. */
  #obeys = false;
  #stopped = false;

  constructor(options: PollerOptions<T>) {
    this.#options = options;
  }

  /** Reads now. While a read runs, one more follows it, since that one may have begun too early; resolves when it is done. */
  poke(): Promise<void> {
    if (this.#stopped) return Promise.resolve();
    if (!this.#running) {
      this.#running = this.#read();
      return this.#running;
    }
    this.#again ??= this.#running.then(() => {
      this.#again = undefined;
      return this.poke();
    });
    return this.#again;
  }

  /** Something may have changed: reads `delayMs` from now, together with all other hints until then. A failing source keeps to its back-off. */
  hint(delayMs: number): void {
    this.#hintAt = Math.min(this.#hintAt, performance.now() + delayMs);
    this.#arm();
  }

  /** Whether something may have changed, as a hint said, that no reading shows yet. */
  get isOutdated(): boolean {
    return !this.#stopped && (this.#hintAt < Infinity || this.#obeys);
  }

  /** Puts off the next timed read, or brings it forward, after `everyMs` has changed its mind. */
  reschedule(): void {
    if (this.#stopped || this.#running) return;
    this.#schedule();
  }

  /** Takes what was come by in another way than by `read`: it counts as read now. */
  accept(outcome: Outcome<T>): void {
    if (!this.#stopped) this.#take(outcome);
  }

  /**
   * Replaces the value by one of which only a part was read anew: state, reason and time stay those of the whole.
   * `onReading` is not called.
   * @returns whether that changed anything
   */
  amend(value: T): boolean {
    const before = this.reading;
    if (this.#stopped || before.value === undefined) return false;
    const kept = reuse(before.value, value, this.#options.keyOf);
    this.reading = { ...before, value: kept };
    return kept !== before.value;
  }

  /** Takes the news, from elsewhere, that the source does not answer. */
  reject(reason: string): void {
    if (!this.#stopped) this.#fail(reason);
  }

  /** Ends it; a read that still runs changes nothing any more. */
  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  #backOff(): number {
    return Math.min(longestBackOffMs, firstBackOffMs * 2 ** (this.#failures - 1));
  }

  #hintGap(): number {
    const since = performance.now() - busyMs;
    this.#obeyed = this.#obeyed.filter(at => at > since);
    return this.#options.hintGapMs * (1 + this.#obeyed.length / 2);
  }

  /** Sets the timer for what is due first. */
  #arm(): void {
    clearTimeout(this.#timer);
    if (this.#stopped) return;
    const gap = this.#failures > 0 ? this.#backOff() : this.#hintGap();
    const at = Math.min(this.#regularAt, Math.max(this.#hintAt, this.#lastStart + gap));
    if (at === Infinity) return;
    this.#timer = setTimeout(
      () => {
        // A timer may fire a moment early.
        if (this.#hintAt <= at) {
          this.#hintAt = Infinity;
          this.#obeys = true;
          this.#obeyed.push(performance.now());
        }
        void this.poke();
      },
      Math.max(0, at - performance.now()),
    );
  }

  #schedule(): void {
    const every = this.#options.everyMs();
    const pause = this.#failures > 0 ? this.#backOff() : every;
    this.#regularAt = every === undefined || pause === undefined ? Infinity : performance.now() + pause;
    this.#arm();
  }

  async #read(): Promise<void> {
    const now = performance.now();
    this.#lastStart = now;
    this.#regularAt = Infinity;
    // What a hint announces for later, this read comes too early for.
    if (this.#hintAt <= now) {
      this.#hintAt = Infinity;
      this.#obeys = true;
    }
    this.#arm();
    try {
      const outcome = await withTimeout(this.#options.read(this.reading.value), this.#options.timeoutMs);
      if (!this.#stopped) this.#take(outcome);
    } catch (error) {
      if (!this.#stopped) this.#fail(reasonOf(error));
    }
    this.#running = undefined;
    // One that follows it may be the one that was asked for.
    if (!this.#again) this.#obeys = false;
    this.#schedule();
  }

  #take({ value, missing }: Outcome<T>): void {
    this.#failures = 0;
    const before = this.reading;
    const kept = reuse(before.value, value, this.#options.keyOf);
    this.#options.onKept?.(value, kept);
    const at = this.#options.now();
    this.reading =
      missing === undefined ? { state: 'ok', at, value: kept } : { state: 'partial', reason: missing, at, value: kept };
    const changed = kept !== before.value || before.state !== this.reading.state || before.reason !== missing;
    this.#options.onReading(this.reading, changed);
  }

  #fail(reason: string): void {
    this.#failures += 1;
    const before = this.reading;
    this.reading = { ...before, state: 'failed', reason };
    this.#options.onReading(this.reading, before.state !== 'failed' || before.reason !== reason);
  }
}

/** One line for the operator, whatever was thrown. */
export function reasonOf(error: unknown): string {
  if (error instanceof HostError) return error.message;
  return `internal error: ${error instanceof Error ? error.message : String(error)}`;
}

/** Settles as `promise` does, or rejects with a HostError `timeout` after `ms`. */
export async function withTimeout<T>(promise: Promise<T>, ms: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  try {
    return await Promise.race([
      promise,
      new Promise<never>((_, reject) => {
        timer = setTimeout(() => reject(new HostError('timeout', `no answer within ${ms / 1000} s`)), ms);
      }),
    ]);
  } finally {
    clearTimeout(timer);
  }
}
