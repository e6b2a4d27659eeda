/** One complete look at a host, for commands that print and end. */
import type { Host } from '../host/host.ts';
import { sourceNames, type Readings } from '../host/readings.ts';
import type { LiveView } from '../live/live.ts';
import { startLive } from '../live/start-live.ts';
import { stopInTime } from './parting.ts';

/** A source that has not answered by then is said not to have. Docker is given up after the 10 s of one refusal. */
const patienceMs = 30_000;

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
    const readings = live.getReadings();
    return { view: withoutAnswer(live.getView(), readings, patience), readings };
  } finally {
    clearTimeout(timer);
    await stopInTime(live);
  }
}

/** The view, in which a source that is still waited for says how long it was. */
function withoutAnswer(view: LiveView, readings: Readings, patience: number): LiveView {
  const silent = sourceNames.filter(name => readings[name].state === 'pending');
  if (silent.length === 0) return view;
  const sources = { ...view.snapshot.sources };
  const reason = `no answer within ${patience / 1000} s`;
  for (const name of silent) sources[name] = { state: 'failed', reason, ageMs: null };
  return { ...view, snapshot: { ...view.snapshot, sources } };
}
