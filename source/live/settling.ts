/**
 * Holds back findings that pass. The sources are not read at one moment: while a container starts or stops, its sockets and
 * rules are there before Docker says that it runs, or still there when it does not, and for that instant they look like
 * somebody else's. What is still found a moment later is so.
 */
import { raisedText } from '../facts/events.ts';
import type { Finding, NetdashEvent } from '../facts/schema.ts';

/** Longer than a container takes to start or stop, on a busy host too, with the next reading of each source. */
const settleMs = 2000;
/** Found by what Docker alone says of one container: there is no instant at which they could be mistaken. */
const prompt = new Set(['port-moved', 'port-conflict-failed', 'bind-failed']);
/** Found by putting links, rules and containers together: not to be believed while one of them is of an earlier moment. */
const joining = new Set([
  'blocked',
  'family-asymmetry',
  'direct-access-blocked',
  'exposed-past-firewall',
  'unpublished-exposed',
  'foreign-forward-drop',
  'loopback-exposed',
  'docker-rules-missing',
  'orphan-link',
]);
/** On a host where changes do not cease, such a finding that lasts so long is shown all the same. */
const longestMs = 15_000;

interface Young {
  firstAt: number;
  /** Is told when the finding turns out to last. */
  raised?: NetdashEvent;
}

/** It is told now, and as it is now: what happened in the meantime has been told already, and may have changed what is found. */
function releasedAt(now: number, raised: NetdashEvent, finding: Finding): NetdashEvent {
  const told = raised.finding === finding ? raised : { ...raised, text: raisedText(finding), finding };
  return { ...told, at: new Date(now).toISOString() };
}

/** Which findings are shown. */
export class Settling {
  readonly #young = new Map<string, Young>();
  #shown = new Set<string>();
  #last: readonly Finding[] = [];
  /** Containers of which something was told since the findings were judged; and since they began to be judged anew. */
  #overtaken = new Set<string>();
  #next = new Set<string>();

  /** Whether a finding is held back, so that it must be looked at again. */
  get isWaiting(): boolean {
    return this.#young.size > 0;
  }

  /** Findings begin to be judged by what has been told so far. */
  beginJudgement(): void {
    this.#next = new Set();
  }

  /** The findings to come are those of the judgement that was begun last. */
  endJudgement(): void {
    this.#overtaken = this.#next;
  }

  /**
   * @param all the findings of this moment
   * @param events what happened, oldest first, `finding-raised` and `finding-cleared` of `all` among them
   * @param now ms since the epoch
   * @param atOnce shows all there is
   * @param isOutdated something has changed that links, rules or containers, as `all` were found in them, do not all show yet
   * @returns what is to be shown and told; the very same list of findings when nothing is held back
   */
  apply(
    all: Finding[],
    events: readonly NetdashEvent[],
    now: number,
    atOnce: boolean,
    isOutdated = false,
  ): { findings: Finding[]; events: NetdashEvent[] } {
    this.#overtake(events);
    const before = this.#shown;
    const released: NetdashEvent[] = [];
    const shown = new Set<string>();
    for (const finding of all) {
      const { id, code, containerIds } = finding;
      const young = this.#young.get(id);
      const waitMs = isOutdated && joining.has(code) ? longestMs : settleMs;
      // What happened since to its container may have ended it: that is told already, and it would be told after it.
      const isDue = young && now - young.firstAt >= waitMs && !containerIds.some(each => this.#overtaken.has(each));
      if (atOnce || prompt.has(code) || before.has(id) || isDue) {
        shown.add(id);
        this.#young.delete(id);
        if (young?.raised) released.push(releasedAt(now, young.raised, finding));
      } else if (!young) this.#young.set(id, { firstAt: now });
    }
    const present = new Set(all.map(({ id }) => id));
    for (const id of this.#young.keys()) if (!present.has(id)) this.#young.delete(id);
    this.#shown = shown;
    const told = events.filter(event => {
      const { type, finding } = event;
      if (!finding) return true;
      if (type === 'finding-cleared') return before.has(finding.id);
      if (type !== 'finding-raised' || shown.has(finding.id)) return true;
      const young = this.#young.get(finding.id);
      if (young) young.raised = event;
      return false;
    });
    return { findings: this.#select(all, shown), events: [...told, ...released] };
  }

  #overtake(events: readonly NetdashEvent[]): void {
    for (const { type, containerId } of events) {
      if (containerId === undefined || !type.startsWith('container-')) continue;
      this.#overtaken.add(containerId);
      this.#next.add(containerId);
    }
  }

  /** The shown ones among all; the list of the last time when it has the very same items. */
  #select(all: Finding[], shown: ReadonlySet<string>): Finding[] {
    const findings = shown.size === all.length ? all : all.filter(({ id }) => shown.has(id));
    const last = this.#last as Finding[];
    const isSame = last.length === findings.length && last.every((finding, index) => finding === findings[index]);
    this.#last = isSame ? last : findings;
    return this.#last as Finding[];
  }
}
