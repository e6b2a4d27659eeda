/** `netdash watch`: what happens, line by line, until it is told to stop. */
import { startLive } from '../live/start-live.ts';
import type { NetdashEvent } from '../facts/schema.ts';
import { jsonText } from '../terminal/json-text.ts';
import { asLines } from '../terminal/sanitise.ts';
import type { Invocation } from './command.ts';
import { exitCodes } from './exit.ts';
import { openHost } from './open-host.ts';
import { layoutOf, textOf } from './output.ts';
import { stopInTime } from './parting.ts';
import { limitOf, untilEnded } from './until-ended.ts';
import { cell } from '../present/cell.ts';

/**
 * So long events wait for those that came before them: that a container died is told by Docker with the time at which it
 * did, when its sockets and rules have been seen to be gone already.
 */
const holdMs = 300;

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
  const held: NetdashEvent[] = [];
  const tell = () => {
    held.sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0));
    for (const event of held.splice(0)) io.stdout.write(line(event));
  };
  live.onEvent(event => {
    if (held.length === 0) setTimeout(tell, holdMs);
    held.push(event);
  });
  await untilEnded(io, limitMs);
  await stopInTime(live);
  tell();
  return exitCodes.fine;
}
