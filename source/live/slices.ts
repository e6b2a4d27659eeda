/** Long work in small slices, so that keys and what hosts tell go first. */
import { turn } from '../loop/turns.ts';

/** A key may wait this long, ms, for a slice to end. */
const longestMs = 8;

/**
 * Runs a generator to its end, and gives way to input and timers every few milliseconds.
 * @param stopped asked between slices: true ends it early
 * @param wait resolves when the next slice may begin: as patient work by default
 * @returns what it returns and the ms it took, pauses not counted; undefined when it was ended early. Throws what it throws
 */
export async function inSlices<T>(
  pieces: Generator<void, T>,
  stopped: () => boolean,
  wait = turn,
): Promise<{ value: T; tookMs: number } | undefined> {
  let tookMs = 0;
  for (;;) {
    const startedAt = performance.now();
    let spentMs = 0;
    while (spentMs < longestMs) {
      const piece = pieces.next();
      spentMs = performance.now() - startedAt;
      if (piece.done) return { value: piece.value, tookMs: tookMs + spentMs };
    }
    tookMs += spentMs;
    await wait();
    if (stopped()) return undefined;
  }
}
