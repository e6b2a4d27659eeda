/**
 * Docker as one reading that stays current: the event stream names what changed, and slow polls catch what has no event
 * (a start that fails emits none).
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { readContainers, readEndedContainers, readEngine, readNetworks, readServices } from '../host/docker.ts';
import { pollCandidates } from '../host/docker-list.ts';
import { judgeLocality, type Locality } from '../host/docker-local.ts';
import { HostError, type DockerEvent, type Host } from '../host/host.ts';
import type {
  ContainerReading,
  DockerReading,
  EngineReading,
  NetworkReading,
  Outcome,
  Reading,
  ServiceReading,
} from '../host/readings.ts';
import { reuse } from '../facts/sharing.ts';
import { ContainerWatch } from './container-watch.ts';
import { DockerStream } from './docker-stream.ts';
import { EventMemory } from './event-memory.ts';
import { Poller, traced } from './poller.ts';

/** What the source tells. */
export interface DockerSourceOptions {
  host: Host;
  /** Whether Docker's events are to be followed; a look that ends with its answer has no use for them. */
  follows: boolean;
  /** Called after every reading and event; `changed` is false when it only confirmed what was known. */
  onReading(changed: boolean): void;
  /** An event that may mean changed links, rules or sockets. */
  onEvent(event: DockerEvent): void;
}

const listMs = 10_000;
/** With events, the list of those that have ended is enough in between: of all others, events tell. */
const wholeListMs = 240_000;
/** Without events (a proxy that denies them), the list is all there is. */
const listWithoutEventsMs = 3000;
const networksMs = 60_000;
const engineMs = 120_000;
const timeoutMs = 20_000;
/** The first list waits this long for the stream, so that nothing is missed; if the stream opens later, there is another list. */
const streamPatienceMs = 1000;
/** A stream that was gone for longer was not merely cut by a proxy's idle time-out. */
const restartGapMs = 200;

/** The source. */
export class DockerSource {
  /** What Docker's events say of causes. */
  readonly memory = new EventMemory();
  readonly #options: DockerSourceOptions;
  readonly #stream: DockerStream;
  readonly #watch: ContainerWatch;
  readonly #engine: Poller<EngineReading>;
  readonly #containers: Poller<ContainerReading[]>;
  readonly #networks: Poller<NetworkReading[]>;
  readonly #services: Poller<ServiceReading[]>;
  /** Containers to inspect with the next list, whatever it says. */
  readonly #suspect = new Set<string>();
  /** When each container that does not run was inspected last, for taking turns. */
  readonly #turns = new Map<string, number>();
  /** Containers that an event or a list said are gone, against answers that were on their way. */
  readonly #removed = new Set<string>();
  /** Whether the first list has begun, though there may be no stream yet. */
  #isListing = false;
  #locality: Locality = {};
  /** The containers' processes by which locality was judged last. */
  #judgedBy: string | undefined;
  #reading: Reading<DockerReading> = { state: 'pending' };
  #streamProblem: string | undefined;
  /** When the list of all containers was begun to be read, on the clock of performance.now(); and whether anybody has asked for it since. */
  #wholeAt = -Infinity;
  #wantsWhole = true;
  /** The daemon, or a proxy before it, gives no list of those that have ended alone. */
  #lacksEnded = false;
  #daemonWasGone = false;
  /** That it is back is known from what it answers, before the stream is open again. */
  #isKnownBack = false;

  constructor(options: DockerSourceOptions) {
    this.#options = options;
    const { host } = options;
    const part = { now: () => host.now(), timeoutMs, hintGapMs: 500 };
    const onReading = (_: unknown, changed: boolean) => this.#join(changed);
    this.#engine = new Poller({
      ...part,
      read: traced(host, 'docker', () => readEngine(host)),
      everyMs: () => engineMs,
      onReading,
    });
    this.#networks = new Poller({
      ...part,
      read: traced(host, 'docker', async () => ({ value: await readNetworks(host) })),
      everyMs: () => networksMs,
      onReading,
    });
    this.#services = new Poller({
      ...part,
      read: traced(host, 'docker', async () => ({ value: this.#isManager ? await readServices(host) : [] })),
      everyMs: () => networksMs,
      onReading,
    });
    this.#containers = new Poller({
      ...part,
      read: traced(host, 'docker', () => this.#readContainers()),
      everyMs: () => (this.#stream.open ? listMs : listWithoutEventsMs),
      onReading,
    });
    this.#watch = new ContainerWatch({
      host,
      commit: (id, reading) => this.#commit(id, reading),
      onError: (id, error) => {
        if (error.code === 'refused') return;
        this.#suspect.add(id);
        this.#wantsWhole = true;
        this.#containers.hint(1000);
      },
    });
    this.#stream = new DockerStream(host.docker, {
      onEvent: event => this.#onEvent(event),
      onOpen: gapMs => this.#onOpen(gapMs),
      onLost: error => {
        if (error.message.includes('nothing listens')) {
          this.#daemonWasGone = true;
          this.#isKnownBack = false;
        }
        this.#streamProblem = error.message;
        // A daemon that denies its events may answer everything else.
        if (this.#containers.reading.state !== 'pending') void this.#containers.poke();
        this.#join(true);
      },
    });
  }

  /** The reading as it stands. */
  get reading(): Reading<DockerReading> {
    return this.#reading;
  }

  /** Whether an event told of a change that lists are still to show. */
  get isOutdated(): boolean {
    return this.#containers.isOutdated || this.#networks.isOutdated;
  }

  /** Whether the event stream is open. */
  get following(): boolean {
    return this.#stream.open;
  }

  /** Begins: events first, so that nothing that happens during the first list is missed. Resolves after the first reading. */
  async start(): Promise<void> {
    const engine = this.#engine.poke();
    if (this.#options.follows) {
      // A daemon that does not answer is not to be waited for twice.
      const late = new AbortController();
      await Promise.race([this.#stream.start(), sleep(streamPatienceMs, undefined, late)]).catch(() => undefined);
      late.abort();
    }
    this.#isListing = true;
    await Promise.all([engine, this.#containers.poke(), this.#networks.poke()]);
    await this.#services.poke();
  }

  /** Reads all of it again. */
  async refresh(): Promise<void> {
    this.#wantsWhole = true;
    await Promise.all([this.#engine.poke(), this.#containers.poke(), this.#networks.poke()]);
    await this.#services.poke();
  }

  /** Ends it. */
  async stop(): Promise<void> {
    this.#watch.stop();
    for (const poller of [this.#engine, this.#containers, this.#networks, this.#services]) poller.stop();
    await this.#stream.stop();
  }

  get #isManager(): boolean {
    return this.#engine.reading.value?.swarm.manager === true;
  }

  async #readContainers(): Promise<Outcome<ContainerReading[]>> {
    const { host } = this.#options;
    const before = this.#containers.reading.value ?? [];
    const inspect = new Set(this.#suspect);
    const turn = this.#nextTurn(before);
    if (turn !== undefined) inspect.add(turn);
    this.#suspect.clear();
    this.#removed.clear();
    const startedAt = host.now();
    const { value } = (await this.#readEnded(before, inspect)) ?? (await this.#readAll(before, inspect));
    this.#onAnswer();
    for (const id of inspect) this.#turns.set(id, startedAt);
    if (value === before && this.#containers.reading.value === before) return outcomeOf(before);
    // While the list was on its way, events may have brought newer readings.
    const current = new Map(this.#containers.reading.value?.map(container => [container.id, container]));
    const known = new Map(before.map(container => [container.id, container]));
    const merged = value
      .filter(({ id }) => !this.#removed.has(id))
      .map(container => {
        const newer = current.get(container.id);
        const overtaken = newer !== undefined && newer !== known.get(container.id);
        return overtaken && newer.inspectedAt >= startedAt ? newer : settle(newer, container);
      });
    const listed = new Set(merged.map(({ id }) => id));
    for (const [id, container] of current) {
      if (!listed.has(id) && !known.has(id) && container.inspectedAt >= startedAt) merged.unshift(container);
    }
    this.#watch.retain(new Set(merged.map(({ id }) => id)));
    return outcomeOf(merged);
  }

  #readAll(before: ContainerReading[], inspect: ReadonlySet<string>): Promise<Outcome<ContainerReading[]>> {
    this.#wantsWhole = false;
    this.#wholeAt = performance.now();
    return readContainers(this.#options.host, before, inspect);
  }

  /** Looks only at those that have ended, where events tell of the others; undefined where that does not do. */
  async #readEnded(
    before: ContainerReading[],
    inspect: ReadonlySet<string>,
  ): Promise<Outcome<ContainerReading[]> | undefined> {
    const { host } = this.#options;
    const isRecent = performance.now() - this.#wholeAt < wholeListMs - listMs / 2;
    const isWhole = this.#containers.reading.state === 'ok' && !this.#wantsWhole;
    if (host.kind !== 'live' || !this.#stream.open || this.#lacksEnded || !isRecent || !isWhole) return undefined;
    try {
      return await readEndedContainers(host, before, inspect);
    } catch (error) {
      // One that does not answer is not to be waited for twice.
      if (!(error instanceof HostError) || error.code === 'timeout' || error.code === 'refused') throw error;
      this.#lacksEnded = true;
      return undefined;
    }
  }

  /** The container that is inspected with this list though nothing says that it changed: each that does not run in turn. */
  #nextTurn(containers: readonly ContainerReading[]): string | undefined {
    const candidates = pollCandidates(containers);
    const turnOf = (id: string) => this.#turns.get(id) ?? 0;
    for (const id of this.#turns.keys()) if (!candidates.includes(id)) this.#turns.delete(id);
    return candidates.toSorted((a, b) => turnOf(a) - turnOf(b))[0];
  }

  #commit(id: string, reading: ContainerReading | undefined): void {
    const before = this.#containers.reading.value;
    if (!reading) this.#removed.add(id);
    // Before the first list nothing can be said of all containers.
    if (!before) return;
    const known = before.find(container => container.id === id);
    if (!reading) {
      if (known) this.#containers.accept(outcomeOf(before.filter(container => container !== known)));
      return;
    }
    const settled = settle(known, reading);
    const containers = known
      ? before.map(container => (container === known ? settled : container))
      : [settled, ...before];
    this.#containers.accept(outcomeOf(containers));
  }

  #onEvent(event: DockerEvent): void {
    // Nothing of the network changes with it.
    if (event.action === 'health_status') {
      this.#watch.event(event);
      return;
    }
    this.memory.add(event);
    if (event.type === 'container') this.#watch.event(event);
    else if (event.type === 'network') {
      this.#watch.event(event);
      if (event.action !== 'connect' && event.action !== 'disconnect') this.#networks.hint(50);
    } else if (event.type === 'service') this.#services.hint(100);
    else this.#engine.hint(100);
    this.#options.onEvent(event);
  }

  #onOpen(gapMs: number | undefined): void {
    this.#streamProblem = undefined;
    if (gapMs !== undefined) this.memory.streamIsBack();
    if (gapMs === undefined && !this.#isListing) return;
    if (!this.#isKnownBack && this.#wasAway(gapMs ?? 0)) this.memory.daemonIsBack(this.#options.host.now());
    this.#daemonWasGone = false;
    this.#isKnownBack = false;
    // What happened in between is not known: every container is looked at anew.
    for (const { id } of this.#containers.reading.value ?? []) this.#suspect.add(id);
    void this.refresh();
  }

  /** Whether the daemon itself was away while there were no events for so long. */
  #wasAway(gapMs: number): boolean {
    const local = this.#options.host.docker.endpoint.startsWith('unix:');
    return this.#daemonWasGone || (local && gapMs > restartGapMs);
  }

  /** The stream is tried again only now and then: what a list shows first of a daemon that was away must not lack that it was. */
  #onAnswer(): void {
    const gapMs = this.#stream.lostForMs;
    if (gapMs === undefined || this.#isKnownBack || !this.#wasAway(gapMs)) return;
    this.#isKnownBack = true;
    this.memory.daemonIsBack(this.#options.host.now());
    this.#stream.hurry();
  }

  #join(changed: boolean): void {
    const parts = [this.#engine.reading, this.#containers.reading, this.#networks.reading];
    const [engine, containers, networks] = [
      this.#engine.reading.value,
      this.#containers.reading.value,
      this.#networks.reading.value,
    ];
    const at = this.#containers.reading.at;
    const failed = parts.find(({ state }) => state === 'failed');
    if (!engine || !containers || !networks) {
      if (failed) this.#reading = { state: 'failed', reason: failed.reason };
      this.#options.onReading(changed);
      return;
    }
    this.#judge(engine, containers, networks);
    const value = reuse(this.#reading.value, {
      engine: { ...engine, ...this.#locality },
      containers,
      networks,
      services: this.#services.reading.value ?? none,
    });
    const isNew = value !== this.#reading.value;
    const reasons = [
      ...parts.map(({ reason }) => reason),
      this.#services.reading.state === 'ok' || !this.#isManager ? undefined : this.#services.reading.reason,
      this.#streamProblem === undefined || failed ? undefined : `events: ${this.#streamProblem}`,
    ].filter(reason => reason !== undefined);
    const state = failed ? 'failed' : reasons.length > 0 ? 'partial' : 'ok';
    const reason = failed ? failed.reason : reasons.join('; ') || undefined;
    const isKnown = state === this.#reading.state && reason === this.#reading.reason;
    this.#reading = { state, at, value, ...(reason !== undefined && { reason }) };
    this.#options.onReading(isNew || !isKnown);
  }

  /** Finds out whether the containers are on this kernel; again, while they do not seem to be, when others run: the first ones may have ended meanwhile. */
  #judge(engine: EngineReading, containers: ContainerReading[], networks: NetworkReading[]): void {
    if (this.#judgedBy !== undefined && this.#locality.local === true) return;
    const running = containers
      .filter(({ pid }) => pid > 0)
      .map(({ pid }) => pid)
      .join(' ');
    if (running === this.#judgedBy) return;
    this.#judgedBy = running;
    this.#locality = judgeLocality(this.#options.host, engine, containers, networks);
  }
}

const none: ServiceReading[] = [];

/** The reading to keep of two: the known object while nothing but the time of the inspect differs. */
function settle(known: ContainerReading | undefined, fresh: ContainerReading): ContainerReading {
  if (!known || known === fresh) return fresh;
  const aged = { ...fresh, inspectedAt: known.inspectedAt };
  if (fresh.listSignature === undefined && known.listSignature !== undefined) aged.listSignature = known.listSignature;
  if (reuse(known, aged) === known) return known;
  return fresh;
}

/** Containers, with a word on those that could not be inspected. */
function outcomeOf(containers: ContainerReading[]): Outcome<ContainerReading[]> {
  const failed = containers.filter(({ inspectError }) => inspectError !== undefined);
  const [first] = failed;
  if (!first) return { value: containers };
  const more = failed.length > 1 ? ` (and ${failed.length - 1} more)` : '';
  return { value: containers, missing: `inspect failed: ${first.name}: ${first.inspectError}${more}` };
}
