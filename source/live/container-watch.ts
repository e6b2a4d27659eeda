/**
 * Containers between two lists: what an event names is inspected at once and again a little later. An event is a hint
 * that comes before, amid or after the change: an inspect waits for the container's lock, so it may show the end of a
 * change whose events are still to come, or, made too soon, its middle.
 */
import { HostError, type DockerEvent, type Host } from '../host/host.ts';
import { inspectContainer } from '../host/docker.ts';
import type { ContainerReading } from '../host/readings.ts';

/** What the watch works on. */
export interface WatchOptions {
  host: Host;
  /** Takes a new reading; undefined when the container is gone. */
  commit(id: string, reading: ContainerReading | undefined): void;
  /** An inspect failed for another reason than that the container is gone. */
  onError(id: string, error: HostError): void;
}

/** What ends something comes in bursts (kill, die, disconnect, stop), and the burst's end is what counts. */
const burstMs = 60;
/** What an event announced is checked again. */
const reconcileMs = 200;
/** More at once only load dockerd. */
const inspectsAtOnce = 8;
/** Actions after which there is something new to see right away. */
const prompt = new Set(['create', 'start', 'restart', 'connect', 'disconnect', 'rename', 'update', 'pause', 'unpause']);

interface Watched {
  soon?: NodeJS.Timeout;
  later?: NodeJS.Timeout;
  inspecting: boolean;
  again: boolean;
}

/** Follows events of containers. */
export class ContainerWatch {
  readonly #options: WatchOptions;
  readonly #watched = new Map<string, Watched>();
  readonly #queue = new Set<string>();
  #inspecting = 0;
  #stopped = false;

  constructor(options: WatchOptions) {
    this.#options = options;
  }

  /** Takes an event of type container, or of type network that names a container. */
  event({ type, action, id: actor, attributes }: DockerEvent): void {
    const id = type === 'container' ? actor : (attributes['container'] ?? '');
    if (!id || this.#stopped) return;
    if (type === 'container' && action === 'destroy') {
      this.#forget(id);
      this.#options.commit(id, undefined);
      return;
    }
    const watched = this.#of(id);
    if (prompt.has(action)) this.#enqueue(id, watched);
    else {
      watched.soon ??= setTimeout(() => {
        delete watched.soon;
        this.#enqueue(id, watched);
      }, burstMs);
    }
    clearTimeout(watched.later);
    watched.later = setTimeout(() => this.#enqueue(id, watched), reconcileMs);
  }

  /** Forgets the containers that are not among these. */
  retain(ids: ReadonlySet<string>): void {
    for (const id of this.#watched.keys()) if (!ids.has(id) && !this.#isBusy(id)) this.#forget(id);
  }

  /** Ends it. */
  stop(): void {
    this.#stopped = true;
    for (const id of this.#watched.keys()) this.#forget(id);
  }

  #of(id: string): Watched {
    let watched = this.#watched.get(id);
    if (!watched) {
      watched = { inspecting: false, again: false };
      this.#watched.set(id, watched);
    }
    return watched;
  }

  #isBusy(id: string): boolean {
    const watched = this.#watched.get(id);
    return watched !== undefined && (watched.inspecting || this.#queue.has(id) || watched.later?.hasRef() === true);
  }

  #forget(id: string): void {
    const watched = this.#watched.get(id);
    clearTimeout(watched?.soon);
    clearTimeout(watched?.later);
    this.#watched.delete(id);
    this.#queue.delete(id);
  }

  #enqueue(id: string, watched: Watched): void {
    if (watched.inspecting) watched.again = true;
    else this.#queue.add(id);
    this.#work();
  }

  #work(): void {
    for (const id of this.#queue) {
      if (this.#inspecting >= inspectsAtOnce) return;
      this.#queue.delete(id);
      const watched = this.#watched.get(id);
      if (watched) void this.#inspect(id, watched);
    }
  }

  async #inspect(id: string, watched: Watched): Promise<void> {
    this.#inspecting += 1;
    watched.inspecting = true;
    watched.again = false;
    let reading: ContainerReading | undefined;
    let failure: HostError | undefined;
    try {
      reading = await inspectContainer(this.#options.host, id);
    } catch (error) {
      failure = error instanceof HostError ? error : new HostError('failed', String(error));
    }
    this.#inspecting -= 1;
    watched.inspecting = false;
    if (this.#watched.get(id) === watched) {
      if (failure && failure.code !== 'missing') this.#options.onError(id, failure);
      else this.#options.commit(id, reading);
      if (watched.again) this.#enqueue(id, watched);
    }
    this.#work();
  }
}
