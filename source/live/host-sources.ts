/** The sources of this machine (all but Docker and the insides of containers), each polled as often as its facts need. */
import type { Host } from '../host/host.ts';
import { readKernel } from '../host/kernel.ts';
import { readLinks, readTraffic } from '../host/links.ts';
import {
  areRulesTold,
  haveLegacyTablesChanged,
  haveRulesChanged,
  keepNetfilterAs,
  readNetfilter,
} from '../host/netfilter/netfilter.ts';
import { readProcesses } from '../host/processes.ts';
import type {
  DockerReading,
  KernelReading,
  LinksReading,
  LinksState,
  NetfilterReading,
  Outcome,
  ProcessesReading,
  Reading,
  SocketsReading,
  VitalsReading,
} from '../host/readings.ts';
import { readVitals } from '../host/vitals.ts';
import { HintFollower } from './hints.ts';
import { Poller, traced } from './poller.ts';
import { isOfLink, Quiet } from './quiet.ts';
import { SocketTableWatch } from './socket-table-watch.ts';

/** What is being looked at, as far as it decides how often to read. */
export interface Attention {
  rates: boolean;
  counters: boolean;
}

/** What the sources need and tell. */
export interface HostSourcesOptions {
  host: Host;
  /** Docker as last read: says which ports somebody waits for. */
  docker(): DockerReading | undefined;
  /** Called after every reading; `changed` is false when it only confirmed what was known. */
  onReading(changed: boolean): void;
  /** Called after the links were read, whatever came of it. */
  onLinks(): void;
}

const everyMs = { links: 40_000, netfilter: 30_000, sockets: 2000, kernel: 10_000, processes: 30_000, vitals: 60_000 };
/** Where a monitor would have told of any change, told of none, and the last timed look confirmed that there was none. */
const quietMs = { links: 180_000, netfilter: 180_000 };
/** Where the last look found every process to be what it was: sockets tell of most that change. */
const sameProcessesMs = 300_000;
/** Without `ip monitor`. */
const unaidedLinksMs = 10_000;
/** The budget has rates every two to three seconds: with 200 containers something moves all the time, and each time is a frame. */
const ratesMs = 3000;
/** To start a process takes milliseconds of the time that the first screen waits for: those that go on running come after it. */
const followAfterMs = 1000;
const countersMs = 5000;
const timeoutMs = 20_000;

/** The sources. */
export class HostSources {
  readonly #options: HostSourcesOptions;
  readonly #links: Poller<LinksReading>;
  readonly #sockets: Poller<SocketsReading>;
  readonly #netfilter: Poller<NetfilterReading>;
  readonly #kernel: Poller<KernelReading>;
  readonly #processes: Poller<ProcessesReading>;
  readonly #vitals: Poller<VitalsReading>;
  readonly #linkHints: HintFollower;
  readonly #ruleHints: HintFollower;
  #attention: Attention = { rates: false, counters: false };
  #rates: NodeJS.Timeout | undefined;
  #followTimer: NodeJS.Timeout | undefined;
  /** When the counters were read apart from the links, and whether they had moved. */
  #trafficAt = -Infinity;
  #moved = false;
  #traffic: LinksReading['traffic'] | undefined;
  /** When the routes were read last whatever the links said. */
  #routesAt = -Infinity;
  readonly #linksQuiet = new Quiet();
  readonly #rulesQuiet = new Quiet();
  #sameProcesses = false;
  /** Sockets are told together with the processes that own them, or a listener would have nobody's name for a moment. */
  #socketsTold: Reading<SocketsReading> = { state: 'pending' };
  readonly #tables: SocketTableWatch;
  #linksSeen: LinksReading['links'] | undefined;
  #stopped = false;

  constructor(options: HostSourcesOptions) {
    this.#options = options;
    const { host } = options;
    const part = { now: () => host.now(), timeoutMs, hintGapMs: 1000 };
    const onReading = (_: unknown, changed: boolean) => options.onReading(changed);
    this.#links = new Poller({
      ...part,
      hintGapMs: 500,
      read: traced(host, 'links', previous => this.#readLinks(previous)),
      everyMs: () => this.#linksEveryMs(),
      onReading: ({ value, state }, changed) => {
        this.#linksQuiet.read(changed || state !== 'ok');
        if (changed) this.#kernel.hint(200);
        if (changed) this.#rulesAfter(value?.links);
        options.onReading(changed);
        options.onLinks();
      },
    });
    this.#tables = new SocketTableWatch(host, () => options.docker());
    this.#sockets = new Poller({
      ...part,
      hintGapMs: 300,
      read: traced(host, 'sockets', () => this.#tables.read(this.#sockets.reading)),
      everyMs: () => everyMs.sockets,
      onReading: (reading, changed) => {
        if (changed) void this.#tellSockets();
        else {
          this.#socketsTold = reading;
          options.onReading(false);
        }
      },
    });
    this.#netfilter = new Poller({
      ...part,
      read: traced(host, 'netfilter', () => {
        this.#rulesQuiet.begin();
        return readNetfilter(host);
      }),
      everyMs: () => this.#rulesEveryMs(),
      onKept: (value, kept) => keepNetfilterAs(host, value, kept),
      onReading: ({ state }, changed) => {
        this.#rulesQuiet.read(state !== 'ok' || haveRulesChanged(host));
        options.onReading(changed);
      },
    });
    this.#kernel = new Poller({
      ...part,
      read: traced(host, 'kernel', () => readKernel(host, this.#routedInterfaces())),
      everyMs: () => everyMs.kernel,
      onReading: (_, changed) => {
        void haveLegacyTablesChanged(host).then(isNew => isNew && this.#hintRules(0));
        options.onReading(changed);
      },
    });
    this.#processes = new Poller({
      ...part,
      read: traced(host, 'processes', previous => readProcesses(host, { previous, pids: this.#socketOwners() })),
      everyMs: () => (this.#sameProcesses ? sameProcessesMs : everyMs.processes),
      onReading: ({ state }, changed) => {
        this.#sameProcesses = state === 'ok' && !changed;
        options.onReading(changed);
      },
    });
    this.#vitals = new Poller({
      ...part,
      read: traced(host, 'vitals', () => readVitals(host)),
      everyMs: () => everyMs.vitals,
      onReading,
    });
    this.#linkHints = new HintFollower(
      host,
      'ip',
      ['monitor', 'link', 'address', 'route', 'rule'],
      line => this.#linkHint(line),
      () => this.#links.reschedule(),
    );
    // nft crashes on tables that a newer one wrote; the dump every 30 s goes on without these hints.
    this.#ruleHints = new HintFollower(
      host,
      'nft',
      ['monitor'],
      () => this.#hintRules(250),
      () => this.#netfilter.reschedule(),
    );
  }

  /** The readings as they stand. */
  get readings() {
    return {
      links: this.#linksNow(),
      sockets: this.#socketsTold,
      netfilter: this.#netfilter.reading,
      kernel: this.#kernel.reading,
      processes: this.#processes.reading,
      vitals: this.#vitals.reading,
    };
  }

  /** Whether something has changed, as far as one was told, that links or rules do not show yet. */
  get isOutdated(): boolean {
    return this.#links.isOutdated || this.#netfilter.isOutdated;
  }

  /** Begins; resolves when every source has answered or failed. */
  async start(hints: boolean): Promise<void> {
    if (hints) this.#followTimer = setTimeout(() => this.#follow(), followAfterMs);
    await this.refresh();
  }

  /** Begins to be told of changes, and reads once more what may have changed before. */
  #follow(): void {
    this.#linkHints.start();
    this.#ruleHints.start();
    this.#hintLinks(followAfterMs);
    this.#hintRules(followAfterMs);
  }

  #hintLinks(delayMs: number): void {
    this.#linksQuiet.stir();
    this.#links.hint(delayMs);
  }

  #hintRules(delayMs: number): void {
    this.#rulesQuiet.stir();
    this.#netfilter.hint(delayMs);
  }

  /** A line of `ip monitor`. Routes may change all the time: they are read no sooner for it than they would have been without a monitor. */
  #linkHint(line: string): void {
    if (isOfLink(line)) this.#hintLinks(200);
    else if (this.#linksQuiet.stir()) this.#links.reschedule();
  }

  /** With a monitor that works, less often while it says nothing. */
  #linksEveryMs(): number {
    if (!this.#linkHints.works) return unaidedLinksMs;
    return this.#linksQuiet.is ? quietMs.links : everyMs.links;
  }

  /** The same for the rules, where what they are made of is all told of. */
  #rulesEveryMs(): number {
    if (this.#attention.counters) return countersMs;
    const isTold = this.#ruleHints.works && areRulesTold(this.#options.host);
    return isTold && this.#rulesQuiet.is ? quietMs.netfilter : everyMs.netfilter;
  }

  /** Reads rules again where there are other links now: rules of before and links of after, put together, make up what never was. */
  #rulesAfter(links: LinksReading['links'] | undefined): void {
    const before = this.#linksSeen;
    this.#linksSeen = links;
    if (before && before !== links) this.#hintRules(250);
  }

  /** Reads all of them now. */
  async refresh(): Promise<void> {
    this.#linksQuiet.stir();
    this.#rulesQuiet.stir();
    this.#routesAt = -Infinity;
    const links = this.#links.poke().then(() => this.#kernel.poke());
    this.#tables.ask();
    const sockets = this.#sockets.poke().then(() => this.#tellSockets());
    await Promise.all([links, sockets, this.#netfilter.poke(), this.#vitals.poke()]);
  }

  /**
   * A container or network changed: links, rules and sockets follow. Not at once: what Docker itself says of it is to be on
   * screen first, and what ends something is mostly followed by more.
   * @param begins something has been started or attached
   */
  dockerChanged(begins: boolean): void {
    this.#tables.ask();
    this.#hintLinks(begins ? 150 : 400);
    this.#sockets.hint(begins ? 200 : 450);
    this.#hintRules(begins ? 450 : 700);
  }

  /** What is looked at. */
  attend(attention: Attention): void {
    const before = this.#attention;
    this.#attention = attention;
    if (attention.counters !== before.counters) {
      if (attention.counters) this.#hintRules(0);
      this.#netfilter.reschedule();
    }
    if (attention.rates === before.rates) return;
    clearInterval(this.#rates);
    if (attention.rates && !this.#stopped) this.#rates = setInterval(() => this.#readRates(), ratesMs);
  }

  /** Ends all of them. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearInterval(this.#rates);
    clearTimeout(this.#followTimer);
    for (const poller of [this.#links, this.#sockets, this.#netfilter, this.#kernel, this.#processes, this.#vitals]) {
      poller.stop();
    }
    await Promise.all([this.#linkHints.stop(), this.#ruleHints.stop()]);
  }

  /** Reads the sockets anew where containers wait for ports that nobody knew of when they were first read. */
  async holdersOfWanted(): Promise<void> {
    if (!this.#tables.wantsOthers(this.#sockets.reading.value)) return;
    await this.#sockets.poke();
    await this.#tellSockets();
  }

  async #tellSockets(): Promise<void> {
    const { reading } = this.#sockets;
    await this.#processes.poke();
    if (this.#stopped) return;
    this.#socketsTold = reading;
    this.#options.onReading(true);
  }

  /** Routes are read with the links where those say that they may have changed, and now and then in any case. */
  #readLinks(previous: LinksReading | undefined): Promise<Outcome<LinksReading>> {
    const now = performance.now();
    const every = this.#linkHints.works ? everyMs.links : unaidedLinksMs;
    this.#linksQuiet.begin();
    const isFresh = now - this.#routesAt < every - 1000 && this.#links.reading.state === 'ok';
    if (!isFresh) this.#routesAt = now;
    return readLinks(this.#options.host, isFresh ? previous : undefined);
  }

  #readRates(): void {
    const { host } = this.#options;
    const { value, state } = this.#links.reading;
    if (!value || state === 'failed') return;
    let traffic: LinksReading['traffic'];
    try {
      traffic = readTraffic(host);
    } catch {
      // The next reading of the links says why.
      return;
    }
    this.#trafficAt = host.now();
    // The very counters of the last look have been compared.
    const moved = traffic !== this.#traffic && this.#links.amend({ ...value, traffic });
    this.#traffic = traffic;
    // Counters that have come to rest are news too: the rates are 0 now.
    this.#options.onReading(moved || this.#moved);
    this.#moved = moved;
  }

  /** The links; their time is not that of the counters, which say nothing of what links there are. */
  #linksNow(): LinksState {
    const { reading } = this.#links;
    const isNewer = this.#trafficAt > (reading.at ?? Infinity);
    return isNewer ? { ...reading, trafficAt: this.#trafficAt } : reading;
  }

  #socketOwners(): number[] {
    const { listeners = [], holding = [] } = this.#sockets.reading.value ?? {};
    return [...new Set([...listeners, ...holding].flatMap(({ processes = [] }) => processes.map(({ pid }) => pid)))];
  }

  /** Interfaces that route: what is a port of a bridge does not, as the veths of containers, and its settings decide nothing. */
  #routedInterfaces(): string[] {
    return (this.#links.reading.value?.links ?? [])
      .filter(({ master }) => master === undefined)
      .map(({ name }) => name);
  }
}
