/** When a source of which a monitor tells needs to be read less often: when nothing was said of it, and a look on the timer alone found nothing new. */

/** Whether a source is quiet. */
export class Quiet {
  #isQuiet = false;
  /** Something spoke for a change since the last look began. */
  #stirred = true;
  /** The look that is under way, or was last, was asked for by something. */
  #wasStirred = true;

  /** Whether the last look was one of the timer's own, found nothing new, and nothing has spoken for a change since it began. */
  get is(): boolean {
    return this.#isQuiet && !this.#stirred;
  }

  /** Something speaks for a change, or wants to have it looked at. @returns whether it was quiet before */
  stir(): boolean {
    const before = this.is;
    this.#stirred = true;
    return before;
  }

  /** A look begins. */
  begin(): void {
    this.#wasStirred = this.#stirred;
    this.#stirred = false;
  }

  /** A look has ended. @param hasNews whether it found something new, or nothing certain */
  read(hasNews: boolean): void {
    this.#isQuiet = !hasNews && !this.#wasStirred;
  }
}

/**
 * Whether a line of `ip monitor link address route rule` (ip-monitor(8)) is about an interface or its addresses: `5: eth0: <UP…`, `5: eth0    inet 10.…`, and
 * the indented lines that go on with those. Any other is about a route or a routing rule (`0:<tab>from all …`). An empty one may have been anything.
 */
export const isOfLink = (line: string): boolean => /^(?:Deleted )?\d+: |^\s|^$/.test(line);
