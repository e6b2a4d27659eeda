/** Tones as the control sequences (ECMA-48 SGR) that a terminal takes its colours from. */
import type { Tone } from '../../present/cell.ts';

/** How a piece of text looks. */
export interface Style {
  /** Of the sixteen ANSI colours, which are the operator's own. */
  color?: 'red' | 'green' | 'yellow' | 'blue' | 'magenta' | 'cyan';
  bold?: boolean;
  dim?: boolean;
  inverse?: boolean;
}

// Yellow and cyan cannot be read on white, blue not on black, so each background has its own.
const dark: Readonly<Record<Tone, Style>> = {
  plain: {},
  dim: { dim: true },
  good: { color: 'green' },
  warn: { color: 'yellow' },
  bad: { color: 'red', bold: true },
  info: { color: 'magenta' },
  accent: { color: 'cyan' },
  title: { bold: true },
  mark: { color: 'magenta', bold: true, inverse: true },
};
const light: Readonly<Record<Tone, Style>> = {
  ...dark,
  warn: { color: 'magenta', bold: true },
  info: { color: 'magenta' },
  accent: { color: 'blue' },
};

/** The styles of tones on a light or a dark background. */
export const stylesOf = (isLight: boolean): Readonly<Record<Tone, Style>> => (isLight ? light : dark);

const colours = { red: 31, green: 32, yellow: 33, blue: 34, magenta: 35, cyan: 36 } as const;

/** `text` in a style: each attribute is switched on before it and off after it, so that pieces can stand side by side. */
export function painted(text: string, { color, bold, dim, inverse }: Style): string {
  let out = text;
  if (dim) out = `\u001B[2m${out}\u001B[22m`;
  if (color !== undefined) out = `\u001B[${colours[color]}m${out}\u001B[39m`;
  if (bold) out = `\u001B[1m${out}\u001B[22m`;
  if (inverse) out = `\u001B[7m${out}\u001B[27m`;
  return out;
}
