/**
 * A program of the lab's machine on a pseudo-terminal there, as its user has it: keys in, the screen out, and in the end
 * whether the terminal is as it was.
 */
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import xterm from '@xterm/headless';
import type { Lab, LabProcess } from '../lab/lab.ts';

/** How a terminal is opened. */
export interface TerminalOptions {
  columns?: number;
  rows?: number;
  /** On top of a plain xterm with UTF-8; undefined takes a variable away. */
  env?: Record<string, string | undefined>;
}

/** How the program ended and what it left. */
export interface Left {
  /** As a shell has it: 128 and the signal's number after a signal. */
  code: number;
  /** Whether the terminal's modes (`stty -g`) are those of before. */
  modesRestored: boolean;
  /** Whether the screen of before is shown, with the cursor. */
  screenRestored: boolean;
}

/** Much longer than anything takes; reached only by a failure. */
const patienceMs = 60_000;

const quote = (word: string): string => `'${word.replaceAll("'", String.raw`'\''`)}'`;

/** A terminal with a program in it. */
export class Terminal {
  /** The program's PID as the machine counts. */
  readonly pid: number;
  /** Everything that was written to the terminal so far. */
  written = '';
  readonly #process: LabProcess;
  readonly #screen: xterm.Terminal;
  readonly #folder: string;
  readonly #lab: Lab;
  readonly #tty: string;

  private constructor(lab: Lab, process: LabProcess, folder: string, tty: string, pid: number, screen: xterm.Terminal) {
    this.#lab = lab;
    this.#process = process;
    this.#folder = folder;
    this.#tty = tty;
    this.pid = pid;
    this.#screen = screen;
    // What the program asks of its terminal (where the cursor is), the terminal answers.
    screen.onData(answer => this.type(answer));
  }

  /** Starts a command on a terminal of its own. */
  static async open(lab: Lab, command: readonly string[], options: TerminalOptions = {}): Promise<Terminal> {
    const { columns = 120, rows = 40 } = options;
    const folder = await mkdtemp(join(lab.dir, 'terminal-'));
    const file = (name: string) => quote(join(folder, name));
    const program = `echo $$ >${file('pid')}; exec ${command.map(quote).join(' ')}`;
    const shell = [
      `stty rows ${rows} cols ${columns}`,
      `stty -g >${file('before')}`,
      `tty >${file('tty')}`,
      'echo "before it"',
      `sh -c ${quote(program)}`,
      `echo $? >${file('code')}`,
      `stty -g >${file('after')}`,
    ].join('; ');
    const child = await lab.spawnInHost(['script', '-qfec', shell, '/dev/null'], {
      env: { TERM: 'xterm-256color', LANG: 'C.UTF-8', LC_ALL: undefined, SHELL: '/bin/sh', ...options.env },
    });
    const screen = new xterm.Terminal({ cols: columns, rows, allowProposedApi: true });
    let early = '';
    const take = (data: Buffer) => (early += data.toString('utf8'));
    child.child.stdout!.on('data', take);
    child.child.stdin!.on('error', () => undefined);
    const pid = await waitForFile(join(folder, 'pid'), child);
    const tty = await waitForFile(join(folder, 'tty'), child);
    const terminal = new Terminal(lab, child, folder, tty, Number(pid), screen);
    child.child.stdout!.off('data', take);
    terminal.#take(early);
    child.child.stdout!.setEncoding('utf8').on('data', (text: string) => terminal.#take(text));
    return terminal;
  }

  #take(text: string): void {
    this.written += text;
    this.#screen.write(text);
  }

  /** The screen's lines, without the spaces at their ends. */
  lines(): string[] {
    const buffer = this.#screen.buffer.active;
    return Array.from(
      { length: this.#screen.rows },
      (_, row) => buffer.getLine(buffer.viewportY + row)?.translateToString(true, 0, this.#screen.cols) ?? '',
    );
  }

  /** The screen as one text. */
  text(): string {
    return this.lines().join('\n');
  }

  /** Whether the program's own screen is shown. */
  get isAlternate(): boolean {
    return this.#screen.buffer.active.type === 'alternate';
  }

  /** Resolves once the screen fits. @throws with what it shows instead when it does not for a long time */
  async until(fits: RegExp | ((text: string) => boolean), timeoutMs = patienceMs): Promise<void> {
    const deadline = performance.now() + timeoutMs;
    const holds = () => (typeof fits === 'function' ? fits(this.text()) : fits.test(this.text()));
    while (!holds()) {
      assert.ok(performance.now() < deadline, `the screen does not come to show ${String(fits)}:\n${this.text()}`);
      await sleep(30);
    }
  }

  /** Resolves once this is nowhere on the screen. */
  async untilGone(text: RegExp, timeoutMs = patienceMs): Promise<void> {
    await this.until(shown => !text.test(shown), timeoutMs);
  }

  /** Types. */
  type(keys: string): void {
    this.#process.child.stdin!.write(keys);
  }

  /** Makes the terminal another size, of which the kernel tells the program (SIGWINCH). */
  async resize(columns: number, rows: number): Promise<void> {
    this.#screen.resize(columns, rows);
    const { code, stderr } = await this.#lab.inHost([
      'stty',
      '-F',
      this.#tty,
      'rows',
      String(rows),
      'cols',
      String(columns),
    ]);
    assert.equal(code, 0, stderr);
  }

  /** Sends the program a signal. */
  async signal(signal: NodeJS.Signals): Promise<void> {
    await this.#lab.inHost(['sh', '-c', `kill -${signal.slice(3)} ${this.pid}`]);
  }

  /** Closes the terminal under the program, as a lost connection does. */
  async hangUp(): Promise<void> {
    await this.#process.kill('SIGKILL');
    await this.#process.exited;
    this.#screen.dispose();
    await rm(this.#folder, { recursive: true });
  }

  /** Resolves when the program has ended, with what it left. */
  async ended(): Promise<Left> {
    const done = await Promise.race([this.#process.exited, sleep(patienceMs, undefined, { ref: false })]);
    assert.ok(done, `it has not ended, and shows:\n${this.text()}`);
    const [code, before, after] = await Promise.all(
      ['code', 'before', 'after'].map(async name => (await readFile(join(this.#folder, name), 'utf8')).trim()),
    );
    await new Promise<void>(resolve => this.#screen.write('', resolve));
    const left: Left = {
      code: Number(code),
      modesRestored: before !== '' && before === after,
      screenRestored: !this.isAlternate && /before it/.test(this.text()) && !this.written.endsWith('\u001B[?25l'),
    };
    this.#screen.dispose();
    await rm(this.#folder, { recursive: true });
    return left;
  }

  /** Quits the dashboard by its key and checks that it went in peace. */
  async quit(): Promise<void> {
    this.type('q');
    assert.deepEqual(await this.ended(), { code: 0, modesRestored: true, screenRestored: true });
  }

  /** Ends it whatever it does; for when a test has failed. */
  async abandon(): Promise<void> {
    await this.#process.kill('SIGKILL').catch(() => undefined);
    await Promise.race([this.#process.exited, sleep(2000, undefined, { ref: false })]);
  }
}

async function waitForFile(path: string, child: LabProcess): Promise<string> {
  let over = false;
  void child.exited.then(() => (over = true));
  for (;;) {
    const text = await readFile(path, 'utf8').catch(() => '');
    if (text.endsWith('\n')) return text.trim();
    assert.ok(!over, 'the program could not be started on a terminal');
    await sleep(10);
  }
}
