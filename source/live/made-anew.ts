/** What is found of a container that was made anew in another's place, and was found of that one too: it has not just come about. */
import type { Finding, NetdashEvent } from '../facts/schema.ts';

/** Longer than a container takes to be made anew and its findings to be raised; what comes later is told as something new. */
const anewMs = 60_000;

/** Only one of a container can pass on to another of that name. */
const keyOf = ({ code, subject }: Finding): string | undefined =>
  subject.kind === 'container' ? `${code} ${subject.name}` : undefined;

/** Marks findings that were cleared only since their container gave way to another of its name, which has them too. */
export class MadeAnew {
  /** By code and name: of which container one was cleared last, and when. */
  readonly #cleared = new Map<string, { subjectId: string | undefined; at: number }>();

  /**
   * @param events what is told now, oldest first
   * @param now ms since the epoch
   * @returns the same events; findings that the container before had too say so
   */
  mark(events: readonly NetdashEvent[], now: number): readonly NetdashEvent[] {
    if (!events.some(({ finding }) => finding)) return events;
    for (const [key, { at }] of this.#cleared) if (now - at > anewMs) this.#cleared.delete(key);
    return events.map(event => {
      const { type, finding } = event;
      const key = finding && keyOf(finding);
      if (finding === undefined || key === undefined) return event;
      const subjectId = finding.subject.id;
      if (type === 'finding-cleared') this.#cleared.set(key, { subjectId, at: now });
      const before = type === 'finding-raised' ? this.#cleared.get(key) : undefined;
      if (before === undefined) return event;
      this.#cleared.delete(key);
      return before.subjectId === subjectId ? event : { ...event, text: `as before: ${event.text}` };
    });
  }
}
