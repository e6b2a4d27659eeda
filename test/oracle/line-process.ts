/** A process of the lab that answers JSON lines, each by its id. */
import { createInterface } from 'node:readline';
import type { Lab, LabProcess } from '../lab/lab.ts';

/** Asks it; answers come in any order. */
export class LineProcess {
  readonly #process: LabProcess;
  readonly #waiting = new Map<number, (answer: unknown) => void>();
  #ids = 0;
  #complaint = '';

  private constructor(process: LabProcess) {
    this.#process = process;
    createInterface({ input: process.child.stdout! }).on('line', line => {
      const answer = JSON.parse(line) as { id: number };
      this.#waiting.get(answer.id)?.(answer);
      this.#waiting.delete(answer.id);
    });
    process.child.stderr?.on('data', (text: Buffer) => (this.#complaint += text.toString()));
    void process.exited.then(() => {
      for (const resolve of this.#waiting.values()) resolve({ outcome: 'error', text: `ended: ${this.#complaint}` });
      this.#waiting.clear();
    });
  }

  static async start(lab: Lab, command: readonly string[]): Promise<LineProcess> {
    return new LineProcess(await lab.spawnInHost(command));
  }

  ask<T>(request: Record<string, unknown>): Promise<T> {
    this.#ids += 1;
    const id = this.#ids;
    return new Promise(resolve => {
      this.#waiting.set(id, answer => resolve(answer as T));
      this.#process.child.stdin?.write(`${JSON.stringify({ id, ...request })}\n`);
    });
  }
}
