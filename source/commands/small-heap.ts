/** Keeps the memory of a program that runs for days small. */
import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8';

/** The young generation may grow to this many bytes: with less, collecting it takes a quarter of the time under churn. */
const youngBytes = { atStart: 8_000_000, later: 4_000_000 };
/** Under churn it doubles twice within a second. */
const lookMs = { atStart: 25, later: 250 };
/** By now everything has been read and judged once, even where hundreds of containers run. */
const startedMs = 30_000;

/** Lets the young generation double while it is smaller than `bytes`, and no further; returns the way to stop that. */
function limitYoung(bytes: number, everyMs: number): () => void {
  let factor = 0;
  const look = (): void => {
    const young = getHeapSpaceStatistics().find(({ space_name: name }) => name === 'new_space');
    const wanted = young && young.space_size < bytes ? 2 : 1;
    if (wanted !== factor) setFlagsFromString(`--semi-space-growth-factor=${wanted}`);
    factor = wanted;
  };
  look();
  const timer = setInterval(look, everyMs);
  timer.unref();
  return () => clearInterval(timer);
}

/**
 * Tells V8 to collect garbage sooner than it does on a machine with much memory, where it lets a heap of 40 MB grow to several
 * times that: the old generation when it has grown by a quarter, and the young one, which would double up to 32 MB (128 MB
 * with Node 24), stays at `youngBytes` or so; V8 makes it smaller when little happens. And it collects the young one by itself,
 * which takes 2 ms: several threads have to wait for each other, and on a machine whose CPUs are all taken that made it
 * 10 ms, and up to 130. The build's program sets the two that stay
 * before it is compiled (`flags` in scripts/program-file.mjs).
 *
 * After the start it is told to prefer size to speed as well: then a collection moves together what is left in pages that
 * are emptier than by a fifth, and gives the others back, where it else leaves them half empty. That is a tenth of all
 * memory, and costs nothing that could be measured; during the start, though, it costs a sixth of its CPU time.
 */
export function keepHeapSmall(): void {
  setFlagsFromString('--heap-growing-percent=25');
  setFlagsFromString('--no-parallel-scavenge');
  const stop = limitYoung(youngBytes.atStart, lookMs.atStart);
  setTimeout(() => {
    stop();
    setFlagsFromString('--optimize-for-size');
    limitYoung(youngBytes.later, lookMs.later);
  }, startedMs).unref();
}
