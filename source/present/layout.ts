/** Which columns fit, how wide each is, and rows as cells of exactly those widths. */
import { fit, widthOf, widthWithin } from '../terminal/width.ts';
import { cell } from './cell.ts';
import type { Cell, Line } from './cell.ts';
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
  /** By column: the widest content so far. */
  widest: readonly number[];
  /** The items that `widest` is of, and their origins; of those how many. */
  measured: WeakSet<object>;
  origins: number;
}

/**
 * Whether a layout was made for the items of a list and for no others, but for what has aged since: measured anew, only columns that age
 * could be narrower.
 */
function isOfThese(layout: Layout, { items }: List): boolean {
  return layout.origins === items.length && items.every(({ origin }) => layout.measured.has(origin));
}

/** Spaces between columns. */
const gap = 2;

/** The width that a column would like: its widest content, within its bounds. */
function naturalWidth(items: readonly ListItem[], index: number, column: ColumnHead): number {
  if (column.steady || column.min === column.max) return column.max;
  let widest = widthOf(column.title) + 1;
  for (const item of items) {
    if (widest >= column.max) break;
    widest = Math.max(widest, widthWithin(item.cells[index]!.text, column.max));
  }
  return Math.max(column.min, Math.min(widest, column.max));
}

/**
 * Places columns in `width` columns of the screen. Of the columns that are not extra, the least important are dropped
 * until the rest fits at its smallest; extra ones come in, by importance, where the others have what they want. What is
 * left goes to what columns want, then to their content, by importance, then to the growing column.
 * @param last the layout before, of the same columns and width: no column is laid out for less content than it had then, so that
 * columns do not shrink and grow again, and what was measured for it is not measured again. Itself when nothing moves
 * @param options.mayShrink columns are to be no wider than the items of now want
 */
export function layoutColumns(
  list: List,
  width: number,
  last?: Layout,
  { mayShrink = false }: { mayShrink?: boolean } = {},
): Layout {
  const before = last && mayShrink && !isOfThese(last, list) ? undefined : last;
  const measured = before?.measured ?? new WeakSet<object>();
  const unmeasured = before ? list.items.filter(item => !measured.has(item)) : list.items;
  const unknown = before ? unmeasured.filter(({ origin }) => !measured.has(origin)) : unmeasured;
  const all = list.columns.map((column, index) => {
    const isAnew = column.ages && mayShrink;
    const looked = isAnew ? list.items : column.ages ? unmeasured : unknown;
    const natural = Math.max(naturalWidth(looked, index, column), (isAnew ? undefined : before?.widest[index]) ?? 0);
    return {
      index,
      column,
      natural,
      least: Math.min(column.min, natural),
      want: Math.min(natural, column.want ?? natural),
    };
  });
  for (const item of unmeasured) measured.add(item).add(item.origin);
  const origins = (before?.origins ?? 0) + unknown.length;
  if (before && all.every(({ natural }, index) => natural === before.widest[index])) {
    before.origins = origins;
    return before;
  }
  type Entry = (typeof all)[number];
  const byImportance = [...all].sort((a, b) => a.column.priority - b.column.priority);
  const total = (entries: readonly Entry[], size: 'least' | 'want') =>
    entries.reduce((sum, entry) => sum + entry[size] + gap, -gap);
  const kept = byImportance.filter(({ column }) => !column.extra);
  while (kept.length > 1 && total(kept, 'least') > width) kept.pop();
  for (const entry of byImportance) {
    if (entry.column.extra && total([...kept, entry], 'want') <= width) kept.push(entry);
  }
  const widths = new Map<number, number>(kept.map(entry => [entry.index, Math.min(entry.least, width)]));
  let spare = Math.max(0, width - total(kept, 'least'));
  for (const size of ['want', 'natural'] as const) {
    for (const { index, ...entry } of kept) {
      const extra = Math.min(spare, Math.max(0, entry[size] - widths.get(index)!));
      widths.set(index, widths.get(index)! + extra);
      spare -= extra;
    }
  }
  const growing = kept.find(entry => entry.column.grow);
  if (growing) widths.set(growing.index, widths.get(growing.index)! + spare);
  return {
    places: all.flatMap(({ index }) => (widths.has(index) ? [{ index, width: widths.get(index)! }] : [])),
    widest: all.map(({ natural }) => natural),
    measured,
    origins,
    dropped: all.filter(({ index }) => !widths.has(index)).map(({ column }) => column.title.trim()),
  };
}

/** A cell of the same tone whose text is cut or padded. */
const fitted = (source: Cell, width: number, align: 'left' | 'right' | undefined): Cell => ({
  text: fit(source.text, width, align),
  tone: source.tone,
});

const space = cell(' '.repeat(gap));

function joined(cells: readonly Cell[]): Cell[] {
  return cells.flatMap((item, i) => (i === 0 ? [item] : [space, item]));
}

/** An item as a line: a cell per place, spaces between. */
export function itemLine(columns: List['columns'], item: ListItem, layout: Layout): Line {
  return joined(layout.places.map(({ index, width }) => fitted(item.cells[index]!, width, columns[index]!.align)));
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
    const partWidth = widthWithin(part.text, left + 1);
    out.push(partWidth <= left ? part : fitted(part, left, undefined));
    left -= partWidth;
  }
  return out;
}
