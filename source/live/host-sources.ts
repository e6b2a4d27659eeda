/** The sources of this machine (all but Docker and the insides of containers), each polled as often as its facts need. */
import type { Host } from '../host/host.ts';
import { readKernel } from '../host/kernel.ts';
import { readLinks, readTraffic } from '../host/links.ts';
import { keepNetfilterAs, readNetfilter } from '../host/netfilter/netfilter.ts';
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
import { readSocketCounts } from '../host/socket-tables.ts';
import { readSockets } from '../host/sockets.ts';
import { readVitals } from '../host/vitals.ts';
import { HintFollower } from './hints.ts';
import { Poller, traced } from './poller.ts';

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
/** Without `ip monitor`. */
const unaidedLinksMs = 10_000;
/** The budget has rates every two to three seconds: with 200 containers something moves all the time, and each time is a frame. */
const ratesMs = 3000;
/** To start a process takes milliseconds of the time that the first screen waits for: those that go on running come after it. */
const followAfterMs = 1000;
const countersMs = 5000;
/** While the numbers of sockets stay, their tables are read this often: one that took another's place leaves them alone. */
const sameCountsMs = 10_000;
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
  /** When the routes were read last whatever the links said. */
  #routesAt = -Infinity;
  /** Sockets are told together with the processes that own them, or a listener would have nobody's name for a moment. */
  #socketsTold: Reading<SocketsReading> = { state: 'pending' };
  /** How the tables were read last, and whether they are to be read whatever the counts say. */
  #tables = { counts: '', wanted: '', at: -Infinity, asked: true };
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
      everyMs: () => (this.#linkHints.works ? everyMs.links : unaidedLinksMs),
      onReading: ({ value }, changed) => {
        if (changed) this.#kernel.hint(200);
        if (changed) this.#rulesAfter(value?.links);
        options.onReading(changed);
        options.onLinks();
      },
    });
    this.#sockets = new Poller({
      ...part,
      hintGapMs: 300,
      read: traced(host, 'sockets', previous => this.#readSockets(previous)),
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
      read: traced(host, 'netfilter', () => readNetfilter(host)),
      everyMs: () => (this.#attention.counters ? countersMs : everyMs.netfilter),
      onKept: (value, kept) => keepNetfilterAs(host, value, kept),
      onReading,
    });
    this.#kernel = new Poller({
      ...part,
      read: traced(host, 'kernel', () => readKernel(host, this.#routedInterfaces())),
      everyMs: () => everyMs.kernel,
      onReading,
    });
    this.#processes = new Poller({
      ...part,
      read: traced(host, 'processes', previous => readProcesses(host, { previous, pids: this.#socketOwners() })),
      everyMs: () => everyMs.processes,
      onReading,
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
      ['monitor', 'link'],
      () => this.#links.hint(200),
      () => this.#links.reschedule(),
    );
    // nft crashes on tables that a newer one wrote; the dump every 30 s goes on without these hints.
    this.#ruleHints = new HintFollower(
      host,
      'nft',
      ['monitor'],
      () => this.#netfilter.hint(250),
      () => undefined,
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
    this.#links.hint(followAfterMs);
    this.#netfilter.hint(followAfterMs);
  }

  /** Reads rules again where there are other links now: rules of before and links of after, put together, make up what never was. */
  #rulesAfter(links: LinksReading['links'] | undefined): void {
    const before = this.#linksSeen;
    this.#linksSeen = links;
    if (before && before !== links) this.#netfilter.hint(250);
  }

  /** Reads all of them now. */
  async refresh(): Promise<void> {
    this.#routesAt = -Infinity;
    const links = this.#links.poke().then(() => this.#kernel.poke());
    this.#tables.asked = true;
    const sockets = this.#sockets.poke().then(() => this.#tellSockets());
    await Promise.all([links, sockets, this.#netfilter.poke(), this.#vitals.poke()]);
  }

  /**
   * A container or network changed: links, rules and sockets follow. Not at once: what Docker itself says of it is to be on
   * screen first, and what ends something is mostly followed by more.
   * @param begins something has been started or attached
   */
  dockerChanged(begins: boolean): void {
    this.#tables.asked = true;
    this.#links.hint(begins ? 150 : 400);
    this.#sockets.hint(begins ? 200 : 450);
    this.#netfilter.hint(begins ? 450 : 700);
  }

  /** What is looked at. */
  attend(attention: Attention): void {
    const before = this.#attention;
    this.#attention = attention;
    if (attention.counters !== before.counters) {
      if (attention.counters) this.#netfilter.hint(0);
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
    if ([...this.#wantedPorts(this.#sockets.reading.value)].join(' ') === this.#tables.wanted) return;
    await this.#sockets.poke();
    await this.#tellSockets();
  }

  /** The tables, or the previous reading while nothing speaks for a change. */
  async #readSockets(previous: SocketsReading | undefined): Promise<Outcome<SocketsReading>> {
    const { host } = this.#options;
    const { state, reason } = this.#sockets.reading;
    const ports = this.#wantedPorts(previous);
    // Before the tables: what changes while they are read shows at the next look.
    const counts = readSocketCounts(host, 'self', ports.size > 0);
    const wanted = [...ports].join(' ');
    const now = performance.now();
    const before = this.#tables;
    const isSame = counts === before.counts && wanted === before.wanted && now - before.at < sameCountsMs;
    if (previous && state !== 'failed' && isSame && !before.asked) return { value: previous, missing: reason };
    this.#tables = { counts: counts ?? 'unknown', wanted, at: now, asked: false };
    return readSockets(host, { previous, wanted: ports });
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
    const moved = this.#links.amend({ ...value, traffic });
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

  /**
   * Ports that a container which does not run asks for. Those that a listener holds are left out: the listener explains
   * them, and every connection that it has accepted would be another socket on that port.
   */
  #wantedPorts(sockets: SocketsReading | undefined): Set<number> {
    const wanted = new Set<number>();
    for (const { pid, requestedPorts } of this.#options.docker()?.containers ?? []) {
      if (pid > 0) continue;
      for (const { hostPort } of requestedPorts) {
        const [from, to = from] = hostPort.split('-').map(Number);
        if (!from || !to || to - from > 1000) continue;
        for (let port = from; port <= to; port += 1) wanted.add(port);
      }
    }
    for (const { proto, port } of sockets?.listeners ?? []) if (proto === 'tcp') wanted.delete(port);
    return wanted;
  }
}
