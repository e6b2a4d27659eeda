/**
 * What every start of the dashboard asks of this machine is asked before the program that is to take the answers is loaded: so the tools and
 * Docker work meanwhile, and tools are started while the process is small, which takes half as long (fork(2) copies its page tables).
 */
import type { DockerApi, DockerEvent, Host, Subscription, Tool } from './host.ts';
import { toolsStarted } from './tools.ts';

/**
 * What netdash wants to hear of (Engine API, `GET /events`, `filters`). The daemon is told, because exec and health-check
 * events, which come several a second on a busy host, are to stay there.
 */
export const followedEvents: Record<string, string[]> = {
  type: ['container', 'network', 'daemon', 'service'],
  event: [
    'create',
    'start',
    'restart',
    'die',
    'stop',
    'kill',
    'oom',
    'pause',
    'unpause',
    'rename',
    'update',
    'destroy',
    'connect',
    'disconnect',
    'remove',
    'reload',
    // Of a health check that goes on as before there is none.
    'health_status',
  ],
};

/** As the readers ask for them (links.ts, netfilter/tool.ts), the slowest first. */
const runs: readonly { tool: Tool; args: readonly string[]; timeoutMs?: number }[] = [
  { tool: 'nft', args: ['-j', 'list', 'ruleset'], timeoutMs: 10_000 },
  { tool: 'iptables-save', args: ['-c'], timeoutMs: 10_000 },
  { tool: 'ip6tables-save', args: ['-c'], timeoutMs: 10_000 },
  { tool: 'ip', args: ['-j', '-d', 'addr'] },
  { tool: 'ip', args: ['-j', 'route', 'show', 'table', 'all'] },
  { tool: 'ip', args: ['-j', '-4', 'rule'] },
  { tool: 'ip', args: ['-j', '-6', 'rule'] },
];
const engine = ['/info', '/version'];
/** Not before the event stream is open, or what happens in between would be missed. */
const lists = ['/containers/json?all=1', '/networks'];
/** Later an answer is too old to be given: it is asked for anew. */
const freshMs = 1000;

/** Answers that are on their way, each to be taken once. */
class Answers {
  readonly #answers = new Map<string, { at: number; answer: Promise<unknown> }>();

  ask(key: string, answer: Promise<unknown>): void {
    // Whoever takes it hears of what went wrong.
    answer.catch(() => undefined);
    this.#answers.set(key, { at: performance.now(), answer });
  }

  /** The answer to the same question if that was asked a moment ago; else asks. */
  take<T>(key: string, ask: () => Promise<T>): Promise<T> {
    const known = this.#answers.get(key);
    this.#answers.delete(key);
    return known && performance.now() - known.at < freshMs ? (known.answer as Promise<T>) : ask();
  }

  get left(): string[] {
    return [...this.#answers.keys()];
  }

  drop(keys: readonly string[]): void {
    for (const key of keys) this.#answers.delete(key);
  }
}

/** The event stream, opened before anybody listens: what comes until then is kept. */
class EarlyEvents {
  readonly #subscription: Subscription;
  #kept: DockerEvent[] = [];
  #isOpen = false;
  #isOver = false;
  #listener: { onEvent(event: DockerEvent): void; onOpen?: () => void } | undefined;

  /** @param onOpen called when it is open and nobody listens yet; `onEvent` for each event of that time */
  constructor(docker: DockerApi, onOpen: () => void, onEvent: () => void) {
    this.#subscription = docker.events(
      followedEvents,
      event => {
        if (this.#listener) return this.#listener.onEvent(event);
        this.#kept.push(event);
        onEvent();
      },
      () => {
        this.#isOpen = true;
        if (this.#listener) this.#listener.onOpen?.();
        else onOpen();
      },
    );
    void this.#subscription.ended.then(() => (this.#isOver = true));
  }

  /** Hands the stream over, as if it had been opened now; undefined when it is of no use any more. */
  take(onEvent: (event: DockerEvent) => void, onOpen?: () => void): Subscription | undefined {
    if (this.#isOver || this.#listener) return undefined;
    queueMicrotask(() => {
      this.#listener = { onEvent, ...(onOpen && { onOpen }) };
      if (this.#isOpen) onOpen?.();
      for (const event of this.#kept) onEvent(event);
      this.#kept = [];
    });
    return this.#subscription;
  }
}

/**
 * Asks, and gives a host that has the answers for whoever asks the same within a second; of each it has one. All else goes to `host` itself.
 * @returns the host, when all tools have been started, and what was asked that nobody has come for yet
 */
export function askAhead(host: Host): { host: Host; begun: Promise<void>; left: () => string[] } {
  const { docker } = host;
  const answers = new Answers();
  const get = (path: string): void => answers.ask(path, docker.get(path));
  let early: EarlyEvents | undefined = new EarlyEvents(
    docker,
    () => lists.forEach(get),
    // A list from before an event would lack what the event brought.
    () => answers.drop(lists),
  );
  engine.forEach(get);
  for (const { tool, args, timeoutMs } of runs) {
    const options = timeoutMs === undefined ? {} : { timeoutMs };
    answers.ask(keyOf(tool, args, options), host.run(tool, args, options));
  }
  const ahead: DockerApi = {
    ...docker,
    get: (path, options) =>
      options === undefined ? answers.take(path, () => docker.get(path)) : docker.get(path, options),
    events: (filters, onEvent, onOpen) => {
      const subscription = filters === followedEvents ? early?.take(onEvent, onOpen) : undefined;
      early = undefined;
      return subscription ?? docker.events(filters, onEvent, onOpen);
    },
  };
  return {
    host: {
      ...host,
      docker: ahead,
      run: (tool, args, options = {}) => answers.take(keyOf(tool, args, options), () => host.run(tool, args, options)),
    },
    begun: toolsStarted(),
    left: () => answers.left,
  };
}

const keyOf = (tool: Tool, args: readonly string[], { timeoutMs }: { timeoutMs?: number }): string =>
  JSON.stringify([tool, args, timeoutMs]);
