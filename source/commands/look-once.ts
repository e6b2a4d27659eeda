/** One complete look at a host, for commands that print and end. */
import type { Host } from '../host/host.ts';
import type { Readings } from '../host/readings.ts';
import type { LiveView } from '../live/live.ts';
import { startLive } from '../live/start-live.ts';

/** A source that has not answered by then is told as it stands. */
const patienceMs = 30_000;

/** Reads everything once, insides of containers included. Leaves nothing running. */
export async function lookOnce(host: Host): Promise<LiveView> {
  return (await readOnce(host)).view;
}

/** The same, with the readings behind the view. */
export async function readOnce(host: Host): Promise<{ view: LiveView; readings: Readings }> {
  const live = await startLive(host, { once: true });
  let timer: NodeJS.Timeout | undefined;
  try {
    await new Promise<void>(resolve => {
      timer = setTimeout(resolve, patienceMs);
      live.subscribe(() => {
        if (live.getView().ready) resolve();
      });
    });
    return { view: live.getView(), readings: live.getReadings() };
  } finally {
    clearTimeout(timer);
    await live.stop();
  }
}
