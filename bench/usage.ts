/** What processes of the lab cost, from its own procfs (proc_pid_stat(5), proc_pid_status(5)). */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Lab } from '../test/lab/lab.ts';

interface Stat {
  pid: number;
  name: string;
  parent: number;
  /** CPU time of its own, ms. */
  own: number;
  /** CPU time of the children that it has waited for, ms. */
  reaped: number;
}

// USER_HZ, the unit of these files, is 100 on every platform that Node runs on.
const msPerTick = 10;

const parseStat = (text: string): Stat => {
  // The name stands in brackets and may hold any character.
  const end = text.lastIndexOf(')');
  const [head, tail] = [text.slice(0, end), text.slice(end + 2)];
  const fields = tail.split(' ');
  const ticks = (from: number): number => (Number(fields[from]) + Number(fields[from + 1])) * msPerTick;
  return {
    pid: Number.parseInt(head, 10),
    name: head.slice(head.indexOf('(') + 1),
    parent: Number(fields[1]),
    own: ticks(11),
    reaped: ticks(13),
  };
};

/** The procfs of one lab, seen from outside. */
export class Usage {
  readonly #proc: string;

  private constructor(proc: string) {
    this.#proc = proc;
  }

  static async of(lab: Lab): Promise<Usage> {
    const init = (await readFile(join(lab.dir, 'init.pid'), 'utf8')).trim();
    return new Usage(`/proc/${init}/root/proc`);
  }

  async #stats(): Promise<Stat[]> {
    const pids = (await readdir(this.#proc)).filter(name => /^\d+$/.test(name));
    const texts = await Promise.all(
      pids.map(pid => readFile(join(this.#proc, pid, 'stat'), 'utf8').catch(() => undefined)),
    );
    return texts.filter(text => text !== undefined).map(parseStat);
  }

  /** CPU time that a process and all its descendants have used so far, ms. */
  async ofTree(pid: number): Promise<number> {
    const stats = await this.#stats();
    const children = new Map<number, Stat[]>();
    for (const stat of stats) children.set(stat.parent, [...(children.get(stat.parent) ?? []), stat]);
    const sum = (stat: Stat): number =>
      stat.own + stat.reaped + (children.get(stat.pid) ?? []).reduce((total, child) => total + sum(child), 0);
    const root = stats.find(stat => stat.pid === pid);
    if (!root) throw new Error(`process ${pid} has ended`);
    return sum(root);
  }

  /**
   * CPU time that dockerd and containerd have used so far, ms. The shims of containers are left out: nothing but `docker stats` asks them anything, and 200 of them
   * by themselves take 2.5 to 4 s a minute, in which what is measured would be lost.
   */
  async ofDocker(): Promise<number> {
    const parts = (await this.#stats()).filter(({ name }) => /^(dockerd|containerd)$/.test(name));
    return parts.reduce((total, { own, reaped }) => total + own + reaped, 0);
  }

  /** Resident memory now and at its highest, MB (10^6 bytes). */
  async memory(pid: number): Promise<{ now: number; peak: number }> {
    const status = await readFile(join(this.#proc, String(pid), 'status'), 'utf8');
    const field = (name: string): number =>
      (Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)?.[1]) * 1024) / 1e6;
    return { now: field('VmRSS'), peak: field('VmHWM') };
  }
}
