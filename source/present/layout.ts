/** Which columns fit, how wide each is, and rows as cells of exactly those widths. */
import { fit, widthOf } from '../terminal/width.ts';
import { cell } from './cell.ts';
import type { Cell, CleanText, Line } from './cell.ts';
import type { ColumnHead, List, ListItem } from './table.ts';

export interface ColumnPlace {
  /** Index into the list's columns and each item's cells. */
  index: number;
  width: number;
}

export interface Layout {
  places: readonly ColumnPlace[];
  /** Titles of the columns for which there is no room. */
  dropped: readonly string[];
}

/** Spaces between columns. */
const gap = 2;

/** The width that a column would like: its widest content, within its bounds. */
function naturalWidth(list: List, index: number, column: ColumnHead): number {
  let widest = widthOf(column.title) + 1;
  for (const item of list.items) {
    if (widest >= column.max) break;
    widest = Math.max(widest, widthOf(item.cells[index]!.text));
  }
  return Math.max(column.min, Math.min(widest, column.max));
}

/**
 * Places columns in `width` columns of the screen: the least important ones are dropped until the rest fits at its
 * smallest, then each gets what its content needs in order of importance, and growing columns share what is left.
 */
export function layoutColumns(list: List, width: number): Layout {
  const wanted = list.columns.map((column, index) => ({ index, column, natural: naturalWidth(list, index, column) }));
  const kept = [...wanted].sort((a, b) => a.column.priority - b.column.priority);
  const least = ({ column, natural }: (typeof wanted)[number]) => Math.min(column.min, natural);
  const total = () => kept.reduce((sum, entry) => sum + least(entry) + gap, -gap);
  while (kept.length > 1 && total() > width) kept.pop();
  let spare = Math.max(0, width - total());
  const widths = new Map<number, number>();
  for (const entry of kept) {
    const extra = Math.min(spare, entry.natural - least(entry));
    widths.set(entry.index, Math.min(width, least(entry) + extra));
    spare -= extra;
  }
  const growing = kept.find(entry => entry.column.grow);
  if (growing) widths.set(growing.index, widths.get(growing.index)! + spare);
  return {
    places: wanted.flatMap(({ index }) => (widths.has(index) ? [{ index, width: widths.get(index)! }] : [])),
    dropped: wanted.filter(({ index }) => !widths.has(index)).map(({ column }) => column.title.trim()),
  };
}

/** A cell of the same tone with other text, which is made of sanitised text and spaces. */
const fitted = (source: Cell, width: number, align: 'left' | 'right' | undefined): Cell => ({
  text: fit(source.text, width, align) as CleanText,
  tone: source.tone,
});

const space = cell(' '.repeat(gap));

function joined(cells: readonly Cell[]): Cell[] {
  return cells.flatMap((item, i) => (i === 0 ? [item] : [space, item]));
}

/** An item as a line: a cell per place, spaces between. */
export function itemLine(list: List, item: ListItem, layout: Layout): Line {
  return joined(layout.places.map(({ index, width }) => fitted(item.cells[index]!, width, list.columns[index]!.align)));
}

/** The line of titles; the sorted column is marked with an arrow. */
export function titleLine(list: List, layout: Layout): Line {
  return joined(
    layout.places.map(({ index, width }) => {
      const column = list.columns[index]!;
      const mark = list.sort?.column === column.id ? (list.sort.reverse ? '↓' : '↑') : '';
      return fitted(cell(column.title + mark, 'dim'), width, column.align);
    }),
  );
}

/** The width of a line in columns. */
export function lineWidth(line: Line): number {
  return line.reduce((sum, part) => sum + widthOf(part.text), 0);
}

/** A line cut to `width` columns, its last cell ending in `…` where it was cut. */
export function cutLine(line: Line, width: number): Line {
  const out: Cell[] = [];
  let left = width;
  for (const part of line) {
    if (left <= 0) break;
    const partWidth = widthOf(part.text);
    out.push(partWidth <= left ? part : fitted(part, left, undefined));
    left -= partWidth;
  }
  return out;
}
