/** Keeps the memory of a program that runs for days small. */
import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8';

/** The young generation may grow to this many bytes: with less, collecting it takes a quarter of the time under churn. */
const youngBytes = { atStart: 8_000_000, later: 4_000_000 };
/** Under churn it doubles twice within a second; to wake a program that has nothing to do costs more than the look. */
const lookMs = { atStart: 25, busy: 250, quiet: 2000 };
/** A program that makes no more than this in a look's time, bytes, is quiet. */
const quietBytes = 500_000;
/** By now everything has been read and judged once, even where hundreds of containers run. */
const startedMs = 30_000;

/** Lets the young generation double while it is smaller than `bytes`, and no further; returns the way to stop that. */
function limitYoung(bytes: number, busyMs: number, quietMs: number): () => void {
  let factor = 0;
  let used = 0;
  let timer: NodeJS.Timeout | undefined;
  const look = (): void => {
    const young = getHeapSpaceStatistics().find(({ space_name: name }) => name === 'new_space');
    const wanted = young && young.space_size < bytes ? 2 : 1;
    if (wanted !== factor) setFlagsFromString(`--semi-space-growth-factor=${wanted}`);
    factor = wanted;
    const before = used;
    used = young?.space_used_size ?? 0;
    timer = setTimeout(look, Math.abs(used - before) > quietBytes ? busyMs : quietMs);
    timer.unref();
  };
  look();
  return () => clearTimeout(timer);
}

/**
 * Tells V8 to collect garbage sooner than it does on a machine with much memory, where it lets a heap of 40 MB grow to several
 * times that: the old generation when it has grown by a quarter, and the young one, which would double up to 32 MB (128 MB
 * with Node 24), stays at `youngBytes` or so; V8 makes it smaller when little happens. And it collects the young one by itself,
 * which takes 2 ms: several threads have to wait for each other, and on a machine whose CPUs are all taken that made it
 * 10 ms, and up to 130.
 *
 * The build's program sets these two before it is compiled, and one more (scripts/program-file.mjs).
 *
 * After the start it is told to prefer size to speed as well: then a collection moves together what is left in pages that
 * are emptier than by a fifth, and gives the others back, where it else leaves them half empty. That is a tenth of all
 * memory, and costs nothing that could be measured; during the start, though, it costs a sixth of its CPU time.
 */
export function keepHeapSmall(): void {
  setFlagsFromString('--heap-growing-percent=25');
  setFlagsFromString('--no-parallel-scavenge');
  const stop = limitYoung(youngBytes.atStart, lookMs.atStart, lookMs.atStart);
  setTimeout(() => {
    stop();
    setFlagsFromString('--optimize-for-size');
    limitYoung(youngBytes.later, lookMs.busy, lookMs.quiet);
  }, startedMs).unref();
}
