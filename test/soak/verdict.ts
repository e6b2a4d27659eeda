/** What of a soak's result is not as it should be. */
import type { SoakResult } from './soak.ts';

/** Heap that may be gained: history is bounded, and fills in the beginning. */
const heapGainBytes = 12e6;
/** Files that are open for a moment (a read, a child's pipes) may differ. */
const fileGain = 12;

/** One line for everything that is wrong; empty when all is right. */
export function complaints({ missed, invented, differences, before, after, heaps }: SoakResult): string[] {
  // The history is filled once a third of the time is over; from then on nothing may grow.
  const settled = Math.min(...heaps.slice(Math.floor(heaps.length / 3)), after.heapBytes);
  return [
    ...missed.map(line => `missed: ${line}`),
    ...invented.map(line => `invented or told twice: ${line}`),
    ...differences,
    ...(after.heapBytes - Math.max(settled, before.heapBytes) > heapGainBytes
      ? [`the heap has grown from ${settled} to ${after.heapBytes} bytes`]
      : []),
    ...(after.openFiles - before.openFiles > fileGain
      ? [`open files have grown from ${before.openFiles} to ${after.openFiles}`]
      : []),
  ];
}
