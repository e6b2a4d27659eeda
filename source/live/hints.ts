/** Follows a tool that prints a line when something changes. What the lines say is no fact: they are hints to read again. */
import type { Host, Subscription, Tool } from '../host/host.ts';

/** A monitor that lived at least this long and then ended (a daemon-reload, an out-of-memory kill) is started again; one that dies sooner does not work here. */
const provenMs = 60_000;

/** Watches by way of `tool args`. */
export class HintFollower {
  readonly #host: Host;
  readonly #tool: Tool;
  readonly #args: readonly string[];
  readonly #onHint: (line: string) => void;
  readonly #onEnd: () => void;
  #subscription: Subscription | undefined;
  #stopped = false;

  /**
   * @param onHint called for each line, and with an empty one when something may have been missed
   * @param onEnd called when it does not work (any more) and polling has to do
   */
  constructor(host: Host, tool: Tool, args: readonly string[], onHint: (line: string) => void, onEnd: () => void) {
    this.#host = host;
    this.#tool = tool;
    this.#args = args;
    this.#onHint = onHint;
    this.#onEnd = onEnd;
  }

  /** Whether hints are coming, as far as one can tell. */
  get works(): boolean {
    return this.#subscription !== undefined;
  }

  /** Begins to follow. */
  start(): void {
    if (this.#stopped) return;
    const startedAt = performance.now();
    const subscription = this.#host.follow(this.#tool, this.#args, this.#onHint, () => this.#onHint(''));
    this.#subscription = subscription;
    void subscription.ended.then(() => {
      this.#subscription = undefined;
      if (this.#stopped) return;
      // What happened while it was down is not known.
      this.#onHint('');
      if (performance.now() - startedAt >= provenMs) this.start();
      else this.#onEnd();
    });
  }

  /** Ends it. */
  async stop(): Promise<void> {
    this.#stopped = true;
    const subscription = this.#subscription;
    subscription?.stop();
    await subscription?.ended;
  }
}
