/** What of a soak's result is not as it should be. */
import type { Cost } from './agent.ts';
import type { SoakResult } from './soak.ts';

/** What may be gained of each: history is bounded, and fills in the beginning; files open for a moment (a read, a child's pipes) differ. */
const allowed: readonly { of: keyof Cost; gain: number; words: string }[] = [
  { of: 'heapBytes', gain: 12e6, words: 'the heap, in bytes' },
  // Pages that the collector has freed go back to the kernel late: it wavers more than the heap.
  { of: 'residentBytes', gain: 40e6, words: 'resident memory, in bytes' },
  { of: 'openFiles', gain: 12, words: 'open files' },
];

/** The median of the figures, of which there is at least one. */
const middle = (figures: readonly number[]): number =>
  figures.toSorted((a, b) => a - b)[Math.floor(figures.length / 2)]!;

/** One line for everything that is wrong; empty when all is right. */
export function complaints({ missed, invented, differences, before, after, costs }: SoakResult): string[] {
  // The history is filled once a third of the time is over; from then on nothing may grow.
  const settled = costs.slice(Math.floor(costs.length / 3));
  const half = Math.ceil(settled.length / 2);
  return [
    ...missed.map(line => `missed: ${line}`),
    ...invented.map(line => `invented or told twice: ${line}`),
    ...differences,
    ...allowed.flatMap(({ of, gain, words }) => {
      const [earlier, later] = [
        middle([before, ...settled.slice(0, half)].map(cost => cost[of])),
        middle([...settled.slice(half), after].map(cost => cost[of])),
      ];
      return later - earlier > gain ? [`${words}, have grown from ${earlier} to ${later}`] : [];
    }),
  ];
}
