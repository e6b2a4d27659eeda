/** For commands that go on until they are told to stop. */
import { UsageError } from '../host/usage-error.ts';
import type { Io } from './command.ts';

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** The value of `--for` in ms. @throws UsageError */
export function limitOf(value: string | boolean | undefined): number | undefined {
  if (value === undefined) return undefined;
  const seconds = Number(value);
  if (typeof value !== 'string' || value.trim() === '' || !(seconds > 0) || seconds > 2_000_000) {
    throw new UsageError(`--for ${value}: not a number of seconds (above 0, at most 2000000)`);
  }
  return seconds * 1000;
}

/** Resolves on SIGINT, SIGTERM or SIGHUP, when nobody reads what is written any more, or after `limitMs`. */
export function untilEnded({ stdout }: Pick<Io, 'stdout'>, limitMs: number | undefined): Promise<void> {
  return new Promise(resolve => {
    const timer = limitMs === undefined ? undefined : setTimeout(() => end(), limitMs);
    const end = (): void => {
      clearTimeout(timer);
      for (const signal of signals) process.off(signal, end);
      resolve();
    };
    for (const signal of signals) process.on(signal, end);
    // Whoever read the lines has gone.
    stdout.on('error', end);
    stdout.on('close', end);
  });
}
