/** Puts the sources together and keeps the view current. */
import { redactInspect } from '../host/docker-redact.ts';
import type { Host } from '../host/host.ts';
import {
  sourceNames,
  type ContainerReading,
  type DockerReading,
  type Reading,
  type Readings,
} from '../host/readings.ts';
import { ofDaemonsHost } from '../facts/elsewhere.ts';
import { ruleWriters } from '../facts/netns.ts';
import type { NetdashEvent, Source } from '../facts/schema.ts';
import { finish } from '../facts/pieces.ts';
import { restMs } from '../facts/sightings.ts';
import type { SnapshotContext } from '../facts/snapshot.ts';
import { DockerSource } from './docker-source.ts';
import { HostSources } from './host-sources.ts';
import { InsideSource, type InsideNews } from './inside-source.ts';
import type { Live, LiveView } from './live.ts';
import { reasonOf } from './poller.ts';
import { inSlices } from './slices.ts';
import { stateFolder } from './state-file.ts';
import { PortState } from './state-ports.ts';
import { ViewKeeper } from './view.ts';
import { ViewPace } from './view-pace.ts';

/** How to follow a host. */
export interface LiveOptions {
  /** Folder of the state file; null: none is kept. Default: `stateFolder` for a live host, none for a recording. */
  stateDir?: string | null;
  /** For a command that looks once: everything is read at the first go, no events are followed, and findings do not wait to be seen twice. */
  once?: boolean;
}

/** Readings that come within this time make one view. */
const gatherMs = 8;
const urgentGatherMs = 2;
const firstLooksMs = 500;
/** So long after Docker told of a network that a container was put on or taken off, it is seen what became of it (`settledMs`). */
const passingMs = 500;
/** Findings are judged so long after a view, so that what happened is on screen first, and no longer than that after the first of several views. */
const judgeMs = { urgent: 150, else: 1000 };
const longestUnjudgedMs = 1000;
const judgeRestFactor = 10;
/** Readings that only confirm what was known make a view this often: findings that want to be seen twice, or end with time, hang on it. */
const confirmMs = 10_000;
/** The same at rest (`restMs`): by then all is confirmed, and time alone has things judged every five minutes. */
const confirmAtRestMs = 60_000;
/** Looks into containers take turns: what one of them comes upon makes a view together with what the next ones do. */
const insideGatherMs: Readonly<Record<Exclude<InsideNews, 'nothing'>, number>> = { awaited: 100, noticed: 2000 };
/** While a source is waited for, a view is made this often. */
const waitingMs = 1000;

/**
 * Begins to follow a host; resolves as soon as reading has begun. The view fills in as the sources answer.
 */
export function startLive(host: Host, options: LiveOptions = {}): Promise<Live> {
  const session = new LiveSession(host, options);
  session.start();
  return Promise.resolve(session);
}

/** Whether a container publishes what it did not publish before: what one looks for after a restart. */
function hasNewPorts(before: readonly ContainerReading[], after: readonly ContainerReading[]): boolean {
  if (before === after) return false;
  const known = new Map(before.map(({ id, publishedPorts }) => [id, publishedPorts]));
  return after.some(({ id, publishedPorts }) => publishedPorts.length > 0 && publishedPorts !== known.get(id));
}

class LiveSession implements Live {
  readonly #host: Host;
  readonly #once: boolean;
  readonly #stateDir: string | null;
  readonly #docker: DockerSource;
  readonly #machine: HostSources;
  readonly #inside: InsideSource;
  readonly #view: ViewKeeper;
  #state: PortState | undefined;
  #stateOf: string | undefined;
  #stateLoaded = true;
  #dockerTold: Reading<DockerReading> = { state: 'pending' };
  #containersTold: readonly ContainerReading[] = [];
  /** Docker as it was when it was said last which containers are to be looked into. */
  #followed: DockerReading | undefined;
  readonly #pace: ViewPace;
  /** Whether anything was read since the readings of the newest view were put together. */
  #isBehind = false;
  /** When a reading was new last, on the clock of performance.now(). */
  #newsAt = performance.now();
  #judgeTimer: NodeJS.Timeout | undefined;
  /** When the oldest view that no judgement has seen was made, on the clock of performance.now(). */
  #unjudgedAt: number | undefined;
  /** Docker has told something that is not judged yet. */
  #isUrgent = false;
  #lastJudged = { endedAt: 0, tookMs: 0 };
  #judging: Promise<void> | undefined;
  #firstRound: Promise<void> | undefined;
  #roundDone = false;
  #ready = false;
  #internal: string | undefined;
  #stopped = false;
  /** When the first answers began to be waited for, ms since the epoch. */
  readonly #startedAt: number;

  constructor(host: Host, options: LiveOptions) {
    this.#host = host;
    this.#startedAt = host.now();
    this.#once = options.once === true;
    this.#stateDir =
      host.kind === 'recording' ? null : options.stateDir === undefined ? stateFolder(process.env) : options.stateDir;
    this.#pace = new ViewPace({
      make: () => this.#makeView(),
      onMade: () => this.#afterView(),
      isStarting: () => !this.#once && !this.#isComplete,
      isFollowed: () => this.#ready && !this.#once,
    });
    const onReading = (changed: boolean) => this.#read(changed);
    this.#docker = new DockerSource({
      host,
      follows: !this.#once,
      onReading: changed => this.#onDocker(changed),
      onEvent: event => {
        if (event.type === 'container' || event.type === 'network') {
          this.#machine.dockerChanged(event.action === 'start' || event.action === 'connect');
        }
        // Of a container that came and went between two looks, no reading will tell.
        if (event.type === 'container' && event.action === 'destroy') this.#pace.soon(gatherMs);
        // The event itself may be what a change of ports waits for.
        if (this.#view.awaitsCause) this.#pace.soon(gatherMs, { isAwaited: true });
        // A network that came and went leaves nothing else to make a view for.
        else if (event.type === 'network') this.#pace.soon(passingMs);
        const id = event.type === 'network' ? event.attributes['container'] : undefined;
        if (id) this.#inside.changed(id);
      },
    });
    this.#inside = new InsideSource({
      host,
      thorough: this.#once,
      hostLinks: () => this.#machine.readings.links.value?.links ?? [],
      onReading: news => this.#onInside(news),
    });
    this.#machine = new HostSources({
      host,
      docker: () => this.#docker.reading.value,
      onReading,
      onLinks: () => this.#inside.linksRead(),
    });
    const isOutdated = () => this.#docker.isOutdated || this.#machine.isOutdated;
    this.#view = new ViewKeeper(this.#collect(), this.#context(), isOutdated);
  }

  start(): void {
    this.#firstRound = Promise.all([this.#docker.start(), this.#machine.start(!this.#once)]).then(async () => {
      await this.#stateReady;
      // There is no second round in which the ports that Docker's containers ask for would be looked up.
      if (this.#once) await this.#machine.holdersOfWanted();
      this.#roundDone = true;
      if (this.#isComplete) this.#pace.soon(0, { isOnlyWork: true });
      else if (this.#once) this.#pace.soon(gatherMs);
      else await this.#rehearse();
    });
  }

  subscribe = (listener: () => void): (() => void) => this.#view.store.subscribe(listener);
  getView = (): LiveView => this.#view.store.get();
  getReadings = (): Readings => this.#view.readings;
  onEvent = (listener: (event: NetdashEvent) => void): (() => void) => this.#view.onEvent(listener);

  freeze(on: boolean): void {
    this.#view.freeze(on, this.#host.now());
  }

  async refresh(): Promise<void> {
    await this.#firstRound;
    await Promise.all([this.#docker.refresh(), this.#machine.refresh()]);
    await this.#inside.refresh();
    await this.#pace.make();
    if (!this.#once) await this.#judge();
  }

  attend(attention: { containerId?: string; rates: boolean; counters: boolean }): void {
    this.#machine.attend(attention);
    this.#inside.attend(attention.containerId);
  }

  async inspectRaw(containerId: string): Promise<unknown> {
    return redactInspect(await this.#host.docker.get(`/containers/${encodeURIComponent(containerId)}/json`));
  }

  async stop(): Promise<void> {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#pace.stop();
    clearTimeout(this.#judgeTimer);
    this.#inside.stop();
    const ended = Promise.all([this.#docker.stop(), this.#machine.stop(), this.#state?.stop()]);
    // A daemon that hangs must not hold up the end.
    this.#host.docker.close?.();
    await ended;
  }

  #stateReady: Promise<void> = Promise.resolve();

  #onDocker(changed: boolean): void {
    const { reading } = this.#docker;
    const daemonId = reading.value?.engine.id;
    if (this.#stateDir !== null && daemonId !== undefined && daemonId !== '' && daemonId !== this.#stateOf) {
      this.#stateReady = this.#recall(this.#stateDir, daemonId);
    }
    // Until the ports of the last run are known, ports of this one must not be taken for first seen.
    if (this.#stateLoaded) this.#dockerTold = reading;
    // What is inside is no news before the containers are.
    const { value } = reading;
    if (value && value !== this.#followed) {
      this.#followed = value;
      const running = value.engine.local === false ? [] : value.containers.filter(({ pid }) => pid > 0);
      const writers = ruleWriters(value.containers, value.networks);
      this.#inside.follow(running.map(({ id, pid, startedAt }) => ({ id, pid, startedAt, rules: writers.has(id) })));
    }
    this.#isUrgent ||= changed;
    const containers = this.#dockerTold.value?.containers ?? [];
    this.#note(changed);
    if (changed && hasNewPorts(this.#containersTold, containers)) this.#pace.soon(urgentGatherMs, { isAwaited: true });
    else this.#pace.soon(changed ? gatherMs : this.#confirmMs);
    this.#containersTold = containers;
  }

  /** Of the first look into each container, one after the other, not every one is worth a frame; the last is waited for. */
  #onInside(news: InsideNews): void {
    this.#note(news !== 'nothing');
    if (!this.#inside.complete) this.#pace.soon(firstLooksMs);
    else if (!this.#view.store.latest.ready) this.#pace.soon(0, { isOnlyWork: this.#isComplete });
    else this.#pace.soon(news === 'nothing' ? this.#confirmMs : insideGatherMs[news]);
  }

  async #recall(folder: string, daemonId: string): Promise<void> {
    this.#stateOf = daemonId;
    this.#stateLoaded = false;
    const before = this.#state;
    const state = new PortState(folder, daemonId, () => this.#pace.soon(gatherMs), undefined, this.#once);
    this.#state = state;
    await before?.stop();
    const kept = await state.load();
    if (this.#state !== state) return;
    this.#view.recall(kept);
    this.#stateLoaded = true;
    this.#onDocker(true);
  }

  /** Whether every source has answered for the first time. */
  get #isComplete(): boolean {
    return this.#roundDone && this.#inside.complete;
  }

  #read(changed: boolean): void {
    this.#note(changed);
    this.#pace.soon(changed ? gatherMs : this.#confirmMs);
  }

  #note(changed: boolean): void {
    if (!changed) return;
    this.#isBehind = true;
    this.#newsAt = performance.now();
  }

  /** Whether nothing has been new for long. */
  get #isAtRest(): boolean {
    return performance.now() - this.#newsAt >= restMs;
  }

  get #confirmMs(): number {
    return this.#isAtRest ? confirmAtRestMs : confirmMs;
  }

  *#makeView(): Generator<void, void> {
    const startedAt = performance.now();
    const isReady = this.#ready || this.#isComplete;
    this.#isBehind = false;
    try {
      const context = this.#context();
      yield* this.#view.update(this.#collect(), context, this.#ownSources(), () => this.#isBehind);
      // Not before: what is judged meanwhile is the view of before, which may lack a source.
      this.#ready = isReady;
      if (this.#once) finish(this.#view.judge(context, this.#ready));
      else this.#judgeSoon(startedAt);
      this.#internal = undefined;
    } catch (error) {
      this.#ready = isReady;
      this.#fault(error);
    }
  }

  #afterView(): void {
    if (this.#stateLoaded && this.#docker.reading.value) this.#state?.update(this.#view.ports);
    const { againMs } = this.#view;
    if (againMs !== undefined) this.#pace.soon(againMs);
    // How long a source is being waited for is on screen.
    const isWaiting = sourceNames.some(name => this.#view.readings[name].state === 'pending');
    if (!this.#once && isWaiting) this.#pace.soon(waitingMs);
  }

  /**
   * Puts together what there is while the insides of containers are being read, which is mostly waiting, and judges it for nobody: all of that code runs for the
   * first time, which takes it several times as long.
   */
  async #rehearse(): Promise<void> {
    await this.#pace.make();
    const isOver = (): boolean => this.#stopped || this.#isComplete;
    // A fault shows when it is judged in earnest.
    void inSlices(this.#view.rehearse(this.#context()), isOver).catch(() => undefined);
  }

  /** A fault in the facts must not take the screen down with it: the last view stays, and says so. */
  #fault(error: unknown): void {
    const reason = reasonOf(error);
    if (reason === this.#internal) return;
    this.#internal = reason;
    const { latest } = this.#view.store;
    const sources = { ...latest.snapshot.sources, ...this.#ownSources() };
    this.#view.store.set({ ...latest, ready: this.#ready, snapshot: { ...latest.snapshot, sources } });
  }

  /** Judges a little after the last of several views; at once when the screen waits for the first complete one. */
  #judgeSoon(now: number): void {
    this.#unjudgedAt ??= now;
    if (this.#judging || this.#stopped) return;
    const { endedAt, tookMs } = this.#lastJudged;
    const delayMs = this.#isUrgent ? judgeMs.urgent : judgeMs.else;
    const latest = Math.min(now + delayMs, this.#unjudgedAt + longestUnjudgedMs);
    const isAwaited = this.#ready && !this.#view.store.latest.ready;
    const at = isAwaited ? now : Math.max(latest, endedAt + judgeRestFactor * tookMs);
    clearTimeout(this.#judgeTimer);
    this.#judgeTimer = setTimeout(() => void this.#judge(), Math.max(0, at - now));
  }

  /** Judges now, after the judgement that is under way. Never rejects. */
  async #judge(): Promise<void> {
    while (this.#judging) await this.#judging;
    if (this.#stopped) return;
    clearTimeout(this.#judgeTimer);
    this.#unjudgedAt = undefined;
    this.#isUrgent = false;
    this.#judging = this.#judgeInSlices();
    await this.#judging;
    this.#judging = undefined;
    if (this.#unjudgedAt !== undefined) this.#judgeSoon(performance.now());
  }

  async #judgeInSlices(): Promise<void> {
    try {
      const judging = this.#view.judge(this.#context(), this.#ready, this.#isAtRest);
      const done = await inSlices(judging, () => this.#stopped);
      if (!done) return;
      this.#lastJudged = { endedAt: performance.now(), tookMs: done.tookMs };
      this.#inside.readAgain(done.value);
    } catch (error) {
      this.#fault(error);
    }
    const { againMs } = this.#view;
    if (againMs !== undefined) this.#pace.soon(againMs);
  }

  #ownSources(): Record<string, Source> {
    const own: Record<string, Source> = {};
    const problem = this.#state?.problem;
    if (problem !== undefined) own['state'] = { state: 'partial', reason: problem, ageMs: null };
    if (this.#internal !== undefined) own['facts'] = { state: 'failed', reason: this.#internal, ageMs: null };
    return own;
  }

  #collect(): Readings {
    const readings = { docker: this.#dockerTold, ...this.#machine.readings, inside: this.#inside.readings };
    const since = this.#startedAt;
    for (const name of sourceNames) {
      if (readings[name].state === 'pending') Object.assign(readings, { [name]: { ...readings[name], since } });
    }
    return ofDaemonsHost(readings);
  }

  #context(): SnapshotContext {
    const host = this.#host;
    return {
      now: host.now(),
      host: { kind: host.kind, name: host.name, uid: host.uid, dockerEndpoint: host.docker.endpoint },
      hints: this.#docker.memory.hints(this.#docker.following),
      once: this.#once,
    };
  }
}
