/** `netdash`: the dashboard, or text where there is no terminal for one. */
import { setImmediate as breathe } from 'node:timers/promises';
import { detectTerminal } from '../terminal/detect.ts';
import type { Invocation } from './command.ts';
import { exitCodes } from './exit.ts';
import { openHost } from './open-host.ts';
import { leave, stopInTime } from './parting.ts';
import { keepHeapSmall } from './small-heap.ts';

/** Runs it. */
export async function run(invocation: Invocation): Promise<number> {
  const { io, target, commandNames } = invocation;
  if (!detectTerminal(io.env, io.stdout, io.stdin).interactive) {
    if (target === undefined) return (await import('./snapshot.ts')).run(invocation);
    return (await import('./container.ts')).run(invocation, target);
  }
  const { host, title } = await openHost(invocation, { ahead: true });
  const { startLive } = await import('../live/start-live.ts');
  const containerId =
    target === undefined
      ? undefined
      : await (await import('./find-container.ts')).findContainerSoon(host, target, commandNames);
  const live = await startLive(host);
  // What has been answered meanwhile is taken, and more is asked, before the screen is loaded, which takes longest.
  await breathe();
  try {
    const { renderDashboard } = await import('../ui/dashboard.tsx');
    // Not before: with other flags than at the build V8 takes nothing of what it made of the program then.
    keepHeapSmall();
    await renderDashboard({
      live,
      ...(title !== undefined && { title }),
      ...(containerId !== undefined && { initial: { containerName: containerId } }),
    });
  } finally {
    await stopInTime(live);
  }
  // A signal that ended it has set the code. What a stuck terminal does not take, and what a wedged Docker does not answer,
  // would keep the process for long.
  return leave(Number(process.exitCode ?? exitCodes.fine));
}
