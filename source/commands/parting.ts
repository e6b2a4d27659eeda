/** How netdash ends: soon, whatever still hangs. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Live } from '../live/live.ts';

/** What ending may take: the last ports are written down meanwhile, which a dead network file system never lets end. */
const partingMs = 1500;
/** What a thread that works for Node may take until it counts as stuck: on a busy disk, to write a file takes seconds. */
const stuckMs = 8000;
const lookMs = 10;

/** Stops a live part, or leaves it: resolves after a second and a half at the latest. */
export async function stopInTime(live: Pick<Live, 'stop'>): Promise<void> {
  await Promise.race([live.stop(), sleep(partingMs, undefined, { ref: false })]);
}

/** Whether one of Node's threads is at work on a file or a host name: exit(3) waits for it (`uv_library_shutdown` joins them). */
const hasThreadAtWork = (): boolean =>
  process.getActiveResourcesInfo().some(name => /^(?:FSReq|GetAddrInfo|GetNameInfo)/.test(name));

/**
 * Ends the process. Where a file system or the name service does not answer, so that one of Node's threads is stuck in the
 * kernel, `process.exit` would wait for it without end: then the process ends itself by SIGKILL (137 in a shell), after all
 * that listens to `exit` has been told.
 */
export async function leave(code: number): Promise<never> {
  for (const since = performance.now(); hasThreadAtWork(); await sleep(lookMs)) {
    if (performance.now() - since < stuckMs) continue;
    process.exitCode = code;
    process.emit('exit', code);
    process.kill(process.pid, 'SIGKILL');
  }
  return process.exit(code);
}
