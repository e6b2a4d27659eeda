/** From view and state to what is on screen: the lists of the panes that are visible, or the page on top. */
import type { LiveView } from '../live/live.ts';
import { cell } from '../present/cell.ts';
import type { Line } from '../present/cell.ts';
import { goneLines } from '../present/container-page/gone.ts';
import { containerPage, tabSources } from '../present/container-page/page.ts';
import type { RawAnswer } from '../present/container-page/page.ts';
import { wrapLines } from '../present/document.ts';
import type { Layout } from '../present/layout.ts';
import { emptyLines, paneNotices, staleNotices } from '../present/notices.ts';
import { arrange } from './arrange.ts';
import type { Arrangement, Place, Size } from './arrange.ts';
import { helpLines } from './help.ts';
import type { ListShape } from './list-window.ts';
import type { Pane, PaneList } from './panes.ts';
import type { Shapes } from './reducer.ts';
import { topPage } from './state.ts';
import type { ListState, Page, PaneId, UiState } from './state.ts';

/** A line of a pane's body: a row of the list by its index, or a section's heading. */
export type Entry = { kind: 'row'; index: number } | { kind: 'section'; text: string };

/** A pane as it is drawn. */
export interface PaneModel {
  pane: Pane;
  place: Place;
  focused: boolean;
  list: PaneList;
  layout: Layout;
  entries: readonly Entry[];
  shape: ListShape;
  /** Above the rows: what could not be read. */
  notices: readonly Line[];
  /** In place of rows. */
  empty: readonly Line[];
  state: ListState;
}

/** The page on top as it is drawn. */
export interface PageModel {
  page: Page;
  lines: readonly Line[];
  /** Lines of it that fit. */
  height: number;
  /** For details: the container that they are about. */
  about?: string;
}

export interface Model {
  arrangement: Arrangement;
  panes: Partial<Record<PaneId, PaneModel>>;
  page?: PageModel;
}

/** Lines of a pane that are not rows: its rule (or tabs) and the titles of its columns. */
const paneChrome = 2;
/** Lines of a page that are not its text: its title and an empty line. */
const pageChrome = 2;

/** The lines of a list: what is on each, and by row its key and line. */
interface ListLines {
  entries: readonly Entry[];
  keys: readonly string[];
  lines: readonly number[];
}

const known = new WeakMap<PaneList, ListLines>();

function linesOf(list: PaneList): ListLines {
  const made = known.get(list);
  if (made) return made;
  const entries: Entry[] = [];
  const keys: string[] = [];
  const lines: number[] = [];
  let section: string | undefined;
  for (const [index, item] of list.items.entries()) {
    if (item.section !== undefined && item.section !== section) {
      section = item.section;
      entries.push({ kind: 'section', text: section });
    }
    keys.push(item.key);
    lines.push(entries.length);
    entries.push({ kind: 'row', index });
  }
  const found = { entries, keys, lines };
  known.set(list, found);
  return found;
}

/** Columns that a row's marker takes. */
export const markerWidth = 2;

function paneModel(pane: Pane, place: Place, view: LiveView, state: UiState): PaneModel {
  const own = state.lists[pane.id];
  const list = pane.list(view, { filter: own.filter, sort: own.sort, stopped: state.stopped, grouped: state.grouped });
  const notices = wrapLines(paneNotices(pane.source, view), place.width - markerWidth);
  const none =
    own.filter !== '' && list.total > 0
      ? 'Nothing matches the filter; Esc clears it.'
      : list.hidden > 0
        ? `No container runs; a shows ${list.hidden} that do not.`
        : pane.none;
  const empty = list.items.length > 0 ? [] : wrapLines(emptyLines(pane.source, view, none), place.width - markerWidth);
  const { entries, keys, lines } = linesOf(list);
  const filterLine = own.filter !== '' || (state.editing && state.pane === pane.id) ? 1 : 0;
  return {
    pane,
    place,
    focused: state.pane === pane.id,
    list,
    layout: pane.layout(list, place.width - markerWidth),
    entries,
    shape: {
      keys,
      lines,
      lineCount: entries.length,
      height: Math.max(1, place.height - paneChrome - notices.length - filterLine),
    },
    notices,
    empty,
    state: own,
  };
}

function pageLines(
  page: Page,
  width: number,
  input: { view: LiveView; panes: Readonly<Record<PaneId, Pane>>; raw: ReadonlyMap<string, RawAnswer> },
): readonly Line[] {
  const { view } = input;
  if (page.kind === 'help') return helpLines(width);
  if (page.kind === 'details') {
    return wrapLines(input.panes[page.pane].details(view, page.key) ?? [[cell('It is gone.', 'dim')]], width);
  }
  const container = view.snapshot.containers.find(candidate => candidate.id === page.containerId);
  if (!container && !view.ready) return [[cell('reading…', 'dim')]];
  const now = Date.parse(view.snapshot.takenAt);
  if (!container) {
    const { containers } = view.snapshot;
    return wrapLines(goneLines(page.containerId, { events: view.events, containers }, now, width), width);
  }
  const notices = wrapLines(staleNotices(tabSources[page.tab], view), width);
  const lines = containerPage(page.tab, {
    snapshot: view.snapshot,
    reach: view.reach,
    events: view.events,
    container,
    raw: input.raw.get(container.id),
    width,
  });
  return notices.length === 0 ? lines : [...notices, [], ...lines];
}

export interface ModelInput {
  view: LiveView;
  state: UiState;
  size: Size;
  panes: Readonly<Record<PaneId, Pane>>;
  /** What Docker answered about containers, by id. */
  raw: ReadonlyMap<string, RawAnswer>;
}

/** Builds what is on screen. */
export function buildModel(input: ModelInput): Model {
  const { view, state, size, panes } = input;
  const arrangement = arrange(size, state, {
    findings: view.snapshot.findings.length,
    containers: view.snapshot.containers.length,
  });
  const places =
    arrangement.kind === 'single'
      ? [arrangement.place]
      : arrangement.kind === 'tiled'
        ? arrangement.columns.flat()
        : [];
  const models: Partial<Record<PaneId, PaneModel>> = {};
  for (const place of places) models[place.pane] = paneModel(panes[place.pane], place, view, state);
  const page = topPage(state);
  if (arrangement.kind !== 'page' || !page) return { arrangement, panes: models };
  const lines = pageLines(page, arrangement.width - 1, input);
  const about = page.kind === 'details' ? panes[page.pane].about(view, page.key) : undefined;
  return { arrangement, panes: models, page: { page, lines, height: arrangement.height - pageChrome, about } };
}

const noList: ListShape = { keys: [], lines: [], lineCount: 0, height: 1 };

/** What the reducer needs to know of a model. */
export function shapesOf(model: Model, state: UiState): Shapes {
  const pane = model.panes[state.pane];
  return {
    list: pane?.shape ?? noList,
    columns: pane ? pane.layout.places.map(({ index }) => pane.list.columns[index]!.id) : [],
    sort: pane?.list.sort,
    page: { lines: model.page?.lines.length ?? 0, height: model.page?.height ?? 1 },
  };
}
