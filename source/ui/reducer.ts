/** How keys change what is looked at. Pure: (state, action, shapes) → state. */
import { containerTabs } from '../present/container-page/page.ts';
import type { ContainerTab } from '../present/container-page/page.ts';
import type { Sort } from '../present/table.ts';
import { moveInList } from './list-window.ts';
import type { ListShape } from './list-window.ts';
import { paneIds, topPage } from './state.ts';
import type { ListState, Page, PaneId, Toast, UiState } from './state.ts';

/** What the reducer must know of the screen. */
export interface Shapes {
  /** The focused pane's list. */
  list: ListShape;
  /** Ids of its columns that are on screen, in order: what `s` goes through. */
  columns: readonly string[];
  sort?: Sort;
  /** The page on top: its lines and how many fit. */
  page: { lines: number; height: number };
}

export type Amount = number | 'page' | '-page' | 'half' | '-half' | 'first' | 'last';

export type Action =
  | { type: 'move'; amount: Amount }
  | { type: 'pane'; pane: PaneId }
  | { type: 'next-pane'; by: 1 | -1 }
  | { type: 'zoom' }
  | { type: 'open'; page: Page }
  | { type: 'back' }
  | { type: 'tab'; tab: ContainerTab }
  | { type: 'next-tab'; by: 1 | -1 }
  | { type: 'edit-filter' }
  | { type: 'filter-text'; text: string }
  | { type: 'filter-erase'; what: 'character' | 'word' | 'all' }
  | { type: 'end-edit'; keep: boolean }
  | { type: 'sort' }
  | { type: 'reverse' }
  | { type: 'stopped' }
  | { type: 'group' }
  | { type: 'exposed' }
  | { type: 'toast'; toast?: Toast };

const withList = (state: UiState, change: Partial<ListState>): UiState => ({
  ...state,
  lists: { ...state.lists, [state.pane]: { ...state.lists[state.pane], ...change } },
});

const withPage = (state: UiState, page: Page): UiState => ({ ...state, pages: [...state.pages.slice(0, -1), page] });

function distance(amount: Amount, height: number): number | 'first' | 'last' {
  if (typeof amount === 'number' || amount === 'first' || amount === 'last') return amount;
  const size = Math.max(1, amount.endsWith('page') ? height - 1 : Math.floor(height / 2));
  return amount.startsWith('-') ? -size : size;
}

function move(state: UiState, amount: Amount, shapes: Shapes): UiState {
  const page = topPage(state);
  if (page) {
    const { lines, height } = shapes.page;
    const end = Math.max(0, lines - height);
    const by = distance(amount, height);
    const top = by === 'first' ? 0 : by === 'last' ? end : Math.max(0, Math.min(end, Math.min(page.top, end) + by));
    return withPage(state, { ...page, top });
  }
  const by = distance(amount, shapes.list.height);
  return withList(state, moveInList(state.lists[state.pane], by, shapes.list, state.pane === 'events'));
}

const nextIn = <Item>(items: readonly Item[], current: Item, by: number): Item =>
  items[(items.indexOf(current) + by + items.length) % items.length]!;

/** Esc: what is narrowest goes first, and it never quits. */
function back(state: UiState): UiState {
  if (state.pages.length > 0) return { ...state, pages: state.pages.slice(0, -1) };
  if (state.lists[state.pane].filter !== '') return withList(state, { filter: '' });
  return state.zoomed ? { ...state, zoomed: false } : state;
}

const tabIds = containerTabs.map(tab => tab.id);

type ContainerPage = Extract<Page, { kind: 'container' }>;

const onContainer = (state: UiState, change: (page: ContainerPage) => ContainerPage): UiState => {
  const page = topPage(state);
  return page?.kind === 'container' ? withPage(state, change(page)) : state;
};

function erase(text: string, what: 'character' | 'word' | 'all'): string {
  if (what === 'all') return '';
  return what === 'word' ? text.replace(/\S*\s*$/, '') : text.replace(/.$/su, '');
}

function nextSort(shapes: Shapes): Sort | undefined {
  const { columns, sort } = shapes;
  if (columns.length === 0) return sort;
  const at = sort ? columns.indexOf(sort.column) : -1;
  return { column: columns[(at + 1) % columns.length]!, reverse: false };
}

type Handler<Type extends Action['type']> = (
  state: UiState,
  action: Extract<Action, { type: Type }>,
  shapes: Shapes,
) => UiState;

const handlers: { readonly [Type in Action['type']]: Handler<Type> } = {
  move: (state, { amount }, shapes) => move(state, amount, shapes),
  pane: (state, { pane }) => ({ ...state, pane, pages: [] }),
  'next-pane': (state, { by }) => ({ ...state, pane: nextIn(paneIds, state.pane, by), pages: [] }),
  zoom: state => ({ ...state, zoomed: !state.zoomed }),
  open: (state, { page }) => ({ ...state, pages: [...state.pages, page] }),
  back,
  tab: (state, { tab }) => onContainer(state, page => ({ ...page, tab, top: 0 })),
  'next-tab': (state, { by }) => onContainer(state, page => ({ ...page, tab: nextIn(tabIds, page.tab, by), top: 0 })),
  'edit-filter': state => ({ ...state, editing: true }),
  'filter-text': (state, { text }) =>
    withList(state, { filter: (state.lists[state.pane].filter + text).slice(0, 200) }),
  'filter-erase': (state, { what }) => withList(state, { filter: erase(state.lists[state.pane].filter, what) }),
  'end-edit': (state, { keep }) => ({ ...(keep ? state : withList(state, { filter: '' })), editing: false }),
  sort: (state, _action, shapes) => withList(state, { sort: nextSort(shapes) }),
  reverse: (state, _action, { sort }) =>
    sort ? withList(state, { sort: { ...sort, reverse: !sort.reverse } }) : state,
  stopped: state => ({ ...state, stopped: !state.stopped }),
  group: state => ({ ...state, grouped: !state.grouped }),
  exposed: state => {
    const isShown = state.pane === 'ports' && state.lists.ports.filter === 'exposed';
    const next: UiState = { ...state, pane: 'ports', pages: [] };
    return withList(next, { filter: isShown ? '' : 'exposed' });
  },
  toast: (state, { toast }) => ({ ...state, toast }),
};

/** The next state. Everything an action means is in it: there are no effects. */
export function reduce(state: UiState, action: Action, shapes: Shapes): UiState {
  return (handlers[action.type] as Handler<Action['type']>)(state, action, shapes);
}
