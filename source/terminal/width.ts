/** How many columns text takes on a terminal, and text cut or padded to a number of columns. */
import stringWidth from 'string-width';
import type { SafeText } from './sanitise.ts';

/** Text of which every UTF-16 unit takes one column: ASCII, and the glyphs netdash itself draws (charset.ts). */
const narrow = /^[\x20-\x7e✓✗●○◌‖↻→←↔↑↓·▌▏─│…↵×\u{FFFD}]*$/u;
const graphemes = new Intl.Segmenter(undefined, { granularity: 'grapheme' });

/** Columns that `text` takes; `text` is sanitised. */
export function widthOf(text: string): number {
  return narrow.test(text) ? text.length : stringWidth(text);
}

/** UTF-16 units that sanitised text has at most for each of its columns: a surrogate pair with three marks. */
const unitsPerColumn = 8;

/**
 * Columns that `text` takes as far as `limit` matters: exact up to it, at least `limit` where it takes more. To measure a name
 * of thousands of characters takes milliseconds, and a screen has hundreds of cells.
 */
export function widthWithin(text: string, limit: number): number {
  const most = (limit + 2) * unitsPerColumn;
  return text.length > most ? widthOf(text.slice(0, most)) : widthOf(text);
}

/** Cuts `text` to at most `width` columns; what was cut ends in `…`. A wide character is never cut in half. */
export function truncate(text: SafeText, width: number): SafeText {
  if (width <= 0) return '' as SafeText;
  if (widthWithin(text, width + 1) <= width) return text;
  if (narrow.test(text)) return `${text.slice(0, width - 1)}…` as SafeText;
  let kept = '';
  let used = 0;
  for (const { segment } of graphemes.segment(text)) {
    const next = widthOf(segment);
    if (used + next > width - 1) break;
    kept += segment;
    used += next;
  }
  return `${kept}…` as SafeText;
}

/** `text` in exactly `width` columns: cut, or padded with spaces on the right (on the left for `right`). */
export function fit(text: SafeText, width: number, align: 'left' | 'right' = 'left'): SafeText {
  const cut = truncate(text, width);
  const padding = ' '.repeat(Math.max(0, width - widthOf(cut)));
  return (align === 'right' ? padding + cut : cut + padding) as SafeText;
}

/**
 * Breaks `text` into lines of at most `width` columns, at spaces where there are any. Lines after the first are `indent`
 * columns narrower (the caller indents them).
 */
export function wrap(text: string, width: number, indent = 0): string[] {
  const lines: string[] = [];
  let line = '';
  let used = 0;
  const room = () => Math.max(1, lines.length === 0 ? width : width - indent);
  const close = () => {
    lines.push(line.trimEnd());
    line = '';
    used = 0;
  };
  for (const word of text.split(/(?<= )/)) {
    const wordWidth = widthOf(word.trimEnd());
    if (used > 0 && used + wordWidth > room()) close();
    if (wordWidth <= room()) {
      line += word;
      used += widthOf(word);
      continue;
    }
    for (const { segment } of graphemes.segment(word)) {
      const next = widthOf(segment);
      if (used > 0 && used + next > room()) close();
      line += segment;
      used += next;
    }
  }
  if (line.trimEnd() !== '' || lines.length === 0) close();
  return lines;
}
