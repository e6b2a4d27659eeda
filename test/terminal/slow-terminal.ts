/** netdash, as built, on a real pseudo-terminal whose line is as slow as a test wants, with a screen at its end. */
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import type { Writable } from 'node:stream';
import xterm from '@xterm/headless';

/** Much longer than anything takes; reached only by a failure. */
const patienceMs = 60_000;

export interface SlowTerminalOptions {
  columns: number;
  rows: number;
  /** How long each direction takes, ms. */
  delayMs?: number;
  /** Whether the terminal answers questions, as all but the poorest do. */
  answers?: boolean;
  env?: Record<string, string>;
}

/** The terminal. */
export class SlowTerminal {
  /** PID of the program. */
  pid = 0;
  /** Bytes that have arrived. */
  bytes = 0;
  /** What has arrived, as text. */
  written = '';
  /** `exit 0` or `signal 15`, once it has ended. */
  ended: string | undefined;
  readonly #process: ChildProcess;
  readonly #pace: Writable;
  readonly #screen: xterm.Terminal;
  readonly #delayMs: number;
  readonly #closed: Promise<void>;

  /** Starts a command on it. */
  constructor(command: readonly string[], options: SlowTerminalOptions) {
    const { columns, rows, delayMs = 0, answers = true, env = {} } = options;
    this.#delayMs = delayMs;
    this.#screen = new xterm.Terminal({ cols: columns, rows, allowProposedApi: true });
    this.#process = spawn('perl', [join(import.meta.dirname, 'pty.pl'), String(rows), String(columns), ...command], {
      stdio: ['pipe', 'pipe', 'pipe', 'pipe'],
      env: { PATH: process.env['PATH'], TERM: 'xterm-256color', LANG: 'C.UTF-8', ...env },
    });
    this.#pace = this.#process.stdio[3] as Writable;
    this.#pace.on('error', () => undefined);
    this.#process.stdin!.on('error', () => undefined);
    this.#process.stdout!.on('data', (data: Buffer) => this.#late(() => this.#take(data)));
    let words = '';
    this.#process.stderr!.setEncoding('utf8').on('data', (text: string) => {
      words += text;
      this.pid = Number(/pid (\d+)/.exec(words)?.[1] ?? 0);
      this.ended = /^((?:exit|signal) \d+)$/m.exec(words)?.[1];
    });
    this.#closed = new Promise(resolve => this.#process.on('close', () => resolve()));
    if (answers) this.#screen.onData(data => this.#late(() => this.#process.stdin!.write(data)));
  }

  /** How many bytes a second arrive from now on; 0: none; -1: as many as come. */
  pace(bytesPerSecond: number): void {
    this.#pace.write(`${bytesPerSecond}\n`);
  }

  type(keys: string): void {
    this.#late(() => this.#process.stdin!.write(keys));
  }

  /** The screen as one text. */
  text(): string {
    const buffer = this.#screen.buffer.active;
    return Array.from(
      { length: this.#screen.rows },
      (_, row) => buffer.getLine(buffer.viewportY + row)?.translateToString(true) ?? '',
    ).join('\n');
  }

  /** Whether the program's own screen (DECSET 1049) is shown. */
  get isAlternate(): boolean {
    return this.#screen.buffer.active.type === 'alternate';
  }

  /** Resolves when this holds. @throws when it never does, with what the screen shows */
  async until(what: string, holds: () => boolean): Promise<void> {
    const deadline = performance.now() + patienceMs;
    while (!holds()) {
      if (performance.now() > deadline) assert.fail(`not ${what}:\n${this.text()}`);
      await new Promise(resolve => setTimeout(resolve, 10));
    }
  }

  /** Resolves when the screen shows this. */
  shows(pattern: RegExp): Promise<void> {
    return this.until(`on the screen: ${String(pattern)}`, () => pattern.test(this.text()));
  }

  /** Ends what has not ended. */
  async close(): Promise<void> {
    this.#pace.end();
    if (this.pid > 0 && this.ended === undefined) {
      try {
        process.kill(this.pid, 'SIGKILL');
      } catch {
        // It has just ended.
      }
    }
    await this.#closed;
    this.#screen.dispose();
  }

  #late(act: () => void): void {
    if (this.#delayMs > 0) setTimeout(act, this.#delayMs);
    else act();
  }

  #take(data: Buffer): void {
    this.bytes += data.length;
    this.written += data.toString('latin1');
    this.#screen.write(data);
  }
}
