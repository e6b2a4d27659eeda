/** Programs on a real pseudo-terminal on the lab's machine: their bytes, when each arrived, and what the screen shows. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import xterm from '@xterm/headless';
import type { Lab, LabProcess } from '../test/lab/lab.ts';

/** The terminal of the budgets. */
export const size = { columns: 200, rows: 50 };

export interface TerminalOptions {
  env?: Record<string, string>;
  /** Whether to follow what the screen shows, which costs this process time: not where only bytes are counted. */
  screen: boolean;
}

let serial = 0;

/** A program that has a terminal of its own. Times are of performance.now(). */
export class TerminalProgram {
  /** PID as the lab's machine counts. */
  pid = 0;
  /** Bytes that the terminal got so far. */
  bytes = 0;
  /** How often the whole screen was cleared. */
  clears = 0;
  /** When the shell was about to become the program. */
  startedAt = 0;
  /** Called after each piece of output, once the screen shows it, with the time of the piece's arrival. */
  onScreen: ((at: number) => void) | undefined;
  readonly #process: LabProcess;
  readonly #screen: xterm.Terminal | undefined;

  private constructor(process: LabProcess, screen: xterm.Terminal | undefined) {
    this.#process = process;
    this.#screen = screen;
    process.child.stdin?.on('error', () => undefined);
    process.child.stdout?.on('data', (data: Buffer) => this.#take(data));
  }

  /** Starts a command as its user would; resolves when it has been started. */
  static async start(lab: Lab, command: readonly string[], options: TerminalOptions): Promise<TerminalProgram> {
    serial += 1;
    const pidFile = join(lab.dir, `terminal-${serial}.pid`);
    const quoted = command.map(word => `'${word.replaceAll("'", String.raw`'\''`)}'`).join(' ');
    // The record separator tells when the program begins; terminals pass over it.
    const shell = `echo $$ >${pidFile}; stty rows ${size.rows} cols ${size.columns}; printf '\\036'; exec ${quoted}`;
    const process = await lab.spawnInHost(['script', '-qfec', shell, '/dev/null'], {
      env: { TERM: 'xterm-256color', LANG: 'C.UTF-8', SHELL: '/bin/sh', ...options.env },
    });
    const screen = options.screen
      ? new xterm.Terminal({ cols: size.columns, rows: size.rows, allowProposedApi: true })
      : undefined;
    const program = new TerminalProgram(process, screen);
    const deadline = performance.now() + 10_000;
    while (program.startedAt === 0) {
      if (performance.now() > deadline) throw new Error(`could not be started on a terminal: ${command.join(' ')}`);
      await sleep(2);
    }
    program.pid = Number(await readFile(pidFile, 'utf8'));
    return program;
  }

  #take(data: Buffer): void {
    const at = performance.now();
    if (this.startedAt === 0) {
      if (!data.includes(0x1e)) return;
      this.startedAt = at;
    }
    this.bytes += data.length;
    if (data.includes('\u001B[2J')) this.clears += 1;
    this.#screen?.write(data, () => this.onScreen?.(at));
  }

  /** The lines of the screen. */
  lines(): string[] {
    const buffer = this.#screen?.buffer.active;
    return Array.from(
      { length: size.rows },
      (_, row) => buffer?.getLine(buffer.viewportY + row)?.translateToString(true) ?? '',
    );
  }

  /** Resolves with the time of the piece of output after which the screen satisfied the condition. @throws after `timeoutMs` */
  until(condition: (lines: string[]) => boolean, timeoutMs = 20_000): Promise<number> {
    return new Promise((resolve, reject) => {
      const before = this.onScreen;
      const timer = setTimeout(() => {
        this.onScreen = before;
        reject(new Error(`the screen did not come to show what was waited for:\n${this.lines().join('\n')}`));
      }, timeoutMs);
      const check = (at: number): void => {
        if (!condition(this.lines())) return;
        clearTimeout(timer);
        this.onScreen = before;
        resolve(at);
      };
      this.onScreen = at => {
        before?.(at);
        check(at);
      };
      check(performance.now());
    });
  }

  /** Types. Returns the time. */
  type(keys: string): number {
    const at = performance.now();
    this.#process.child.stdin?.write(keys);
    return at;
  }

  /** Ends the program by these keys or, without them, by SIGTERM. */
  async end(keys?: string): Promise<void> {
    if (keys === undefined) await this.#process.kill('SIGTERM');
    else this.type(keys);
    await Promise.race([this.#process.exited, sleep(5000).then(() => this.#process.kill('SIGKILL'))]);
    await this.#process.exited;
    this.#screen?.dispose();
  }
}
