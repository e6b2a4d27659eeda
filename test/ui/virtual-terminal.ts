/** A terminal in this process: Ink writes to it, tests type into it and read its screen. */
import { PassThrough } from 'node:stream';
import { EventEmitter } from 'node:events';
import xterm from '@xterm/headless';

/** One cell of the screen. Colours are ANSI numbers 0-15, absent for the default. */
export interface ScreenCell {
  text: string;
  width: number;
  foreground?: number;
  bold: boolean;
  dim: boolean;
  inverse: boolean;
}

class Stdout extends EventEmitter {
  readonly isTTY = true;
  readonly writable = true;
  columns: number;
  rows: number;
  /** Everything that was written. */
  written = '';
  /** While set, what is written is not taken: callbacks wait here. */
  held: (() => void)[] | undefined;
  readonly #terminal: xterm.Terminal;

  constructor(terminal: xterm.Terminal) {
    super();
    this.#terminal = terminal;
    this.columns = terminal.cols;
    this.rows = terminal.rows;
  }

  write(data: string | Uint8Array, encoding?: unknown, callback?: () => void): boolean {
    const text = typeof data === 'string' ? data : Buffer.from(data).toString('utf8');
    this.written += text;
    const done = typeof encoding === 'function' ? (encoding as () => void) : callback;
    if (this.held) this.held.push(() => this.#terminal.write(text, done));
    else this.#terminal.write(text, done);
    return true;
  }
}

/** A screen of so many columns and rows with a keyboard. */
export class VirtualTerminal {
  readonly #terminal: xterm.Terminal;
  readonly #stdout: Stdout;
  readonly stdin: NodeJS.ReadStream;
  /** Whether the program has the keyboard in raw mode. */
  raw = false;

  constructor(columns: number, rows: number) {
    this.#terminal = new xterm.Terminal({ cols: columns, rows, allowProposedApi: true, convertEol: true });
    this.#stdout = new Stdout(this.#terminal);
    const input = new PassThrough();
    this.stdin = Object.assign(input, {
      isTTY: true,
      setRawMode: (on: boolean) => {
        this.raw = on;
        return input;
      },
      ref: () => input,
      unref: () => input,
    }) as unknown as NodeJS.ReadStream;
  }

  get stdout(): NodeJS.WriteStream {
    return this.#stdout as unknown as NodeJS.WriteStream;
  }

  /** Everything the program has written so far. */
  get written(): string {
    return this.#stdout.written;
  }

  /** Whether the program's own screen (DECSET 1049) is shown. */
  get isAlternate(): boolean {
    return this.#terminal.buffer.active.type === 'alternate';
  }

  /** Stops taking what is written, as a slow line does, or takes all that has waited. */
  stall(on: boolean): void {
    const waiting = this.#stdout.held ?? [];
    this.#stdout.held = on ? waiting : undefined;
    if (!on) for (const take of waiting) take();
  }

  /** Types keys, as bytes. */
  async type(keys: string): Promise<void> {
    (this.stdin as unknown as PassThrough).write(keys);
    await this.settle();
  }

  async resize(columns: number, rows: number): Promise<void> {
    this.#terminal.resize(columns, rows);
    this.#stdout.columns = columns;
    this.#stdout.rows = rows;
    this.#stdout.emit('resize');
    await this.settle();
  }

  /** Resolves when nothing has been written for longer than a frame and Ink's wait for the rest of an escape take. */
  async settle(): Promise<void> {
    let before = -1;
    while (before !== this.#stdout.written.length) {
      before = this.#stdout.written.length;
      await new Promise(resolve => setTimeout(resolve, 60));
    }
    await new Promise<void>(resolve => this.#terminal.write('', resolve));
  }

  /** Resolves when the screen shows `text`. @throws when it does not for much longer than anything takes, with what it shows instead */
  async until(text: string | RegExp): Promise<void> {
    const deadline = Date.now() + 60_000;
    const shows = () => (typeof text === 'string' ? this.text().includes(text) : text.test(this.text()));
    while (!shows()) {
      if (Date.now() > deadline) throw new Error(`the screen does not show ${String(text)}:\n${this.text()}`);
      await this.settle();
    }
  }

  /** The screen's lines, without the spaces at their ends. */
  lines(): string[] {
    const buffer = this.#terminal.buffer.active;
    return Array.from(
      { length: this.#terminal.rows },
      (_, row) => buffer.getLine(buffer.viewportY + row)?.translateToString(true) ?? '',
    );
  }

  /** The screen as one text. */
  text(): string {
    return this.lines().join('\n');
  }

  /** The screen's cells by row; the second half of a wide character is left out. */
  cells(): ScreenCell[][] {
    const buffer = this.#terminal.buffer.active;
    return Array.from({ length: this.#terminal.rows }, (_row, y) => {
      const line = buffer.getLine(buffer.viewportY + y);
      const row: ScreenCell[] = [];
      for (let x = 0; x < this.#terminal.cols; x += 1) {
        const cell = line?.getCell(x);
        if (!cell || cell.getWidth() === 0) continue;
        row.push({
          text: cell.getChars() || ' ',
          width: cell.getWidth(),
          foreground: cell.isFgPalette() ? cell.getFgColor() : undefined,
          bold: cell.isBold() !== 0,
          dim: cell.isDim() !== 0,
          inverse: cell.isInverse() !== 0,
        });
      }
      return row;
    });
  }

  dispose(): void {
    this.#terminal.dispose();
  }
}
