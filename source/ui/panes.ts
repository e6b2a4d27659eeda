/** The panes: which table each shows, what its rows are made of, and which source it cannot do without. */
import type { Snapshot } from '../facts/schema.ts';
import type { LiveView } from '../live/live.ts';
import type { Line } from '../present/cell.ts';
import { containerRows, containerTable, isUp } from '../present/container-table.ts';
import { eventRows, eventTable } from '../present/event-table.ts';
import { asksForExposed, exposedTable } from '../present/exposed-table.ts';
import { parseFilter } from '../present/filter.ts';
import { findingRows, findingTable } from '../present/finding-table.ts';
import { layoutColumns } from '../present/layout.ts';
import type { Layout } from '../present/layout.ts';
import { linkRows, linkTable } from '../present/link-table.ts';
import { networkRows, networkTable } from '../present/network-table.ts';
import type { PaneSource } from '../present/notices.ts';
import { portRows, portTable } from '../present/port-table.ts';
import { ruleRows, ruleTable } from '../present/rule-table.ts';
import { growOlder, listOf } from '../present/table.ts';
import type { List, Sort, Table } from '../present/table.ts';
import type { PaneId } from './state.ts';

/** What of the state decides which rows a pane has. */
export interface PaneChoice {
  filter: string;
  sort?: Sort;
  stopped: boolean;
  grouped: boolean;
}

/** A pane's rows and what the filter had to say. */
export interface PaneList extends List {
  filterError?: string;
  /** How many rows are not shown since they are of containers that do not run. */
  hidden: number;
}

export interface Pane {
  id: PaneId;
  title: string;
  /** The key that goes to it. */
  hotkey: string;
  source?: PaneSource;
  /** What it means that there are no rows although everything could be read. */
  none: string;
  /** The same object as long as neither view nor choice changed. */
  list(view: LiveView, choice: PaneChoice): PaneList;
  /** Places the columns of its list; they keep their widths while rows change, until choice or width do. */
  layout(list: PaneList, width: number): Layout;
  /** The container that a row is about, if any. */
  about(view: LiveView, key: string): string | undefined;
  /** All there is to say about one row; undefined when it is gone. */
  details(view: LiveView, key: string): readonly Line[] | undefined;
}

/** A container that ended is shown this much longer, in ms: one sees it end, and a crash loop does not flicker. */
const justEnded = 60_000;

/** Columns keep the widths of what they held for this long, in ms, so that they do not shrink and grow again. */
const widthsKept = 60_000;

/** Rows sorted by something that always moves are put in order this often, in ms, so that one can read them. */
const resortMilliseconds = 5000;

/** Ages on screen step by this much, in ms, so that they alone do not make every row a new one. */
const ageStep = 4000;

/** What rows may be made of, but for the time; of sources what they say, not how old that is, and of the host what Docker says, not its load. */
function partsOf({ snapshot, events, reach }: LiveView, beside: readonly (keyof Snapshot)[]): unknown[] {
  const names = (Object.keys(snapshot) as (keyof Snapshot)[]).filter(
    name => name !== 'takenAt' && name !== 'sources' && name !== 'host' && !beside.includes(name),
  );
  const sources = Object.entries(snapshot.sources).map(
    ([name, { state, reason }]) => `${name} ${state} ${reason ?? ''}`,
  );
  const docker = JSON.stringify(snapshot.host.docker);
  return [events, reach.exposures, docker, ...names.map(name => snapshot[name]), ...sources];
}

interface Definition<Row> {
  id: PaneId;
  hotkey: string;
  table: Table<Row>;
  /** The table in another arrangement, for some choices. */
  arranged?: (choice: PaneChoice) => Table<Row>;
  rows: (view: LiveView) => readonly Row[];
  /** Parts of the snapshot that the rows do not depend on: these may change, and the rows stay. */
  beside: readonly (keyof Snapshot)[];
  shown?: (row: Row, choice: PaneChoice) => boolean;
  source?: PaneSource;
  none: string;
}

/** Puts items in the order they had, while that is fresh; new ones come last. */
function heldOrder(list: List, ranks: ReadonlyMap<string, number>): List {
  const rank = (key: string) => ranks.get(key) ?? Number.MAX_SAFE_INTEGER;
  return { ...list, items: [...list.items].sort((a, b) => rank(a.key) - rank(b.key)) };
}

/** Whether a row says what the one before said. Runs for a thousand rows at each view: it makes nothing that would have to be collected. */
function isSameRow(before: object, after: object): boolean {
  if (before === after) return true;
  for (const name in after) {
    if (name !== 'now' && !isSame(Reflect.get(before, name), Reflect.get(after, name))) return false;
  }
  return hasNoMore(before, after);
}

/** Lists of the same items and records of the same numbers are made anew for each view. */
function isSame(before: unknown, after: unknown): boolean {
  if (Object.is(before, after)) return true;
  if (typeof before !== 'object' || typeof after !== 'object' || before === null || after === null) return false;
  if (Array.isArray(before) !== Array.isArray(after)) return false;
  for (const name in after) {
    if (!Object.is(Reflect.get(before, name), Reflect.get(after, name))) return false;
  }
  return hasNoMore(before, after);
}

/** Whether each property of `before` is one of `after`, of which each has been found in `before`. */
function hasNoMore(before: object, after: object): boolean {
  let surplus = 0;
  for (const _ in before) surplus += 1;
  for (const _ in after) surplus -= 1;
  return surplus <= 0;
}

/**
 * Makes the rows of a pane, and keeps those that say what they said: they keep their identity, and with it the cells that
 * were made of them.
 */
function keptRows<Row extends object>({ table, rows, beside }: Definition<Row>): (view: LiveView) => readonly Row[] {
  let last:
    { at: number; parts: readonly unknown[]; rows: readonly Row[]; byKey: ReadonlyMap<string, Row> } | undefined;
  const aged = table.aged ?? (() => '');
  return view => {
    const at = Date.parse(view.snapshot.takenAt);
    const parts = partsOf(view, beside);
    const isFresh = last !== undefined && at - last.at < ageStep && at >= last.at;
    const isRepeated = last?.parts.length === parts.length && parts.every((part, i) => part === last!.parts[i]);
    if (last && isRepeated && (isFresh || !table.aged)) return last.rows;
    const byKey = new Map<string, Row>();
    const kept = rows(view).map(row => {
      const key = table.key(row);
      const before = last?.byKey.get(key);
      const isSaid = before !== undefined && !byKey.has(key) && isSameRow(before, row);
      const isKept = isSaid && (isFresh || aged(before) === aged(row));
      if (isSaid && !isKept) growOlder(before, row);
      const same = isKept ? before : row;
      byKey.set(key, same);
      return same;
    });
    const isSameList = last?.rows.length === kept.length && kept.every((row, i) => row === last!.rows[i]);
    last = { at: isFresh ? last!.at : at, parts, rows: isSameList ? last!.rows : kept, byKey };
    return last.rows;
  };
}

function pane<Row extends object>(definition: Definition<Row>): Pane {
  const { table } = definition;
  const rows = keptRows(definition);
  let last: { view: LiveView; rows: readonly Row[]; choice: string; list: PaneList } | undefined;
  let placed: { choice: string | undefined; width: number; list: PaneList; layout: Layout; since: number } | undefined;
  let order: { sort: string; at: number; ranks: ReadonlyMap<string, number> } | undefined;

  const inOrder = (list: List, now: number): List => {
    const { sort } = list;
    if (!sort || !list.columns.find(column => column.id === sort.column)?.live) return list;
    const name = `${sort.column} ${sort.reverse}`;
    if (order?.sort === name && now - order.at < resortMilliseconds && now >= order.at)
      return heldOrder(list, order.ranks);
    order = { sort: name, at: now, ranks: new Map(list.items.map((item, i) => [item.key, i])) };
    return list;
  };

  return {
    id: definition.id,
    title: table.title,
    hotkey: definition.hotkey,
    source: definition.source,
    none: definition.none,
    list(view, choice) {
      const choiceName = JSON.stringify(choice);
      if (last?.choice === choiceName && last.view.snapshot === view.snapshot && last.view.events === view.events) {
        return last.list;
      }
      const all = rows(view);
      const isStill = order === undefined && definition.shown === undefined;
      if (last?.choice === choiceName && last.rows === all && isStill) {
        last = { ...last, view };
        return last.list;
      }
      const shown = definition.shown ? all.filter(row => definition.shown!(row, choice)) : all;
      const { filter, error } = parseFilter(choice.filter, table.fields);
      const arranged = definition.arranged?.(choice) ?? table;
      const list = listOf(arranged, shown, { filter, sort: choice.sort });
      const held = inOrder(list, Date.parse(view.snapshot.takenAt));
      last = {
        view,
        rows: all,
        choice: choiceName,
        list: { ...held, filterError: error, hidden: all.length - shown.length },
      };
      return last.list;
    },
    layout(list, width) {
      const choice = last?.choice;
      const now = last ? Date.parse(last.view.snapshot.takenAt) : 0;
      const isOf = placed?.width === width && placed.choice === choice;
      const isYoung = placed && now - placed.since < widthsKept && now >= placed.since;
      if (isOf && isYoung && placed!.list === list) return placed!.layout;
      placed = {
        choice,
        width,
        list,
        layout: layoutColumns(list, width, isOf ? placed!.layout : undefined, { mayShrink: !isYoung }),
        since: isOf && isYoung ? placed!.since : now,
      };
      return placed.layout;
    },
    about(view, key) {
      const row = rows(view).find(candidate => table.key(candidate) === key);
      return row && table.containerId?.(row);
    },
    details(view, key) {
      const row = rows(view).find(candidate => table.key(candidate) === key);
      return row && table.details?.(row);
    },
  };
}

const noProject = 'No Compose project';
const byProject = {
  ...containerTable,
  section: (row: Parameters<typeof containerTable.key>[0]) => row.container.composeProject ?? noProject,
  // A project whose containers are made anew stays where it is.
  compareSections: (a: string, b: string) =>
    Number(a === noProject) - Number(b === noProject) || a.localeCompare(b, 'en', { numeric: true }),
};

/** Makes the panes of one screen; they remember the last list they made. */
export function createPanes(): Readonly<Record<PaneId, Pane>> {
  return {
    containers: pane({
      id: 'containers',
      beside: ['rules'],
      hotkey: '1',
      table: containerTable,
      arranged: choice => (choice.grouped ? byProject : containerTable),
      rows: view => containerRows(view.snapshot, view.reach),
      shown: (row, choice) =>
        choice.stopped ||
        isUp(row.container) ||
        row.findings.some(finding => finding.severity !== 'info') ||
        (row.container.finishedAt !== undefined && row.now - Date.parse(row.container.finishedAt) < justEnded),
      source: 'docker',
      none: 'Docker has no containers.',
    }),
    links: pane({
      id: 'links',
      beside: ['rules'],
      hotkey: '2',
      table: linkTable,
      rows: view => linkRows(view.snapshot),
      source: 'links',
      none: 'There are no network interfaces.',
    }),
    ports: pane({
      id: 'ports',
      beside: ['traffic', 'rules'],
      hotkey: '3',
      table: portTable,
      arranged: choice => (asksForExposed(choice.filter) ? exposedTable : portTable),
      rows: view => portRows(view.snapshot, view.reach),
      source: 'sockets',
      none: 'Nothing listens and nothing is published.',
    }),
    networks: pane({
      id: 'networks',
      beside: ['traffic', 'rules'],
      hotkey: '4',
      table: networkTable,
      rows: view => networkRows(view.snapshot),
      source: 'docker',
      none: 'Docker has no networks.',
    }),
    firewall: pane({
      id: 'firewall',
      beside: ['traffic'],
      hotkey: '5',
      table: ruleTable,
      rows: view => ruleRows(view.snapshot),
      source: 'netfilter',
      none: 'There are no rules that act on Docker traffic.',
    }),
    events: pane({
      id: 'events',
      beside: ['traffic', 'rules'],
      hotkey: '6',
      table: eventTable,
      rows: view => eventRows(view.events, Date.parse(view.snapshot.takenAt)),
      none: 'Nothing has happened since netdash started.',
    }),
    findings: pane({
      id: 'findings',
      beside: ['traffic', 'rules'],
      hotkey: 'f',
      table: findingTable,
      rows: view => findingRows(view.snapshot),
      none: 'No findings in what can be read.',
    }),
  };
}
