/** A table as plain text, for a pipe. */
import { inCharset } from '../terminal/charset.ts';
import type { Charset } from '../terminal/charset.ts';
import type { SafeText } from '../terminal/sanitise.ts';
import { cell, lineText } from './cell.ts';
import type { Line } from './cell.ts';
import type { Filter } from './filter.ts';
import { itemLine, layoutColumns, titleLine } from './layout.ts';
import { listOf } from './table.ts';
import type { List, Sort, Table } from './table.ts';

/** A list as lines: titles, then rows, each section under its heading. Nothing is dropped or cut without a `width`. */
export function listLines(list: List, width: number): Line[] {
  const layout = layoutColumns(list, width);
  const lines: Line[] = [titleLine(list, layout)];
  let section: string | undefined;
  for (const item of list.items) {
    if (item.section !== undefined && item.section !== section) {
      lines.push([cell(item.section, 'title')]);
      section = item.section;
    }
    lines.push(itemLine(list.columns, item, layout));
  }
  return lines;
}

/**
 * Renders rows for a pipe or a plain terminal: a line of titles, then a line per row, without escape codes.
 * @param options.width columns to fit in; without it every column is shown and nothing is cut
 * @param options.charset `ascii` where the reader's locale has no UTF-8
 */
export function renderTable<Row>(
  table: Table<Row>,
  rows: readonly Row[],
  options: { width?: number; charset?: Charset; filter?: Filter; sort?: Sort } = {},
): SafeText[] {
  const list = listOf(table, rows, options);
  const unbounded: List = {
    ...list,
    columns: list.columns.map(column => ({ ...column, max: Number.MAX_SAFE_INTEGER, grow: false, steady: false })),
  };
  const lines =
    options.width === undefined ? listLines(unbounded, Number.MAX_SAFE_INTEGER) : listLines(list, options.width);
  return lines.map(line => inCharset(lineText(line), options.charset ?? 'unicode'));
}
