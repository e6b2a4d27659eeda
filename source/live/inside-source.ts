/**
 * Reads inside the running containers: each when it starts, again while its programs begin to listen, when it changes,
 * often while it is looked at, and else rarely and one by one. Every read walks a socket table of the whole machine, so
 * reading all of them on every tick is what netdash must not do.
 */
import { HostError, type Host } from '../host/host.ts';
import { readInside, type Fruitless } from '../host/inside.ts';
import type { InsideReading, LinkReading, Reading } from '../host/readings.ts';
import { reuse } from '../facts/sharing.ts';
import { turn } from '../loop/turns.ts';
import { InsideTables, share } from './inside-tables.ts';
import { reasonOf, traced, withTimeout } from './poller.ts';

/** A running container, as far as reading inside it goes. */
export interface InsideTarget {
  id: string;
  pid: number;
  startedAt?: number;
  /** Whether the rules in its netns are read as well, since somebody in there may have written some. */
  rules?: boolean;
}

/** What is needed to read inside. */
export interface InsideOptions {
  host: Host;
  /** The host's interfaces as last read. */
  hostLinks: () => readonly LinkReading[];
  /** Reads everything there is at the first go, since no second one will follow. */
  thorough: boolean;
  /** Called when `readings` has changed, or has been confirmed. */
  onReading(news: InsideNews): void;
}

/**
 * What a reading brought: something that somebody may be waiting for, since the container has just begun or is looked at;
 * something that a look in turn came upon, which is as old as that turn is long anyway; or nothing.
 */
export type InsideNews = 'awaited' | 'noticed' | 'nothing';

interface Entry {
  target: InsideTarget;
  reading: Reading<InsideReading>;
  /** When it is read next, on the clock of performance.now(). */
  dueAt: number;
  /** Further times at which it is read in any case, soonest first. */
  planned: number[];
  reads: number;
  tables: InsideTables;
  /** Sockets whose openers are not looked for again. */
  fruitless: Fruitless;
  /** When its interfaces and routes are read again though nothing speaks for a change, on the clock of performance.now(). */
  interfacesDueAt: number;
  /** When the rules in its netns are read next, on the clock of performance.now(). */
  rulesDueAt: number;
  rulesReadAt: number;
  /** Somebody waits for the next reading, even if it only confirms this one. */
  awaited: boolean;
  /** It is being read now: what falls due meanwhile is read after that, for two reads at once would count as a first and a second one. */
  isBeingRead: boolean;
}

/** How long after its start a container is read: servers take time to listen, and their absence counts from 15 s on. */
const afterStartMs = [1000, 5000, 15_500];
/** The first read waits this long for the host's links, which tell the other ends of its interfaces. */
const linksPatienceMs = 250;
/** With the last look of `afterStartMs` and what it may be late by. */
const oldMs = 30_000;
const attendedMs = 2000;
const unclearMs = 100;
/** Between two looks that are to confirm each other. */
const secondLookMs = 1500;
/** A container that is not looked at is read this often, and all of them together no more often than `perContainerMs` apart. */
const idleMs = 60_000;
const perContainerMs = 1000;
/** Those that are read in turn are read together so often: to be woken takes a program that has nothing to do a tenth of what the reading does. */
const togetherMs = 4000;
/**
 * Interfaces and routes inside are read after a start, when Docker connects or disconnects it, while looked at, in each turn where somebody in there may change
 * them, and else this often, those of all of them no more often than `interfacesApartMs` apart.
 */
const interfacesMs = 600_000;
const interfacesApartMs = 6000;
/** Rules inside are read after a start, while looked at, and else this often, all of them together no more often than `rulesApartMs` apart. */
const rulesMs = 300_000;
const rulesApartMs = 60_000;
const attendedRulesMs = 20_000;
const readTimeoutMs = 15_000;
const thoroughAtOnce = 6;
/** What a read waits for is the kernel, which walks the tables of one container while the facts of another are worked out. */
const atOnce = 2;
/** Until each was read once, the program has enough else to do between two answers: so many keep Node's four threads busy. */
const firstAtOnce = 8;
/** A look that is to be complete first reads all of them quickly, then each with all there is. */
const thoroughReads = 2;

/** The readings inside all running containers. */
export class InsideSource {
  readonly #options: InsideOptions;
  readonly #entries = new Map<string, Entry>();
  #attended: string | undefined;
  #timer: NodeJS.Timeout | undefined;
  #working = false;
  #stopped = false;
  #idleWaiters: (() => void)[] = [];

  constructor(options: InsideOptions) {
    this.#options = options;
  }

  /** The readings by container id; a container that was not read yet has none. */
  get readings(): Record<string, Reading<InsideReading>> {
    const readings: Record<string, Reading<InsideReading>> = {};
    for (const [id, { reading }] of this.#entries) if (reading.state !== 'pending') readings[id] = reading;
    return readings;
  }

  /** Whether every running container was read as often as it takes, or tried. */
  get complete(): boolean {
    const enough = this.#options.thorough ? thoroughReads : 1;
    for (const { reads } of this.#entries.values()) if (reads < enough) return false;
    return true;
  }

  /** Says which containers run now. One with another pid or start time than before is another netns: it is read anew. */
  follow(targets: readonly InsideTarget[]): void {
    const ids = new Set(targets.map(({ id }) => id));
    let gone = false;
    for (const id of this.#entries.keys()) {
      if (ids.has(id)) continue;
      this.#entries.delete(id);
      gone = true;
    }
    const now = performance.now();
    for (const target of targets) {
      const known = this.#entries.get(target.id);
      if (known?.target.pid === target.pid && known.target.startedAt === target.startedAt) {
        if (target.rules === true && known.target.rules !== true)
          known.dueAt = Math.min(known.dueAt, now + linksPatienceMs);
        known.target = target;
        continue;
      }
      const age = target.startedAt === undefined ? Infinity : this.#options.host.now() - target.startedAt;
      const planned = afterStartMs.filter(ms => ms > age).map(ms => now + ms - age);
      const dueAt = age < 5000 ? now + linksPatienceMs : now;
      this.#entries.set(target.id, {
        target,
        reading: { state: 'pending' },
        dueAt,
        planned,
        reads: 0,
        tables: new InsideTables(this.#options.host, target.pid),
        fruitless: new Map(),
        interfacesDueAt: -Infinity,
        rulesDueAt: -Infinity,
        rulesReadAt: -Infinity,
        awaited: false,
        isBeingRead: false,
      });
    }
    if (gone) this.#options.onReading('awaited');
    this.#arm();
  }

  /** The host's links were read: what waited for them goes ahead. */
  linksRead(): void {
    const now = performance.now();
    for (const entry of this.#entries.values()) {
      const lacksPeer = entry.reading.value !== undefined && entry.reading.value.netnsId === undefined;
      const isYoung = entry.planned.length > 0;
      if (entry.reads === 0 || (lacksPeer && isYoung)) entry.dueAt = Math.min(entry.dueAt, now);
    }
    this.#arm();
  }

  /** Something about this container changed: it is read soon. */
  changed(id: string): void {
    const entry = this.#entries.get(id);
    if (!entry) return;
    entry.dueAt = Math.min(entry.dueAt, performance.now() + linksPatienceMs);
    entry.interfacesDueAt = -Infinity;
    this.#arm();
  }

  /** A conclusion hangs on seeing these a second time. */
  readAgain(ids: readonly string[]): void {
    for (const id of ids) {
      const entry = this.#entries.get(id);
      if (!entry || entry.awaited) continue;
      entry.awaited = true;
      entry.dueAt = Math.min(entry.dueAt, performance.now() + secondLookMs);
    }
    if (ids.length > 0) this.#arm();
  }

  /** This container is looked at, or none. */
  attend(id: string | undefined): void {
    if (id === this.#attended) return;
    this.#attended = id;
    const entry = id === undefined ? undefined : this.#entries.get(id);
    if (entry) entry.dueAt = performance.now();
    this.#arm();
  }

  /** Reads all of them now; resolves when that is done. */
  async refresh(): Promise<void> {
    const now = performance.now();
    for (const entry of this.#entries.values()) {
      entry.dueAt = Math.min(entry.dueAt, now);
      entry.tables.ask();
      entry.interfacesDueAt = -Infinity;
      entry.rulesDueAt = -Infinity;
    }
    if (this.#entries.size === 0 || this.#stopped) return;
    const done = new Promise<void>(resolve => this.#idleWaiters.push(resolve));
    this.#arm();
    await done;
  }

  /** Ends it. */
  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.#rest();
  }

  #rest(): void {
    for (const resolve of this.#idleWaiters.splice(0)) resolve();
  }

  #arm(): void {
    clearTimeout(this.#timer);
    if (this.#stopped || this.#working || this.#entries.size === 0) return;
    let next = Infinity;
    for (const { dueAt } of this.#entries.values()) if (dueAt < next) next = dueAt;
    this.#timer = setTimeout(() => void this.#work(), Math.max(0, next - performance.now()));
  }

  /** The entry to read now: the one that is looked at, then those never read, then the longest due. */
  #next(): Entry | undefined {
    const now = performance.now();
    const rank = (entry: Entry): number =>
      entry.target.id === this.#attended ? -2 : entry.reads === 0 ? -1 : entry.dueAt;
    let best: Entry | undefined;
    for (const entry of this.#entries.values()) {
      if (entry.dueAt <= now && !entry.isBeingRead && (!best || rank(entry) < rank(best))) best = entry;
    }
    return best;
  }

  async #work(): Promise<void> {
    this.#working = true;
    const isFirst = [...this.#entries.values()].some(({ reads }) => reads === 0);
    await Promise.all(
      // A thorough read mostly waits for the program that it runs.
      Array.from({ length: this.#options.thorough ? thoroughAtOnce : isFirst ? firstAtOnce : atOnce }, async () => {
        for (let entry = this.#next(); entry && !this.#stopped; entry = this.#next()) {
          entry.isBeingRead = true;
          await this.#read(entry);
          entry.isBeingRead = false;
          // Keys and events go first.
          await turn();
        }
      }),
    );
    this.#working = false;
    this.#rest();
    this.#arm();
  }

  async #read(entry: Entry): Promise<void> {
    const { host, hostLinks, thorough } = this.#options;
    const { id, pid } = entry.target;
    const attended = id === this.#attended;
    const before = entry.reading;
    entry.dueAt = Infinity;
    const startedAt = performance.now();
    const mayKeep = before.state === 'ok' && !attended && !entry.awaited;
    const keepListeners = entry.tables.begin(mayKeep, entry.reads < 2, this.#entries.size);
    const keepInterfaces = mayKeep && startedAt < entry.interfacesDueAt;
    // Its first looks are while Docker still sets it up.
    if (!keepInterfaces && entry.planned.length === 0)
      entry.interfacesDueAt = startedAt + this.#interfacesMs * share(entry.interfacesDueAt > -Infinity);
    const rules = this.#rulesOf(entry, startedAt);
    // Who may change rules may change these as well, of which no event tells.
    if (entry.target.rules === true) entry.interfacesDueAt = -Infinity;
    let reading: Reading<InsideReading>;
    try {
      const outcome = await withTimeout(
        traced(host, `inside ${id.slice(0, 12)}`, () =>
          readInside(host, {
            containerId: id,
            pid,
            hostLinks: hostLinks(),
            previous: before.value,
            listeners: true,
            keepListeners,
            keepInterfaces,
            ...(rules && { rules }),
            detail: attended || (thorough && entry.reads > 0),
            // Runs a program, once per socket, which only root may do: not on the first round, which is to be quick.
            exact: host.uid === 0 && entry.reads > 0,
            ...(host.uid === 0 && entry.reads > 0 && { fruitless: entry.fruitless }),
          }),
        )(),
        readTimeoutMs,
      );
      const value = reuse(before.value, outcome.value);
      reading = { state: outcome.missing === undefined ? 'ok' : 'partial', at: host.now(), value };
      if (outcome.missing !== undefined) reading.reason = outcome.missing;
    } catch (error) {
      const gone = error instanceof HostError && error.code === 'gone';
      reading = { ...before, state: 'failed', reason: reasonOf(error) };
      if (gone) delete reading.value;
    }
    if (this.#stopped || this.#entries.get(id) !== entry) return;
    entry.tables.end(reading.state === 'ok' ? reading.value?.listeners : undefined);
    const isYoung = entry.reads === 0 || entry.planned.length > 0;
    entry.reads += 1;
    entry.reading = reading;
    // A planned look at a container that has long been running only clears up what its first one left open.
    const isOld = entry.target.startedAt === undefined || host.now() - entry.target.startedAt > oldMs;
    const isAwaited = entry.awaited || attended || (isYoung && (!isOld || entry.reads === 1));
    const hasChanged =
      entry.awaited ||
      reading.value !== before.value ||
      reading.state !== before.state ||
      reading.reason !== before.reason;
    this.#plan(entry);
    entry.awaited = false;
    this.#options.onReading(!hasChanged ? 'nothing' : isAwaited ? 'awaited' : 'noticed');
  }

  get #interfacesMs(): number {
    return Math.max(interfacesMs, this.#entries.size * interfacesApartMs);
  }

  /** Whether the rules in its netns are read now: not on the first round, which is to be quick. */
  #rulesOf(entry: Entry, now: number): 'read' | 'keep' | undefined {
    if (entry.target.rules !== true) return undefined;
    if (entry.reads === 0) return 'keep';
    const isPlanned = entry.planned.some(at => at <= now);
    const attendedAt = entry.target.id === this.#attended ? entry.rulesReadAt + attendedRulesMs : Infinity;
    if (!isPlanned && now < Math.min(entry.rulesDueAt, attendedAt)) return 'keep';
    const several = [...this.#entries.values()].filter(({ target }) => target.rules === true).length;
    entry.rulesReadAt = now;
    entry.rulesDueAt = now + Math.max(rulesMs, several * rulesApartMs);
    return 'read';
  }

  /** When a container that nobody looks at is read again: not all at once, and yet several each time that the program is woken for it. */
  #inTurnAt(now: number): number {
    const rest = Math.max(idleMs, this.#entries.size * perContainerMs);
    return Math.ceil((now + rest * share(true)) / togetherMs) * togetherMs;
  }

  #plan(entry: Entry): void {
    const now = performance.now();
    if (this.#options.thorough && entry.reads < thoroughReads) {
      entry.dueAt = now;
      return;
    }
    while (entry.planned.length > 0 && entry.planned[0]! <= now) entry.planned.shift();
    // Whether its IPv6 listeners take IPv4 is asked once, soon, and not of all containers at once; so are rules inside.
    const isAsked = entry.target.rules === true || hasUnclearListener(entry.reading.value);
    if (entry.reads === 1 && entry.planned.length === 0 && isAsked) {
      entry.planned.push(now + 1000 + Math.random() * this.#entries.size * unclearMs);
    }
    const regular = entry.target.id === this.#attended ? now + attendedMs : this.#inTurnAt(now);
    entry.dueAt = Math.min(entry.dueAt, regular, entry.planned[0] ?? Infinity);
  }
}

function hasUnclearListener(reading: InsideReading | undefined): boolean {
  return reading?.listeners?.some(({ address, v6only }) => address === '::' && v6only === undefined) === true;
}
