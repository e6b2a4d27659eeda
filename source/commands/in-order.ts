/** Lines in order of time: what happened first may be seen last. */

/**
 * So long, in ms, each event waits for those that came before it: that a container died is told by Docker with the time at which it
 * did, when its sockets and rules have been seen to be gone already.
 */
export const holdMs = 300;

/** Events that wait for earlier ones. */
export class InOrder<T extends { at: string }> {
  #held: { event: T; dueAt: number }[] = [];

  /** Takes an event that is seen now. @param now ms, on any clock that goes on evenly */
  add(event: T, now: number): void {
    this.#held.push({ event, dueAt: now + holdMs });
  }

  /** How long from now until one has waited long enough, ms; undefined when none waits. */
  dueIn(now: number): number | undefined {
    return this.#held.length === 0 ? undefined : Math.max(0, Math.min(...this.#held.map(({ dueAt }) => dueAt)) - now);
  }

  /**
   * Gives what has waited long enough, and all that happened before that, however short it has waited.
   * @param now as for `add`; Infinity gives all there is
   * @returns oldest first; of one time, in the order in which they were seen
   */
  take(now: number): T[] {
    const due = this.#held.filter(({ dueAt }) => dueAt <= now).map(({ event }) => event.at);
    const last = due.reduce((a, b) => (a > b ? a : b), '');
    const taken = this.#held.filter(({ event }) => event.at <= last).map(({ event }) => event);
    this.#held = this.#held.filter(({ event }) => event.at > last);
    return taken.sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0));
  }
}
