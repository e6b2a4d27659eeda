/** Printing: what came from outside is made harmless, and columns fit where there is a width. */
import { inCharset } from '../terminal/charset.ts';
import { detectCharset, sizeOf } from '../terminal/detect.ts';
import type { Line } from '../present/cell.ts';
import type { Io } from './command.ts';

/** How text is to be laid out. */
export interface Layout {
  /** Columns; undefined: as many as it takes. */
  width: number | undefined;
  charset: 'unicode' | 'ascii';
}

/** The width of the terminal; in a pipe that of COLUMNS, if anybody set it. */
export function layoutOf({ stdout, env }: Io): Layout {
  const columns = Number(env['COLUMNS']);
  const width = stdout.isTTY ? sizeOf(stdout).columns : columns >= 20 ? Math.floor(columns) : undefined;
  return { width, charset: detectCharset(env) };
}

/** A line of cells as text. */
export function textOf(line: Line, charset: Layout['charset']): string {
  return inCharset(
    line
      .map(({ text }) => text)
      .join('')
      .trimEnd(),
    charset,
  );
}

/** Writes lines; resolves when they have been handed on, so that a slow reader is waited for. */
export function print(io: Io, lines: readonly string[]): Promise<void> {
  return write(io, lines.map(line => `${line}\n`).join(''));
}

/** Writes one JSON value: on one line per member for a reader at a terminal, else on one line. */
export function printJson(io: Io, value: unknown): Promise<void> {
  return write(io, `${JSON.stringify(value, undefined, io.stdout.isTTY ? 2 : undefined)}\n`);
}

function write({ stdout }: Io, text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    stdout.write(text, error => (error ? reject(error) : resolve()));
  });
}
