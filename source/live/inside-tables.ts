/** When the socket tables inside a container are read: the kernel walks a hash of the whole machine at each read, so not while nothing speaks for a change. */
import type { Host } from '../host/host.ts';
import { isEmbeddedDns } from '../host/inside.ts';
import type { SocketReading } from '../host/readings.ts';
import { isProvable, readConnections, type Connections } from '../host/socket-proof.ts';
import { readSocketCounts } from '../host/socket-tables.ts';

/** While the number of its sockets stays, a container's tables are read this often, and those of all of them no more often than `apart` apart. */
const sameMs = { each: 120_000, apart: 5000 };
/** The same where nothing but its listeners can have changed, and each of those was seen still to be what it was: a walk can tell nothing new then. */
const provenMs = { each: 1_800_000, apart: 60_000 };

const pauseOf = ({ each, apart }: typeof sameMs, containers: number): number => Math.max(each, containers * apart);

/**
 * The share of a pause after which something is read in turn again.
 * @param isRegular it was due; else any time may come next, so that containers that start together do not stay together
 */
export const share = (isRegular: boolean): number => (isRegular ? 0.75 + Math.random() / 2 : Math.random());

/** The tables of one container, of which every look into it begins and ends here. */
export class InsideTables {
  readonly #host: Host;
  readonly #pid: number;
  /** How many sockets there were when they were read. Times are on the clock of performance.now(). */
  #counts: string | undefined;
  /** When they are read next though there are as many; and though nothing can have changed. */
  #dueAt = -Infinity;
  #provenUntil = -Infinity;
  /** The connections of then, where those and listeners that can be looked at were all sockets there were. */
  #proof: string | undefined;
  /** The sockets at the beginning of this look, where they may come to be proven by it. */
  #seen: { counts: string | undefined; connections: Connections | undefined } | undefined;

  /** @param pid of the container's first process */
  constructor(host: Host, pid: number) {
    this.#host = host;
    this.#pid = pid;
  }

  /**
   * Begins a look.
   * @param mayKeep nobody asks for more than that nothing has changed
   * @param isEarly it is one of the first, which find out who has the listeners open
   * @param containers how many are looked into
   * @returns whether its listeners count as the ones of before, without a read of the tables, if they are still open
   */
  begin(mayKeep: boolean, isEarly: boolean, containers: number): boolean {
    const now = performance.now();
    const counts = readSocketCounts(this.#host, this.#pid, false);
    const isSame = mayKeep && counts !== undefined && counts === this.#counts;
    const isKept = isSame && (now < this.#dueAt || this.#isProven(now, containers));
    // Before the tables: what changes while they are read shows at the next look.
    this.#seen = isKept && !isEarly ? undefined : { counts, connections: readConnections(this.#host, this.#pid) };
    if (isKept) return true;
    this.#counts = counts;
    this.#proof = undefined;
    this.#plan(now, containers, isSame);
    this.#provenUntil = now + pauseOf(provenMs, containers) * share(isSame);
    return false;
  }

  /** Ends a look. @param listeners that it found; undefined where it could not read all */
  end(listeners: readonly SocketReading[] | undefined): void {
    const { counts, connections } = this.#seen ?? {};
    const canBeLookedAt = listeners?.every(socket => isEmbeddedDns(socket) || socket.processes?.length);
    if (!canBeLookedAt) this.#proof = undefined;
    else if (connections && isProvable(counts, connections, listeners!, isEmbeddedDns)) this.#proof = connections.text;
    this.#seen = undefined;
  }

  /** They are to be read with the next look. */
  ask(): void {
    this.#dueAt = -Infinity;
    this.#proof = undefined;
  }

  /** Whether its listeners are all that can have changed since. */
  #isProven(now: number, containers: number): boolean {
    if (this.#proof === undefined || now >= this.#provenUntil) return false;
    if (readConnections(this.#host, this.#pid)?.text !== this.#proof) return false;
    this.#plan(now, containers, true);
    return true;
  }

  #plan(now: number, containers: number, isRegular: boolean): void {
    this.#dueAt = now + pauseOf(sameMs, containers) * share(isRegular);
  }
}
