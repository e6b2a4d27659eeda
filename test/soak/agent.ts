/**
 * netdash's live part on a lab's machine, driven over stdin and stdout by a soak: it tells every event as a JSON line
 * `{event}` and answers each line that it is sent: `snapshot` with `{snapshot}`, `cost` with `{cost}`. Ends with its stdin.
 * Run with --expose-gc, so that memory that is only waiting to be collected does not count as kept.
 */
import { readdirSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { resolveEndpoint } from '../../source/host/docker-endpoint.ts';
import { connectDocker } from '../../source/host/docker-api.ts';
import { createLiveHost } from '../../source/host/live-host.ts';
import { startLive } from '../../source/live/start-live.ts';

/** What the process holds: JavaScript heap in use after a collection and resident memory, bytes; open files. */
export interface Cost {
  heapBytes: number;
  residentBytes: number;
  openFiles: number;
}

const tell = (answer: object): void => {
  process.stdout.write(`${JSON.stringify(answer)}\n`);
};

const cost = (): Cost => {
  globalThis.gc?.();
  const { heapUsed, rss } = process.memoryUsage();
  return { heapBytes: heapUsed, residentBytes: rss, openFiles: readdirSync('/proc/self/fd').length };
};

const live = await startLive(createLiveHost({ docker: connectDocker(resolveEndpoint({ env: process.env })) }));
live.onEvent(event => tell({ event }));
const ready = (): boolean => live.getView().ready;
if (!ready()) {
  await new Promise<void>(resolve => {
    const stop = live.subscribe(() => {
      if (!ready()) return;
      stop();
      resolve();
    });
  });
}
tell({ ready: true });
const requests = createInterface({ input: process.stdin });
requests.on('line', request => {
  if (request === 'snapshot') tell({ snapshot: live.getView().snapshot });
  if (request === 'cost') tell({ cost: cost() });
});
requests.on('close', () => void live.stop().then(() => process.exit(0)));
