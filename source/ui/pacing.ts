/** How often data may draw. Keys are not concerned: they draw at once. */

/** What draws: news is what happened (an event, a source's first answer), the rest are numbers that move. */
export type Reason = 'news' | 'numbers';

/** No more frames than this in any `windowMs`. */
const mostFrames = 4;
const windowMs = 1000;
/** Between two frames, so that what comes together is drawn together. */
const gapMs: Readonly<Record<Reason, number>> = { news: 60, numbers: 250 };
/** Frames that numbers leave to the news. */
const reserved = 1;

/** Says when data may draw the next frame. Times are ms of any one clock. */
export class Pacing {
  readonly #drawn: number[] = [];

  /** How long from now until a frame may be drawn for this reason; 0: now. */
  delay(now: number, reason: Reason): number {
    const last = this.#drawn.at(-1);
    if (last === undefined) return 0;
    const most = reason === 'news' ? mostFrames : mostFrames - reserved;
    const oldest = this.#drawn.at(-most);
    const full = oldest === undefined ? 0 : oldest + windowMs;
    return Math.max(0, last + gapMs[reason] - now, full - now);
  }

  /** A frame was drawn for data. */
  drew(now: number): void {
    this.#drawn.push(now);
    if (this.#drawn.length > mostFrames) this.#drawn.shift();
  }
}
