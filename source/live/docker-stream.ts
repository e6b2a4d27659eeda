/** Docker's event stream, kept open: reconnects with growing pauses for as long as it is wanted. */
import { followedEvents } from '../host/ahead.ts';
import { HostError, type DockerApi, type DockerEvent, type Subscription } from '../host/host.ts';

/** What to tell of the stream. */
export interface StreamListener {
  onEvent(event: DockerEvent): void;
  /** The daemon has accepted the request: nothing that happens from now on is missed. `gapMs` is how long there was no stream; undefined the first time. */
  onOpen(gapMs: number | undefined): void;
  /** The stream ended and one attempt to open it again failed, for this reason; then after every further failed attempt. */
  onLost(error: HostError): void;
}

const shortestPauseMs = 250;
const longestPauseMs = 10_000;

/** The stream. */
export class DockerStream {
  /** Whether events are coming. */
  open = false;
  readonly #docker: DockerApi;
  readonly #listener: StreamListener;
  #subscription: Subscription | undefined;
  #timer: NodeJS.Timeout | undefined;
  #lostAt: number | undefined;
  #pauseMs = 0;
  #stopped = false;

  constructor(docker: DockerApi, listener: StreamListener) {
    this.#docker = docker;
    this.#listener = listener;
  }

  /** Opens it; resolves when it is open or the first attempt has failed. */
  start(): Promise<void> {
    return new Promise(resolve => this.#connect(resolve));
  }

  /** How long, ms, events have not been coming that once came; undefined while they come, and before they first did. */
  get lostForMs(): number | undefined {
    return this.open || this.#lostAt === undefined ? undefined : performance.now() - this.#lostAt;
  }

  /** The daemon answers: what waits to be tried again is tried at once. */
  hurry(): void {
    if (this.#timer === undefined || this.#stopped) return;
    clearTimeout(this.#timer);
    this.#connect(() => undefined);
  }

  /** Ends it. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.#subscription?.stop();
    await this.#subscription?.ended;
  }

  #connect(settled: () => void): void {
    this.#timer = undefined;
    if (this.#stopped) return settled();
    const subscription = this.#docker.events(
      followedEvents,
      event => this.#listener.onEvent(event),
      () => {
        const gapMs = this.#lostAt === undefined ? undefined : performance.now() - this.#lostAt;
        this.open = true;
        this.#pauseMs = 0;
        this.#listener.onOpen(gapMs);
        settled();
      },
    );
    this.#subscription = subscription;
    void subscription.ended.then(error => {
      if (this.#stopped) return settled();
      const wasOpen = this.open;
      this.open = false;
      if (wasOpen) this.#lostAt = performance.now();
      // A proxy in between may end an idle stream: that is no news when the next one opens at once.
      else this.#listener.onLost(error ?? new HostError('refused', 'the event stream ended'));
      this.#timer = setTimeout(() => this.#connect(() => undefined), wasOpen ? 0 : this.#nextPause());
      settled();
    });
  }

  #nextPause(): number {
    this.#pauseMs = Math.min(longestPauseMs, Math.max(shortestPauseMs, this.#pauseMs * 2));
    return this.#pauseMs;
  }
}
