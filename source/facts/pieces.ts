/** Long work is a generator that gives way between its pieces (`source/live/slices.ts`). */

/** Runs what is made in pieces to its end. */
export function finish<T>(pieces: Generator<void, T>): T {
  let piece = pieces.next();
  while (!piece.done) piece = pieces.next();
  return piece.value;
}
