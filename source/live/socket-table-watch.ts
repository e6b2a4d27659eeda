/** When the socket tables of the host are read: the kernel walks for milliseconds at each read, so not while nothing speaks for a change. */
import type { Host } from '../host/host.ts';
import type { DockerReading, Outcome, Reading, SocketReading, SocketsReading } from '../host/readings.ts';
import { isProvable, readConnections, stillOpen } from '../host/socket-proof.ts';
import { readSocketCounts } from '../host/socket-tables.ts';
import { readSockets } from '../host/sockets.ts';

/** While the numbers of sockets stay, their tables are read this often: one that took another's place leaves them alone. */
const sameCountsMs = 10_000;
/** The same where each socket was seen still to be what it was. */
const provenMs = 60_000;
/**
 * The listeners of docker-proxies take turns to be looked at, a part each time: Docker tells of what it does with them, and one that ends
 * of itself makes them fewer.
 */
const proxyTurns = 4;

/** How the tables were read last. */
interface TablesRead {
  counts: string;
  wanted: string;
  /** When, on the clock of performance.now(); and when they were last seen to be the same. */
  at: number;
  seenAt: number;
  /** The connections of then, where those and the listeners are all sockets there were. */
  connections?: string;
}

const isProxys = ({ processes = [] }: SocketReading): boolean => processes.every(({ name }) => name === 'docker-proxy');

/** The tables of the netns that netdash runs in. */
export class SocketTableWatch {
  readonly #host: Host;
  readonly #docker: () => DockerReading | undefined;
  #last: TablesRead = { counts: '', wanted: '', at: -Infinity, seenAt: -Infinity };
  #isAsked = true;
  #turn = 0;
  /** What `wantedPorts` said last, and of what. */
  #wanted: { of: readonly [unknown, unknown]; ports: ReadonlySet<number> } = { of: [0, 0], ports: new Set() };

  /** @param docker as last read: says which ports somebody waits for */
  constructor(host: Host, docker: () => DockerReading | undefined) {
    this.#host = host;
    this.#docker = docker;
  }

  /** The tables are to be read the next time, whatever the counts say. */
  ask(): void {
    this.#isAsked = true;
  }

  /** Whether containers wait for other ports than when the tables were read. */
  wantsOthers(sockets: SocketsReading | undefined): boolean {
    return [...this.#wantedPorts(sockets)].join(' ') !== this.#last.wanted;
  }

  /** The tables, or the value of `reading` while nothing speaks for a change. @throws HostError as `readSockets` does */
  async read({ value: previous, state, reason }: Reading<SocketsReading>): Promise<Outcome<SocketsReading>> {
    const host = this.#host;
    const ports = this.#wantedPorts(previous);
    // Before the tables: what changes while they are read shows at the next look.
    const counts = readSocketCounts(host, 'self', ports.size > 0);
    const wanted = [...ports].join(' ');
    const isSame = counts === this.#last.counts && wanted === this.#last.wanted && !this.#isAsked;
    if (previous && state !== 'failed' && isSame && this.#holds(previous)) return { value: previous, missing: reason };
    const now = performance.now();
    // Those of which it was proven so far have taken turns to be looked at, and go on to.
    const tookTurns = isSame && this.#last.connections !== undefined && now - this.#last.at >= provenMs;
    const connections = readConnections(host, 'self');
    const last: TablesRead = { counts: counts ?? 'unknown', wanted, at: now, seenAt: now };
    this.#last = last;
    this.#isAsked = false;
    const due = tookTurns && previous ? new Set(this.#nextTurn(previous.listeners)) : undefined;
    const seen = due && ((listener: SocketReading) => !due.has(listener));
    const outcome = await readSockets(host, { previous, wanted: ports, ...(seen && { seen }) });
    const isWhole = outcome.missing === undefined && ports.size === 0;
    if (connections && isWhole && isProvable(counts, connections, outcome.value.listeners))
      last.connections = connections.text;
    return outcome;
  }

  /** Whether the listeners, of which there are as many as before, count as the same. */
  #holds({ listeners }: SocketsReading): boolean {
    const now = performance.now();
    const { at, seenAt, connections } = this.#last;
    if (now - seenAt < sameCountsMs) return true;
    if (connections === undefined || now - at >= provenMs) return false;
    if (readConnections(this.#host, 'self')?.text !== connections) return false;
    if (!stillOpen(this.#host, this.#nextTurn(listeners))) return false;
    this.#last.seenAt = now;
    return true;
  }

  /** The listeners that are looked at this time. */
  #nextTurn(listeners: readonly SocketReading[]): SocketReading[] {
    this.#turn = (this.#turn + 1) % proxyTurns;
    return listeners.filter((listener, index) => index % proxyTurns === this.#turn || !isProxys(listener));
  }

  #wantedPorts(sockets: SocketsReading | undefined): ReadonlySet<number> {
    const { containers = none } = this.#docker() ?? {};
    const { listeners = none } = sockets ?? {};
    const [ofContainers, ofListeners] = this.#wanted.of;
    if (ofContainers !== containers || ofListeners !== listeners)
      this.#wanted = { of: [containers, listeners], ports: wantedPorts(containers, listeners) };
    return this.#wanted.ports;
  }
}

const none: [] = [];

/**
 * Ports that a container which does not run asks for. Those that a listener holds are left out: the listener explains
 * them, and every connection that it has accepted would be another socket on that port.
 */
function wantedPorts(
  containers: DockerReading['containers'],
  listeners: SocketsReading['listeners'],
): ReadonlySet<number> {
  const wanted = new Set<number>();
  for (const { pid, requestedPorts } of containers) {
    if (pid > 0) continue;
    for (const { hostPort } of requestedPorts) {
      const [from, to = from] = hostPort.split('-').map(Number);
      if (!from || !to || to - from > 1000) continue;
      for (let port = from; port <= to; port += 1) wanted.add(port);
    }
  }
  for (const { proto, port } of listeners) if (proto === 'tcp') wanted.delete(port);
  return wanted;
}
