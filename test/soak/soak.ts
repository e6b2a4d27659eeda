/** A long time on a busy host: what netdash says at the end, and what it has cost by then. */
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { NetdashEvent, Snapshot } from '../../source/facts/schema.ts';
import { takeSnapshot } from '../e2e/netdash.ts';
import type { Lab } from '../lab/lab.ts';
import { text, told } from '../live/told-changes.ts';
import { Random } from '../oracle/random.ts';
import type { Cost } from './agent.ts';
import { Churn } from './churn.ts';
import { differences } from './compare.ts';

export interface SoakOptions {
  /** How long things go on. */
  seconds: number;
  containers: number;
  seed: number;
  /** How often dockerd is restarted meanwhile. */
  daemonRestarts: number;
  report: (line: string) => void;
}

/** What came of it. The lists are empty when all is right. */
export interface SoakResult {
  /** Changes that Docker's answers show and netdash did not tell, as lines. */
  missed: string[];
  /** Changes that netdash told and Docker's answers do not show, or told twice. */
  invented: string[];
  /** Statements in which the snapshot at the end differs from one freshly taken. */
  differences: string[];
  changes: number;
  acts: Record<string, number>;
  /** Once things had settled at the start, and at the end. */
  before: Cost;
  after: Cost;
  /** What it cost all along. */
  costs: Cost[];
}

type Answer = { event?: NetdashEvent; ready?: true; snapshot?: Snapshot; cost?: Cost };

const agent = join(dirname(fileURLToPath(import.meta.url)), 'agent.ts');
const root = join(dirname(agent), '..', '..');
const actEveryMs = 1000;
const costEveryMs = 15_000;
const reportEveryMs = 60_000;
/** Until what has just been started is known. */
const settleMs = 25_000;
/** What a finding may take at the end that wants to see a thing twice (docs/findings.md), once nothing happens any more. */
const calmMs = 60_000;
const patienceMs = 120_000;

/** A cost in words. */
export const costText = ({ heapBytes, residentBytes, openFiles }: Cost): string =>
  `heap ${(heapBytes / 1e6).toFixed(1)} MB, resident ${(residentBytes / 1e6).toFixed(0)} MB, ${openFiles} open files`;

/** The agent as a thing that is asked. */
class Agent {
  readonly events: NetdashEvent[] = [];
  complaint = '';
  readonly #waiting: ((answer: Answer) => void)[] = [];
  readonly #program: Awaited<ReturnType<Lab['spawnInHost']>>;

  private constructor(program: Awaited<ReturnType<Lab['spawnInHost']>>) {
    this.#program = program;
    program.child.stderr?.setEncoding('utf8').on('data', (chunk: string) => (this.complaint += chunk));
    createInterface({ input: program.child.stdout! }).on('line', line => {
      const answer = JSON.parse(line) as Answer;
      if (answer.event) this.events.push(answer.event);
      else this.#waiting.shift()?.(answer);
    });
  }

  static async start(lab: Lab): Promise<Agent> {
    const command = [process.execPath, '--expose-gc', '--import', 'tsx', agent];
    const started = new Agent(await lab.spawnInHost(command, { cwd: root, env: { NODE_ENV: 'production' } }));
    await started.#answer();
    return started;
  }

  /** @throws when it does not answer */
  async #answer(): Promise<Answer> {
    const patience = new AbortController();
    const late = sleep(patienceMs, undefined, { signal: patience.signal }).then(() => {
      throw new Error(`netdash does not answer: ${this.complaint}`);
    });
    try {
      return await Promise.race([new Promise<Answer>(resolve => this.#waiting.push(resolve)), late]);
    } finally {
      patience.abort();
      late.catch(() => undefined);
    }
  }

  async ask(request: 'snapshot' | 'cost'): Promise<Answer> {
    this.#program.child.stdin!.write(`${request}\n`);
    return this.#answer();
  }

  async end(): Promise<void> {
    this.#program.child.stdin!.end();
    await this.#program.exited;
  }
}

/** What stands in the first list more often than in the second. */
function without(lines: readonly string[], others: readonly string[]): string[] {
  const left = new Map<string, number>();
  for (const line of others) left.set(line, (left.get(line) ?? 0) + 1);
  return lines.filter(line => {
    const count = left.get(line) ?? 0;
    left.set(line, count - 1);
    return count <= 0;
  });
}

/** Lets things go on for a while on a lab that holds nothing else. */
export async function soak(lab: Lab, options: SoakOptions): Promise<SoakResult> {
  const { seconds, containers, seed, daemonRestarts, report } = options;
  const churn = await Churn.populate(lab, containers, new Random(seed));
  report(`${containers} containers run`);
  // What is compared with at the end: better to learn now than in an hour that it cannot be had.
  await takeSnapshot(lab);
  const program = await Agent.start(lab);
  const costNow = async (): Promise<Cost> => (await program.ask('cost')).cost!;
  await sleep(settleMs);
  const before = await costNow();
  const costs: Cost[] = [];
  const startedAt = performance.now();
  const elapsed = (): number => performance.now() - startedAt;
  let costAt = 0;
  let reportAt = 0;
  let restarted = 0;
  for (let turn = 1; elapsed() < seconds * 1000; turn += 1) {
    if (elapsed() > ((restarted + 1) * seconds * 1000) / (daemonRestarts + 1) && restarted < daemonRestarts) {
      restarted += 1;
      await churn.restartDaemon();
      report(`${Math.round(elapsed() / 1000)} s: dockerd was restarted`);
    }
    await churn.act();
    if (elapsed() - costAt > costEveryMs) {
      costAt = elapsed();
      const cost = await costNow();
      costs.push(cost);
      if (elapsed() >= reportAt) {
        reportAt += reportEveryMs;
        const acts = Object.values(churn.acts).reduce((sum, count) => sum + count, 0);
        report(
          `${Math.round(costAt / 1000)} of ${seconds} s: ${acts} acts, ${churn.changes.length} ports changed, ${program.events.length} events, ${costText(cost)}`,
        );
      }
    }
    await sleep(Math.max(0, turn * actEveryMs - elapsed()));
  }
  await sleep(calmMs);
  const kept = (await program.ask('snapshot')).snapshot!;
  const fresh = await takeSnapshot(lab);
  const after = await costNow();
  await program.end();
  await churn.end();
  const recorded = text(told(program));
  const made = text(churn.changes);
  return {
    missed: without(made, recorded),
    invented: without(recorded, made),
    differences: differences(kept, fresh),
    changes: made.length,
    acts: churn.acts,
    before,
    after,
    costs,
  };
}
