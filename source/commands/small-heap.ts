/** Keeps the memory of a program that runs for days small. */
import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8';

/** The young generation may grow to this many bytes: with less, collecting it takes a quarter of the time under churn. */
const youngBytes = 8_000_000;
const lookMs = 25;
/** By now everything has been read and judged once, even where hundreds of containers run. */
const startedMs = 30_000;

/**
 * Tells V8 to collect garbage sooner than it does on a machine with much memory, where it lets a heap of 40 MB grow to several
 * times that: the old generation when it has grown by a quarter, and the young one, which would double up to 32 MB (128 MB
 * with Node 24), stays at `youngBytes` or so. And it collects the young one by itself, which takes 2 ms: several threads have to
 * wait for each other, and on a machine whose CPUs are all taken that made it 10 ms, and up to 130. To be called before there is much on the heap.
 *
 * After the start it is told to prefer size to speed as well: then a collection moves together what is left in pages that
 * are emptier than by a fifth, and gives the others back, where it else leaves them half empty. That is a tenth of all
 * memory, and costs nothing that could be measured; during the start, though, it costs a sixth of its CPU time.
 */
export function keepHeapSmall(): void {
  setFlagsFromString('--heap-growing-percent=25');
  setFlagsFromString('--no-parallel-scavenge');
  const timer = setInterval(() => {
    const young = getHeapSpaceStatistics().find(({ space_name: name }) => name === 'new_space');
    if (young && young.space_size < youngBytes) return;
    setFlagsFromString('--semi-space-growth-factor=1');
    clearInterval(timer);
  }, lookMs);
  timer.unref();
  setTimeout(() => setFlagsFromString('--optimize-for-size'), startedMs).unref();
}
