/** A Live whose view the test sets by hand. */
import type { Live, LiveView } from '../../source/live/live.ts';
import type { Readings } from '../../source/host/readings.ts';
import { sampleEvents, sampleSnapshot, unreadReach } from './sample.ts';

/** What the program asked of it, and ways to change what it shows. */
export interface SampleLive extends Live {
  set(change: Partial<LiveView>): void;
  readonly attended: readonly unknown[];
  readonly refreshed: () => number;
}

/** A live part over the sample host. */
export function sampleLive(first: Partial<LiveView> = {}): SampleLive {
  let view: LiveView = {
    snapshot: sampleSnapshot(),
    reach: unreadReach,
    events: sampleEvents,
    ready: true,
    ...first,
  };
  let refreshes = 0;
  const listeners = new Set<() => void>();
  const attended: unknown[] = [];
  const set = (change: Partial<LiveView>) => {
    view = { ...view, ...change };
    for (const listener of listeners) listener();
  };
  return {
    set,
    attended,
    refreshed: () => refreshes,
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    getView: () => view,
    getReadings: () => ({}) as Readings,
    onEvent: () => () => undefined,
    freeze: on => set({ frozenAt: on ? Date.parse(view.snapshot.takenAt) : undefined }),
    refresh() {
      refreshes += 1;
      return Promise.resolve();
    },
    attend: attention => {
      attended.push(attention);
    },
    inspectRaw: id => Promise.resolve({ Id: id, Name: '/web', Config: { Labels: { note: 'a\u{1B}[2Jb' } } }),
    stop: () => Promise.resolve(),
  };
}
