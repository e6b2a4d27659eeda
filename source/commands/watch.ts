/** `netdash watch`: what happens, line by line, until it is told to stop. */
import { UsageError } from '../host/usage-error.ts';
import { startLive } from '../live/start-live.ts';
import type { NetdashEvent } from '../facts/schema.ts';
import { jsonText } from '../terminal/json-text.ts';
import { asLines } from '../terminal/sanitise.ts';
import type { Invocation } from './command.ts';
import { exitCodes } from './exit.ts';
import { openHost } from './open-host.ts';
import { layoutOf, textOf } from './output.ts';
import { cell } from '../present/cell.ts';

/** One event as a line of text: time, type, what happened. */
export function eventLine({ at, type, text }: NetdashEvent): string {
  return `${at}  ${type.padEnd(22)}  ${text}`;
}

/** The value of `--for` in ms. @throws UsageError */
function limitOf(value: string | boolean | undefined): number | undefined {
  if (value === undefined) return undefined;
  const seconds = Number(value);
  if (typeof value !== 'string' || value.trim() === '' || !(seconds > 0) || seconds > 2_000_000) {
    throw new UsageError(`--for ${value}: not a number of seconds`);
  }
  return seconds * 1000;
}

/** Runs it. */
export async function run(invocation: Invocation): Promise<number> {
  const { io, options } = invocation;
  const limitMs = limitOf(options.for);
  const { host } = await openHost(invocation);
  const { charset } = layoutOf(io);
  const live = await startLive(host);
  live.onEvent(event => {
    io.stdout.write(options.json ? jsonText(event) : asLines([textOf([cell(eventLine(event))], charset)]));
  });
  await new Promise<void>(resolve => {
    const timer = limitMs === undefined ? undefined : setTimeout(resolve, limitMs);
    const end = () => {
      clearTimeout(timer);
      for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.off(signal, end);
      resolve();
    };
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, end);
    // Whoever read the lines has gone.
    io.stdout.on('error', end);
    io.stdout.on('close', end);
  });
  await live.stop();
  return exitCodes.fine;
}
