/** Documents: lines of cells to scroll through, as the drill-down and the details show them. */
import { widthOf, wrap } from '../terminal/width.ts';
import { cell } from './cell.ts';
import type { Cell, Line } from './cell.ts';

/** Widest label of `facts`. */
const labelLimit = 18;

/** Lines `label  value`, labels in one column; a label whose value is undefined is left out. */
export function facts(
  entries: readonly (readonly [label: string, value: Cell | readonly Cell[] | undefined])[],
): Line[] {
  const kept = entries.filter((entry): entry is readonly [string, Cell | readonly Cell[]] => entry[1] !== undefined);
  const labelWidth = Math.min(labelLimit, Math.max(0, ...kept.map(([label]) => widthOf(label))));
  return kept.map(([label, value]) => [
    cell(`${label.padEnd(labelWidth)}  `, 'dim'),
    ...('text' in value ? [value] : value),
  ]);
}

/** A heading, with an empty line before it when something stands above. */
export function heading(text: string, first = false): Line[] {
  return first ? [[cell(text, 'title')]] : [[], [cell(text, 'title')]];
}

/** Plain text as lines, broken where the text has line breaks. */
export function paragraph(text: string, tone: Cell['tone'] = 'plain', indent = 0): Line[] {
  return text.split(/\r?\n/).map(line => [cell(' '.repeat(indent) + line, tone)]);
}

/**
 * Breaks lines that are wider than `width`. What is carried over stands under the beginning of the line's last cell, so
 * that a long value stays to the right of its label.
 */
export function wrapLines(lines: readonly Line[], width: number): Line[] {
  return lines.flatMap(line => {
    const total = line.reduce((sum, part) => sum + widthOf(part.text), 0);
    const last = line.at(-1);
    if (total <= width || !last) return [line];
    const before = line.slice(0, -1);
    const beforeWidth = total - widthOf(last.text);
    const margin = beforeWidth > 0 ? beforeWidth : widthOf(/^ */.exec(last.text)![0]);
    if (margin > width - 8) return [line];
    const pieces = wrap(last.text.trimStart(), width - margin);
    return pieces.map((piece, i) => [
      ...(i === 0 ? before : []),
      ...(i === 0 && beforeWidth > 0 ? [] : [cell(' '.repeat(margin))]),
      cell(piece, last.tone),
    ]);
  });
}
