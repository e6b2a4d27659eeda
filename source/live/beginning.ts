/** What is found in the first moments was there before, though it is told only now: some findings want to be seen twice. */
import type { NetdashEvent } from '../facts/schema.ts';

/** Longer than the findings that want to be seen twice take (orphan-link), with the readings they wait for. */
const beginningMs = 30_000;
/** What may bring about a finding that is about no container, or about how one is reached. */
const ofHost = /^(?:rules-changed|links-changed|network-|listener-|daemon-restarted)/;
/** Found inside one container: nothing on the host brings it about. */
const ofInside = new Set(['nothing-listening', 'listener-loopback-only']);

/** Marks the findings of the first half minute that nothing seen since can have brought about. */
export class Beginning {
  #readyAt: number | undefined;
  #isHostTouched = false;
  readonly #touched = new Set<string>();

  /**
   * @param events what is told now, oldest first
   * @param now ms since the epoch
   * @param ready whether every source has answered
   * @returns the same events; those that tell of what was there before say so
   */
  mark(events: readonly NetdashEvent[], now: number, ready: boolean): readonly NetdashEvent[] {
    if (ready) this.#readyAt ??= now;
    if (events.length === 0 || now - (this.#readyAt ?? now) > beginningMs) return events;
    for (const { type, containerId } of events) {
      if (type === 'finding-raised' || type === 'finding-cleared') continue;
      if (containerId !== undefined) this.#touched.add(containerId);
      this.#isHostTouched ||= ofHost.test(type);
    }
    return events.map(event =>
      this.#wasThere(event) ? { ...event, initial: true, text: `already there: ${event.text}` } : event,
    );
  }

  #wasThere({ type, finding }: NetdashEvent): boolean {
    if (type !== 'finding-raised' || !finding) return false;
    if (finding.containerIds.some(id => this.#touched.has(id))) return false;
    return ofInside.has(finding.code) || !this.#isHostTouched;
  }
}
