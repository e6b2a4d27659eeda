/** The kernel's settings as something that can be compared. */
import type { KernelReading } from '../host/readings.ts';

const texts = new WeakMap<KernelReading, string>();

/**
 * The kernel's settings as text: without the number of connections, which moves all the time on a host that is in use.
 * @returns undefined where they were not read
 */
export function settingsOf(kernel: KernelReading | undefined): string | undefined {
  if (!kernel) return undefined;
  const text = texts.get(kernel) ?? JSON.stringify({ ...kernel, conntrackCount: undefined });
  texts.set(kernel, text);
  return text;
}
