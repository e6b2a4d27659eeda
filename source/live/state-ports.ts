/** The ports that each daemon's containers had last, and the changes seen, kept between runs of netdash. */
import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import * as v from 'valibot';
import { LedgerSchema, openLedger, type Ledger } from '../facts/port-changes.ts';
import { PortChangeSchema, type PortChange } from '../facts/schema.ts';
import { StateFile, type StateFormat } from './state-file.ts';

/** How many changes are kept. */
export const mostPortChanges = 200;
/** Two netdash see one change at slightly different times. */
const sameChangeMs = 30_000;
/** A change is followed by others; they are written together. */
const writeDelayMs = 500;
/** What could not be written is tried again after this long: a disk gets room, a lock that was left gets old. */
const retryMs = 10_000;

const StateSchema = v.object({
  netdashState: v.literal(1),
  daemonId: v.string(),
  ledger: LedgerSchema,
  portChanges: v.array(PortChangeSchema),
});
type State = v.InferOutput<typeof StateSchema>;

/** What was known when netdash ran last. */
export interface KeptPorts {
  ledger: Ledger | undefined;
  portChanges: PortChange[];
}

const changeKey = ({ containerId, proto, containerPort, from, to }: PortChange): string =>
  JSON.stringify([containerId, proto, containerPort, from, to]);

/** Both lists as one, newest first: a change that both saw is there once, with its time of first sight and the cause that one of them knew. */
export function mergeChanges(own: readonly PortChange[], other: readonly PortChange[]): PortChange[] {
  const merged: PortChange[] = [];
  const latest = new Map<string, PortChange>();
  const all = [...own, ...other].sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0));
  for (const change of all) {
    const key = changeKey(change);
    const before = latest.get(key);
    if (before && Date.parse(change.at) - Date.parse(before.at) < sameChangeMs) {
      if (before.cause === 'unknown' || before.cause === 'while-away') before.cause = change.cause;
      continue;
    }
    const kept = { ...change };
    latest.set(key, kept);
    merged.push(kept);
  }
  return merged.toReversed().slice(0, mostPortChanges);
}

/** The state file of one daemon. */
export const portStateFormat: StateFormat<State> = {
  parse(json) {
    const result = v.safeParse(StateSchema, json);
    if (result.success) return result.output;
    const version = v.safeParse(v.object({ netdashState: v.number() }), json);
    throw new Error(
      version.success && version.output.netdashState !== 1 ? 'another version of netdash wrote it' : 'it is damaged',
    );
  },
  merge(own, other) {
    const containers = { ...other.ledger.containers };
    for (const [id, entry] of Object.entries(own.ledger.containers)) {
      const theirs = containers[id];
      if (!theirs || theirs.inspectedAt <= entry.inspectedAt || theirs.away) containers[id] = entry;
    }
    return {
      ...own,
      ledger: { ...own.ledger, containers },
      portChanges: mergeChanges(own.portChanges, other.portChanges),
    };
  },
};

/**
 * A local file is read within milliseconds, one on a network file system that lives within tens of them: so many rounds of so long are waited, each of which ends
 * with an answer of the kernel itself, or a busy machine, on which Node's own threads come late, would be taken for a file system that hangs.
 */
const patience = { rounds: 10, roundMs: 100, longestMs: 15_000 };
const silent = Symbol('no answer');

/** Resolves when a file system that lives would have answered. */
async function outOfPatience(): Promise<typeof silent> {
  const tooLong = sleep(patience.longestMs, undefined, { ref: false });
  for (let round = 0; round < patience.rounds; round += 1) {
    await sleep(patience.roundMs, undefined, { ref: false });
    // Asked by the same threads. Where all of them hang, not even this is answered.
    await Promise.race([stat('/proc/self'), tooLong]).catch(() => undefined);
  }
  return silent;
}

/** Keeps the ports of one daemon. */
export class PortState {
  /** What went wrong last, in one line; undefined when all is well. */
  problem: string | undefined;
  readonly #file: StateFile<State>;
  readonly #daemonId: string;
  readonly #onProblem: () => void;
  #value: State | undefined;
  #written: State | undefined;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;
  readonly #retryMs: number;
  readonly #once: boolean;
  #saving: Promise<void> = Promise.resolve();

  /**
   * @param folder as `stateFolder` gives it
   * @param onProblem called when `problem` has changed
   * @param retry ms until what could not be written is tried again
   * @param once a problem stays although the file was mended since: whoever looks once is to be told of it
   */
  constructor(folder: string, daemonId: string, onProblem: () => void, retry = retryMs, once = false) {
    const hash = createHash('sha256').update(daemonId).digest('hex').slice(0, 16);
    this.#file = new StateFile(folder, `ports-${hash}.json`, portStateFormat);
    this.#daemonId = daemonId;
    this.#onProblem = onProblem;
    this.#retryMs = retry;
    this.#once = once;
  }

  /**
   * What the last run left; never throws: `problem` says why there is nothing. Of a file system that does not answer (a dead
   * NFS server, a hung mount) it is not waited for: everything else would wait with it.
   */
  async load(): Promise<KeptPorts> {
    const reading = this.#file.load();
    // Nothing is written before: each operation there would take one of the few threads that Node has for files.
    this.#saving = reading.then(
      () => undefined,
      () => undefined,
    );
    try {
      const state = await Promise.race([reading, outOfPatience()]);
      if (state === silent) throw new Error(`${this.#file.path} cannot be read: the file system does not answer`);
      if (!state) return { ledger: undefined, portChanges: [] };
      if (state.daemonId !== this.#daemonId) throw new Error(`${this.#file.path} is ignored: it is another daemon's`);
      this.#written = state;
      return { ledger: openLedger(state.ledger), portChanges: state.portChanges };
    } catch (error) {
      this.#report(error instanceof Error ? error.message : String(error));
      return { ledger: undefined, portChanges: [] };
    }
  }

  /** Says what is to be kept; written a moment later. Passing the same objects again costs nothing. */
  update({ ledger, portChanges }: { ledger: Ledger; portChanges: PortChange[] }): void {
    if (this.#value?.ledger === ledger && this.#value.portChanges === portChanges) return;
    this.#value = { netdashState: 1, daemonId: this.#daemonId, ledger, portChanges };
    this.#timer ??= setTimeout(() => this.#write(), writeDelayMs);
  }

  /** Writes what is not written yet. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#write();
    await this.#saving;
  }

  #write(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const value = this.#value;
    if (!value || value === this.#written) return;
    this.#written = value;
    this.#saving = this.#saving.then(() =>
      this.#file.save(value).then(
        () => {
          if (!this.#once) this.#report(undefined);
        },
        (error: unknown) => {
          this.#written = undefined;
          this.#report(error instanceof Error ? error.message : String(error));
          if (!this.#stopped) this.#timer ??= setTimeout(() => this.#write(), this.#retryMs);
        },
      ),
    );
  }

  #report(problem: string | undefined): void {
    if (problem === this.problem) return;
    this.problem = problem;
    this.#onProblem();
  }
}
