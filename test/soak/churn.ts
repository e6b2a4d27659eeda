/** What goes on at a busy host, in an order that a seed gives again; what it did to the ports is told by Docker itself. */
import { EngineError } from '../lab/engine.ts';
import { setTimeout as sleep } from 'node:timers/promises';
import { changes, changesBetween, publishedBy, type Published, type Told } from '../live/told-changes.ts';
import type { Lab } from '../lab/lab.ts';
import type { Random } from '../oracle/random.ts';

const bridges = ['app', 'data', 'edge'];
/** Comes first by name, so that Docker moves the published ports to it when a container joins. */
const first = 'aaa';
const prefix = 'soak-';
const startAtOnce = 3;
/** A container rests this long after something was done to it. */
const restMs = 3000;
/** A daemon with hundreds of containers takes minutes to start them again where other work goes on. */
const patienceMs = 900_000;

/** When no further container has come back for so long, dockerd has done what it will do. */
const standstillMs = 60_000;

/** The containers without a port. */
const awayIn = (published: Record<string, Published>): string[] =>
  Object.keys(published).filter(name => Object.values(published[name]!).every(side => side === ''));

const options = (index: number) =>
  ({ network: bridges[index % bridges.length]!, publish: ['80'], restart: 'always' }) as const;

/** The containers of a soak, and what may be done to them. */
export class Churn {
  /** Every change of a published port so far, as Docker's answers before and after show it. */
  readonly changes: Told[] = [];
  /** How often each act was done. */
  readonly acts: Record<string, number> = {};
  readonly #lab: Lab;
  readonly #random: Random;
  #names: readonly string[];
  readonly #restingUntil = new Map<string, number>();
  readonly #joined = new Set<string>();
  #rules = 0;
  #listeners: { close(): Promise<void> }[] = [];

  private constructor(lab: Lab, random: Random, names: readonly string[]) {
    this.#lab = lab;
    this.#random = random;
    this.#names = names;
  }

  /** Starts so many containers on three bridges, each with an ephemeral port. */
  static async populate(lab: Lab, containers: number, random: Random): Promise<Churn> {
    for (const bridge of [...bridges, first]) await lab.networkCreate(bridge);
    const names = Array.from({ length: containers }, (_, index) => `${prefix}${String(index).padStart(3, '0')}`);
    let next = 0;
    const start = async (): Promise<void> => {
      for (let index = next++; index < containers; index = next++) await lab.run(names[index]!, options(index));
    };
    await Promise.all(Array.from({ length: startAtOnce }, start));
    return new Churn(lab, random, names);
  }

  /** Does one thing, chosen at random. */
  async act(): Promise<void> {
    const dice = this.#random.below(100);
    if (dice < 60) return this.#moving('restart', 'restart', name => this.#lab.restart(name));
    if (dice < 70) {
      return this.#moving('stop and start', 'stop-start', async name => {
        await this.#lab.stop(name);
        await this.#lab.start(name);
      });
    }
    if (dice < 76) return this.#moving('recreate', 'recreate', name => this.#recreate(name));
    if (dice < 88) return this.#moving('network', 'network-change', name => this.#joinOrLeave(name));
    if (dice < 92) return this.#pause();
    if (dice < 96) return this.#rule();
    return this.#listener();
  }

  /** Restarts dockerd; resolves when every container runs again with its port. */
  async restartDaemon(): Promise<void> {
    this.#count('dockerd restart');
    // Of what changed the moment before nobody can have asked when the daemon is gone.
    await sleep(restMs);
    const before = await this.#publishedByAll();
    await this.#lab.daemon.stop();
    await this.#lab.daemon.start();
    const deadline = performance.now() + patienceMs;
    let after = await this.#publishedByAll();
    let away = awayIn(after);
    let movedAt = performance.now();
    const replaced = new Set<string>();
    while (away.length > 0) {
      if (performance.now() > deadline)
        throw new Error(`not back after a restart of dockerd: ${await this.#say(away)}`);
      if (performance.now() - movedAt > standstillMs) {
        // Docker itself fails to start one now and then ("failed to start shim: file exists") and does not try again.
        for (const name of away) {
          this.#count('not started again by Docker');
          replaced.add(name);
          await this.#recreate(name);
        }
      }
      await sleep(1000);
      after = await this.#publishedByAll();
      const left = awayIn(after);
      if (left.length < away.length) movedAt = performance.now();
      away = left;
    }
    for (const name of this.#names) {
      const cause = replaced.has(name) ? 'recreate' : 'daemon-restart';
      this.changes.push(...changesBetween(name, before[name]!, after[name]!, cause));
    }
    // What is undone before anybody can have asked again nobody can know.
    await sleep(restMs);
  }

  /** Puts back what is neither Docker's nor a container's. */
  async end(): Promise<void> {
    for (const listener of this.#listeners) await listener.close();
    this.#listeners = [];
  }

  #count(what: string): void {
    this.acts[what] = (this.acts[what] ?? 0) + 1;
  }

  #pick(): string {
    const now = performance.now();
    const rested = this.#names.filter(name => (this.#restingUntil.get(name) ?? 0) < now);
    return this.#random.pick(rested.length > 0 ? rested : this.#names);
  }

  async #moving(what: string, cause: Told['cause'], act: (name: string) => Promise<void>): Promise<void> {
    this.#count(what);
    const name = this.#pick();
    let actual = cause;
    const made = await changes(this.#lab, [name], cause, () =>
      act(name).catch(async (error: unknown) => {
        if (!(error instanceof EngineError) || error.status !== 500) throw error;
        // Docker itself fails now and then under this load ("failed to start shim: file exists"): it gets a new container,
        // or, where Docker does not even let go of the old one, is left alone from then on.
        this.#count('failed by Docker');
        actual = 'recreate';
        await this.#recreate(name).catch((again: unknown) => {
          if (!(again instanceof EngineError)) throw again;
          this.#count('given up by Docker');
          this.#names = this.#names.filter(each => each !== name);
        });
      }),
    ).catch((error: unknown) => {
      // Of one that it has lost Docker can say nothing afterwards.
      if (!(error instanceof EngineError) || this.#names.includes(name)) throw error;
      return [];
    });
    this.changes.push(...made.map(change => ({ ...change, cause: actual })));
    this.#restingUntil.set(name, performance.now() + restMs);
  }

  async #recreate(name: string): Promise<void> {
    await this.#lab.remove(name);
    await this.#lab.run(name, options(Number(name.slice(prefix.length))));
    this.#joined.delete(name);
  }

  async #joinOrLeave(name: string): Promise<void> {
    if (this.#joined.delete(name)) return this.#lab.networkDisconnect(first, name);
    await this.#lab.networkConnect(first, name);
    this.#joined.add(name);
  }

  async #pause(): Promise<void> {
    this.#count('pause');
    const name = this.#pick();
    try {
      await this.#lab.api('POST', `/containers/${name}/pause`);
      await sleep(200);
      await this.#lab.api('POST', `/containers/${name}/unpause`);
    } catch (error) {
      if (!(error instanceof EngineError)) throw error;
      this.#count('not paused by Docker');
    }
    this.#restingUntil.set(name, performance.now() + restMs);
  }

  /** Somebody else's rule, in front of or away from Docker's. */
  async #rule(): Promise<void> {
    this.#count('rule');
    const port = 20_000 + this.#rules;
    const rule = ['INPUT', '-p', 'tcp', '--dport', String(port), '-j', 'DROP'];
    await this.#lab.inHost(['iptables', '-w', '-A', ...rule]);
    this.#rules += 1;
    if (this.#rules % 2 === 0) await this.#lab.inHost(['iptables', '-w', '-D', ...rule]);
  }

  async #listener(): Promise<void> {
    this.#count('listener');
    if (this.#listeners.length > 3) await this.#listeners.shift()!.close();
    this.#listeners.push(await this.#lab.listen({ address: '127.0.0.1', port: 0 }));
  }

  /** What Docker says of these containers, in words. */
  async #say(names: readonly string[]): Promise<string> {
    const states = await Promise.all(
      names.slice(0, 5).map(async name => {
        const { State } = await this.#lab.inspect(name);
        return `${name} ${State.Status} ${State.Error}`;
      }),
    );
    return `${names.length} containers: ${states.join('; ')}`;
  }

  async #publishedByAll(): Promise<Record<string, Published>> {
    const all: Record<string, Published> = {};
    for (const name of this.#names) all[name] = await publishedBy(this.#lab, name);
    return all;
  }
}
