/** How often data may draw. Keys are not concerned: they draw at once. */

/**
 * What draws: ports are published ports that changed, which is what one looks for after a restart; news is what else
 * happened (an event, a source's first answer); the rest are numbers that move.
 */
export type Reason = 'ports' | 'news' | 'numbers';

/** Frames a second, in the long run; as many again may come at once, for what happens comes in bursts. */
const perSecond = 4;
const burst = 4;
/** So many frames may be drawn on credit. */
const credit = 2;
/** Between two frames, so that what comes together is drawn together, in ms. */
const gaps: Readonly<Record<Reason, number>> = { ports: 0, news: 60, numbers: 250 };
/** While somebody types, and this long after, ms: news and numbers are that much further apart, so that a key seldom meets one being drawn. */
const typing = { lasts: 600, gap: 400 } as const;
/** Numbers draw only when this many frames are left, so that news need not wait; ports draw on credit, which the others pay back. */
const needed: Readonly<Record<Reason, number>> = { ports: 1 - credit, news: 1, numbers: 3 };

/** Says when data may draw the next frame. Times are ms of any one clock. */
export class Pacing {
  /** Frames left at `#at`. */
  #left = burst;
  #at = -Infinity;
  #typedAt = -Infinity;

  /** How long from now until a frame may be drawn for this reason; 0: now. */
  delay(now: number, reason: Reason): number {
    const lacking = needed[reason] - this.#leftAt(now);
    const isTyping = reason !== 'ports' && now - this.#typedAt < typing.lasts;
    const gap = isTyping ? typing.gap : gaps[reason];
    return Math.max(0, this.#at + gap - now, (lacking / perSecond) * 1000);
  }

  /** A key was pressed. */
  typed(now: number): void {
    this.#typedAt = now;
  }

  /** A frame was drawn for data. */
  drew(now: number): void {
    this.#left = Math.max(-credit, this.#leftAt(now) - 1);
    this.#at = now;
  }

  #leftAt(now: number): number {
    return Math.min(burst, this.#left + ((now - this.#at) / 1000) * perSecond);
  }
}
