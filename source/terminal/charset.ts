/**
 * The glyphs of netdash's own chrome, and what they become where the terminal has ASCII only. Both forms of a glyph take
 * one column, so that a screen can be laid out before the charset is known.
 */
import type { SafeText } from './sanitise.ts';
import { widthOf } from './width.ts';

export type Charset = 'unicode' | 'ascii';

/** Every glyph outside ASCII that netdash itself draws. */
export const glyphs = {
  ok: '✓',
  failed: '✗',
  warning: '!',
  info: 'i',
  running: '●',
  stopped: '○',
  created: '◌',
  paused: '‖',
  restarting: '↻',
  arrow: '→',
  pair: '↔',
  up: '↑',
  down: '↓',
  dot: '·',
  marker: '▌',
  caret: '▏',
  rule: '─',
  bar: '│',
  ellipsis: '…',
  enter: '↵',
} as const;

const ascii: Readonly<Record<string, string>> = {
  '✓': '+',
  '✗': 'x',
  '●': '*',
  '○': 'o',
  '◌': '.',
  '‖': '=',
  '↻': '@',
  '→': '>',
  '←': '<',
  '↔': '=',
  '↑': '^',
  '↓': 'v',
  '·': '.',
  '▌': '>',
  '▏': '_',
  '─': '-',
  '│': '|',
  '…': '~',
  '↵': '<',
  '×': 'x',
};

const graphemes = new Intl.Segmenter(undefined, { granularity: 'grapheme' });

/** `text` in ASCII and of the same width: glyphs have their own stand-ins, everything else becomes `?`. */
export function toAscii(text: SafeText): SafeText {
  if (/^[\x20-\x7e]*$/.test(text)) return text;
  let out = '';
  for (const { segment } of graphemes.segment(text)) {
    out += /^[\x20-\x7e]$/.test(segment) ? segment : (ascii[segment] ?? '?'.repeat(widthOf(segment)));
  }
  return out as SafeText;
}

/** `text` as a terminal with this charset can show it. */
export function inCharset(text: SafeText, charset: Charset): SafeText {
  return charset === 'ascii' ? toAscii(text) : text;
}
