/** One complete look at a host, for commands that print and end. */
import type { Host } from '../host/host.ts';
import type { Readings } from '../host/readings.ts';
import type { LiveView } from '../live/live.ts';
import { startLive } from '../live/start-live.ts';

/** A source that has not answered by then is told as it stands. */
const patienceMs = 30_000;
/** What ending may take: the last ports are written down meanwhile. */
const partingMs = 1500;

/** Reads everything once, insides of containers included. Leaves nothing running. @param patience for sources that do not answer, ms */
export async function lookOnce(host: Host, patience = patienceMs): Promise<LiveView> {
  return (await readOnce(host, patience)).view;
}

/** The same, with the readings behind the view. */
export async function readOnce(host: Host, patience = patienceMs): Promise<{ view: LiveView; readings: Readings }> {
  const live = await startLive(host, { once: true });
  let timer: NodeJS.Timeout | undefined;
  try {
    await new Promise<void>(resolve => {
      timer = setTimeout(resolve, patience);
      live.subscribe(() => {
        if (live.getView().ready) resolve();
      });
    });
    return { view: live.getView(), readings: live.getReadings() };
  } finally {
    clearTimeout(timer);
    // What did not answer until now would hold up the end just as long.
    await Promise.race([live.stop(), new Promise<void>(resolve => setTimeout(resolve, partingMs).unref())]);
  }
}
