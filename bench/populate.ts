/** The hosts that are measured: containers on three bridges, with one ephemeral port each. */
import type { Lab } from '../test/lab/lab.ts';

const bridges = ['app', 'data', 'edge'];
const atOnce = 3;

/** Names in the order in which the dashboard lists them. */
export const nameOf = (index: number): string => `web-${String(index).padStart(3, '0')}`;

/**
 * Starts containers until there are so many.
 * @param from how many this function has started before
 */
export const populate = async (lab: Lab, from: number, to: number): Promise<void> => {
  if (from === 0) for (const bridge of bridges) await lab.networkCreate(bridge);
  let next = from;
  const worker = async (): Promise<void> => {
    while (next < to) {
      const index = next;
      next += 1;
      await lab.run(nameOf(index), { network: bridges[index % bridges.length], publish: ['80'] });
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
};
