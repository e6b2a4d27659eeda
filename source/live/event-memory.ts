/** What Docker's events say of the last minutes, for finding the cause and the time of a change. */
import type { DockerEvent } from '../host/host.ts';
import type { PortHints } from '../facts/port-changes.ts';

/** Events of one container or network and their age beyond which they are forgotten. */
const perContainer = 40;
const longestMs = 10 * 60_000;
const mostContainers = 2000;
/** Removals that are remembered as such: more than there are between two looks. */
const mostRemoved = 500;

/** Remembers events by container, and by network those of networks themselves. */
export class EventMemory {
  readonly #events = new Map<string, DockerEvent[]>();
  #daemonRestarts: number[] = [];
  #newest = -Infinity;
  #cutAt: number | undefined;
  #removed: readonly string[] = [];

  /** Takes an event of a container or of a network; one of a network that names a container is the container's. */
  add(event: DockerEvent): void {
    this.#newest = Math.max(this.#newest, event.at);
    const isKept = event.type === 'container' || event.type === 'network';
    const id = isKept && (event.type === 'network' ? (event.attributes['container'] ?? event.id) : event.id);
    if (!id) return;
    if (event.type === 'container' && event.action === 'destroy') {
      this.#removed = [...this.#removed.slice(1 - mostRemoved), id];
    }
    const events = this.#events.get(id) ?? [];
    events.push(event);
    const oldest = event.at - longestMs;
    while (events.length > perContainer || (events[0]?.at ?? Infinity) < oldest) events.shift();
    // Put last, so that the first of the map is the one that has been quiet for longest.
    this.#events.delete(id);
    this.#events.set(id, events);
    for (const [key, others] of this.#events) {
      const isOver = (others.at(-1)?.at ?? -Infinity) < oldest;
      if (!isOver && this.#events.size <= mostContainers) break;
      this.#events.delete(key);
    }
  }

  /** The daemon answers again after it was away. @param at ms since the epoch */
  daemonIsBack(at: number): void {
    this.#daemonRestarts = [...this.#daemonRestarts.filter(each => at - each < longestMs), at];
  }

  /** The stream is open again after it was cut: there may have been events that nobody heard. */
  streamIsBack(): void {
    this.#cutAt = this.#newest;
  }

  /** What is known, as the facts want it. @param following whether the event stream is open */
  hints(following: boolean): PortHints {
    const cutAt = following ? this.#cutAt : this.#newest;
    return { events: this.#events, daemonRestarts: this.#daemonRestarts, following, cutAt, removed: this.#removed };
  }
}
