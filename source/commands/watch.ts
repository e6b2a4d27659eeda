/** `netdash watch`: what happens, line by line, until it is told to stop. */
import { startLive } from '../live/start-live.ts';
import type { NetdashEvent } from '../facts/schema.ts';
import { jsonText } from '../terminal/json-text.ts';
import { asLines } from '../terminal/sanitise.ts';
import type { Invocation } from './command.ts';
import { exitCodes } from './exit.ts';
import { InOrder } from './in-order.ts';
import { openHost } from './open-host.ts';
import { layoutOf, textOf } from './output.ts';
import { stopInTime } from './parting.ts';
import { limitOf, untilEnded } from './until-ended.ts';
import { cell } from '../present/cell.ts';

/** One event as a line of text: time, type, what happened. */
export function eventLine({ at, type, text }: NetdashEvent): string {
  return `${at}  ${type.padEnd(22)}  ${text}`;
}

/** Runs it. */
export async function run(invocation: Invocation): Promise<number> {
  const { io, options } = invocation;
  const limitMs = limitOf(options.for);
  const { host } = await openHost(invocation);
  const { charset } = layoutOf(io);
  const live = await startLive(host);
  const line = (event: NetdashEvent) =>
    options.json ? jsonText(event) : asLines([textOf([cell(eventLine(event))], charset)]);
  const held = new InOrder<NetdashEvent>();
  let timer: NodeJS.Timeout | undefined;
  const tell = (now: number) => {
    for (const event of held.take(now)) io.stdout.write(line(event));
    arm();
  };
  const arm = () => {
    const dueMs = held.dueIn(performance.now());
    // A timer may fire a moment early.
    timer = dueMs === undefined ? undefined : setTimeout(() => tell(performance.now()), Math.ceil(dueMs) + 1);
  };
  live.onEvent(event => {
    held.add(event, performance.now());
    if (timer === undefined) arm();
  });
  await untilEnded(io, limitMs);
  await stopInTime(live);
  tell(Infinity);
  return exitCodes.fine;
}
