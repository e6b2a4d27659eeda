/** What a screen or a command sees of the live part: one small store. */
import type { Readings } from '../host/readings.ts';
import type { Reachability } from '../facts/reachability.ts';
import type { NetdashEvent, Snapshot } from '../facts/schema.ts';

/** One consistent view of the host. Parts that did not change keep their identity from one view to the next. */
export interface LiveView {
  snapshot: Snapshot;
  /** Who reaches what the snapshot shows; worked out when it is asked. */
  reach: Reachability;
  /** What happened, newest first, bounded. */
  events: readonly NetdashEvent[];
  /** False until the first complete round of readings (failed ones count as read). */
  ready: boolean;
  /** ms since the epoch at which this view was frozen; undefined while it follows the host. */
  frozenAt?: number;
}

/** Keeps a snapshot current. Made by `startLive`. */
export interface Live {
  /** For useSyncExternalStore: calls back after each change of the view; returns the way to stop that. */
  subscribe(listener: () => void): () => void;
  /** The current view; the same object until something changed. */
  getView(): LiveView;
  /** The readings behind the current view. */
  getReadings(): Readings;
  /** Calls back with every event once, in order of time, as it is noticed (not while frozen only on screen: always). */
  onEvent(listener: (event: NetdashEvent) => void): () => void;
  /** Pins the view while collection goes on, or lets it go again. */
  freeze(on: boolean): void;
  /** Reads every source again now; resolves when the view holds it. */
  refresh(): Promise<void>;
  /** What is being looked at, so that only that is polled often. */
  attend(attention: { containerId?: string; rates: boolean; counters: boolean }): void;
  /** Docker's own inspect answer of a container, less its environment, for the raw view. @throws HostError */
  inspectRaw(containerId: string): Promise<unknown>;
  /** Ends all polling, streams and children, and writes the state. */
  stop(): Promise<void>;
}
