/** A table as data: the one on screen and the one in a pipe are the same. */
import type { Cell, Line } from './cell.ts';
import type { Filter, FilterField } from './filter.ts';
import { matches } from './filter.ts';

/** What rows are ordered by; undefined sorts last, text in natural order (`eth2` before `eth10`). */
export type SortKey = string | number | undefined;

export interface Column<Row> {
  id: string;
  title: string;
  /** 1 is kept longest when the screen is narrow. */
  priority: number;
  /** Columns of the screen that it takes at least and at most; `max` is for content, never padding. */
  min: number;
  max: number;
  /** What it should have before less important columns get more than their least; absent: all that its content takes. */
  want?: number;
  /** Is shown only where all columns that are not extra have what they want. */
  extra?: boolean;
  /** Takes what space is left. */
  grow?: boolean;
  align?: 'right';
  cell: (row: Row) => Cell;
  /** What its cell puts in short, in full: words of a filter are looked for in both. */
  inFull?: (row: Row) => string;
  /** Absent: it is sorted by the text of its cell. */
  sortKey?: (row: Row) => SortKey;
  /** Is laid out for all it may take whatever it holds, since its cells cost something to make (`lazyCell`). */
  steady?: boolean;
  /** Its cells change as time passes, as `aged` of the table says. */
  ages?: boolean;
  /** Its values move all the time: rows sorted by it are put in order every few seconds only. */
  live?: boolean;
}

export interface Sort {
  column: string;
  reverse: boolean;
}

export interface Table<Row> {
  id: string;
  title: string;
  columns: readonly Column<Row>[];
  /** The row's identity, by which a selection sticks to it. */
  key: (row: Row) => string;
  /** Everything in its cells that the passing of time alone changes, as text; absent where nothing does. */
  aged?: (row: Row) => string;
  /** Heading under which the row stands; rows of one section stay together, sections keep their order of appearance. */
  section?: (row: Row) => string;
  /** Sections that come first, in this order, where they have rows. */
  sections?: readonly string[];
  /** Sorts the sections; absent: as they appear. */
  compareSections?: (a: string, b: string) => number;
  /** How it is sorted until the operator says otherwise; absent: as the rows come. */
  sort?: Sort;
  /** The fields that a filter can name. */
  fields: Readonly<Record<string, FilterField<Row>>>;
  /** Words that, alone in a filter, ask more of a row than that a cell has them. */
  words?: Readonly<Record<string, (row: Row) => boolean>>;
  /** The row's most useful text, for the clipboard. */
  copy: (row: Row) => string;
  /** The container that the row is about: what Enter opens. */
  containerId?: (row: Row) => string | undefined;
  /** All there is to say about the row: what Enter opens when it is about no container, or `detailsFirst` is set. */
  details?: (row: Row) => readonly Line[];
  detailsFirst?: boolean;
}

/** A column without its row type: what a screen needs to lay it out. */
export type ColumnHead = Pick<
  Column<never>,
  'id' | 'title' | 'priority' | 'min' | 'max' | 'want' | 'extra' | 'grow' | 'align' | 'live' | 'steady' | 'ages'
>;

/** A row without its type. */
export interface ListItem {
  key: string;
  section?: string;
  /** One per column; made on first use. */
  readonly cells: readonly Cell[];
  /** The same object for items of which only cells that age may differ. */
  readonly origin: object;
  copy: string;
  containerId?: string;
  details?: () => readonly Line[];
}

/** A table with its rows filtered and in order. */
export interface List {
  id: string;
  title: string;
  columns: readonly ColumnHead[];
  items: readonly ListItem[];
  /** Rows before the filter. */
  total: number;
  sort?: Sort;
}

const natural = new Intl.Collator('en', { numeric: true, sensitivity: 'base' });

function compareKeys(a: SortKey, b: SortKey): number {
  if (a === undefined || b === undefined) return (a === undefined ? 1 : 0) - (b === undefined ? 1 : 0);
  if (typeof a === 'number' && typeof b === 'number') return a - b;
  return natural.compare(String(a), String(b));
}

/** The rows in order of one column, stable; rows without a key stay last in both directions. */
export function sortRows<Row>(table: Table<Row>, rows: readonly Row[], sort: Sort | undefined): readonly Row[] {
  const column = sort && table.columns.find(candidate => candidate.id === sort.column);
  if (!column) return rows;
  const keys = rows.map(row => (column.sortKey ? column.sortKey(row) : column.cell(row).text));
  const last = lastOrders.get(table);
  const isAsBefore =
    last?.column === column.id &&
    last.reverse === sort.reverse &&
    last.keys.length === keys.length &&
    keys.every((key, i) => Object.is(key, last.keys[i]));
  if (isAsBefore) return last.order.map(index => rows[index]!);
  const order = rows.map((_, index) => index);
  order.sort((a, b) => {
    const [first, second] = [keys[a], keys[b]];
    if (first === undefined || second === undefined) return compareKeys(first, second);
    return sort.reverse ? compareKeys(second, first) : compareKeys(first, second);
  });
  lastOrders.set(table, { column: sort.column, reverse: sort.reverse, keys, order });
  return order.map(index => rows[index]!);
}

/** How each table was sorted last: rows with the same keys have the same order, and names are slow to compare. */
const lastOrders = new WeakMap<object, { column: string; reverse: boolean; keys: SortKey[]; order: number[] }>();

/** Brings rows of one section together, sections in the order given by the unsorted rows. */
function bySection<Row>(table: Table<Row>, sorted: readonly Row[], original: readonly Row[]): readonly Row[] {
  const { section } = table;
  if (!section) return sorted;
  const groups = new Map<string, Row[]>([...(table.sections ?? []), ...original.map(section)].map(name => [name, []]));
  for (const row of sorted) groups.get(section(row))?.push(row);
  const { compareSections } = table;
  if (!compareSections) return [...groups.values()].flat();
  return [...groups].sort(([a], [b]) => compareSections(a, b)).flatMap(([, rows]) => rows);
}

/** Items by table and row: a row that is given again has its cells already. */
const items = new WeakMap<object, WeakMap<object, ListItem>>();

/** Of a row that says what another said but for what time has changed: that other one. */
const youngerRows = new WeakMap<object, object>();

/** Tells that a row says what `before` said but for what time has changed: the cells of that one that do not age are its own. */
export function growOlder(before: object, row: object): void {
  youngerRows.delete(before);
  youngerRows.set(row, before);
}

function itemOf<Row>(table: Table<Row>, row: Row): ListItem {
  if (typeof row !== 'object' || row === null) return new Item(table, row);
  const ofTable = items.get(table) ?? new WeakMap<object, ListItem>();
  items.set(table, ofTable);
  const known = ofTable.get(row);
  if (known) return known;
  const younger = youngerRows.get(row);
  const item = new Item(table, row, younger && (ofTable.get(younger) as Item<Row> | undefined));
  ofTable.set(row, item);
  return item;
}

/** A row, of which the cells are made on first use. A class as `lazyCell` is one: there are a thousand of them. */
class Item<Row> implements ListItem {
  readonly #table: Table<Row>;
  readonly #row: Row;
  #cells: readonly Cell[] | undefined;
  /** Those of the item that it follows. */
  readonly #younger: readonly Cell[] | undefined;
  readonly origin: object;
  readonly key: string;
  readonly section: string | undefined;
  readonly containerId: string | undefined;

  constructor(table: Table<Row>, row: Row, younger?: Item<Row>) {
    this.#table = table;
    this.#row = row;
    this.#younger = younger && (younger.#cells ?? younger.#younger);
    this.origin = younger?.origin ?? {};
    this.key = table.key(row);
    this.section = table.section?.(row);
    this.containerId = table.detailsFirst ? undefined : table.containerId?.(row);
  }

  get cells(): readonly Cell[] {
    return (this.#cells ??= this.#table.columns.map((column, index) => {
      const younger = column.ages ? undefined : this.#younger?.[index];
      return younger ?? column.cell(this.#row);
    }));
  }

  get copy(): string {
    return this.#table.copy(this.#row);
  }

  get details(): (() => readonly Line[]) | undefined {
    const { details } = this.#table;
    return details && (() => details(this.#row));
  }
}

const textsOf = <Row>({ columns }: Table<Row>, row: Row): string[] =>
  columns.flatMap(({ cell, inFull }) => [cell(row).text, ...(inFull ? [inFull(row)] : [])]);

/** Filters and sorts rows and forgets their type. */
export function listOf<Row>(
  table: Table<Row>,
  rows: readonly Row[],
  options: { filter?: Filter; sort?: Sort } = {},
): List {
  const { filter } = options;
  const kept =
    filter && filter.terms.length > 0
      ? rows.filter(row => matches(filter, row, table, () => textsOf(table, row)))
      : rows;
  const sort = options.sort ?? table.sort;
  return {
    id: table.id,
    title: table.title,
    columns: table.columns,
    items: bySection(table, sortRows(table, kept, sort), kept).map(row => itemOf(table, row)),
    total: rows.length,
    sort,
  };
}
