/** `netdash`: the dashboard, or text where there is no terminal for one. */
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
  keepHeapSmall();
  // The screen takes longest to load: it loads while the sources are being read.
  const screen = import('../ui/dashboard.tsx');
  const { startLive } = await import('../live/start-live.ts');
  const { host, title } = await openHost(invocation);
  const containerId =
    target === undefined
      ? undefined
      : await (await import('./find-container.ts')).findContainerSoon(host, target, commandNames);
  const live = await startLive(host);
  try {
    const { renderDashboard } = await screen;
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
