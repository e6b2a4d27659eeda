/** Printing: what came from outside is made harmless, and columns fit where there is a width. */
import { inCharset } from '../terminal/charset.ts';
import { detectCharset, sizeOf } from '../terminal/detect.ts';
import { jsonText } from '../terminal/json-text.ts';
import { asLines, sanitise, type SafeOutput, type SafeText } from '../terminal/sanitise.ts';
import { lineText, type Line } from '../present/cell.ts';
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
export function textOf(line: Line, charset: Layout['charset']): SafeText {
  return inCharset(lineText(line), charset);
}

/** Writes lines; resolves when they have been handed on, so that a slow reader is waited for. */
export function print(io: Io, lines: readonly SafeText[]): Promise<void> {
  return write(io, asLines(lines));
}

/** Writes one JSON value: on one line per member for a reader at a terminal, else on one line. */
export function printJson(io: Io, value: unknown): Promise<void> {
  return write(io, jsonText(value, io.stdout.isTTY ? 2 : undefined));
}

/** Tells the operator on standard error, line by line. */
export function complain(io: Io, message: string): void {
  io.stderr.write(asLines(message.split('\n').map(line => sanitise(line))));
}

/** Resolves also when it cannot be written: the stream's own event `error` tells whoever made it. */
function write({ stdout }: Io, text: SafeOutput): Promise<void> {
  return new Promise(resolve => {
    stdout.write(text, () => resolve());
  });
}
