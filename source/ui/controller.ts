/** What keys do: pure commands go to the reducer, the others to the live part and the terminal. */
import type { Live } from '../live/live.ts';
import { containerTabs } from '../present/container-page/page.ts';
import { lineText, type Tone } from '../present/cell.ts';
import { clipboardSequence, type TerminalSequence } from '../terminal/clipboard.ts';
import { asParagraph, sanitise, type SafeOutput } from '../terminal/sanitise.ts';
import { commandFor } from './key-table.ts';
import type { Command, KeyContext } from './key-table.ts';
import type { Action } from './reducer.ts';
import type { Frame, ScreenStore } from './screen-store.ts';
import { paneIds, topPage } from './state.ts';
import type { Page } from './state.ts';

/** What only the running program can do. */
export interface TerminalEffects {
  /** Writes a sequence to the terminal as it is. */
  write: (sequence: TerminalSequence) => void;
  quit: () => void;
  redraw: () => void;
  suspend: () => void;
}

export interface Controller {
  /** A key by its name. */
  press: (key: string) => void;
  /** Text that was pasted. */
  paste: (text: string) => void;
  dispose: () => void;
}

/** How long a message stays in the footer, in ms. */
const toastMilliseconds = 2500;

/** Rules and commands are copied whole, up to this many UTF-16 units. */
const longestCopy = 65_536;

const moves: Partial<Record<Command, Action>> = {
  down: { type: 'move', amount: 1 },
  up: { type: 'move', amount: -1 },
  first: { type: 'move', amount: 'first' },
  last: { type: 'move', amount: 'last' },
  'page-down': { type: 'move', amount: 'page' },
  'page-up': { type: 'move', amount: '-page' },
  'half-down': { type: 'move', amount: 'half' },
  'half-up': { type: 'move', amount: '-half' },
  'next-pane': { type: 'next-pane', by: 1 },
  'previous-pane': { type: 'next-pane', by: -1 },
  findings: { type: 'pane', pane: 'findings' },
  zoom: { type: 'zoom' },
  back: { type: 'back' },
  'next-tab': { type: 'next-tab', by: 1 },
  'previous-tab': { type: 'next-tab', by: -1 },
  filter: { type: 'edit-filter' },
  sort: { type: 'sort' },
  reverse: { type: 'reverse' },
  stopped: { type: 'stopped' },
  group: { type: 'group' },
  exposed: { type: 'exposed' },
  'keep-filter': { type: 'end-edit', keep: true },
  'clear-filter': { type: 'end-edit', keep: false },
  erase: { type: 'filter-erase', what: 'character' },
  'erase-word': { type: 'filter-erase', what: 'word' },
  'erase-all': { type: 'filter-erase', what: 'all' },
};

/** Where keys go in a frame. */
export function keyContext({ state }: Pick<Frame, 'state'>): KeyContext {
  if (state.editing) return 'filter';
  const page = topPage(state);
  if (!page) return 'panes';
  return page.kind === 'container' ? 'container' : 'text';
}

/** The container that the selection is about. */
function selectedContainer({ state, model }: Frame): string | undefined {
  const page = topPage(state);
  if (page?.kind === 'container') return page.containerId;
  if (page?.kind === 'details') return model.page?.about;
  const pane = model.panes[state.pane];
  return pane?.list.items[pane.state.index]?.containerId;
}

/** What `c` copies: the most useful text of what is selected, or the page as it reads. */
function copyText({ state, model }: Frame): SafeOutput | undefined {
  const { page } = model;
  if (page?.page.kind === 'container' && page.page.tab !== 'raw') return sanitise(page.page.containerId);
  if (page) return asParagraph(page.lines.map(lineText));
  const pane = model.panes[state.pane];
  const text = pane?.list.items[pane.state.index]?.copy;
  return text === undefined ? undefined : sanitise(text, longestCopy);
}

/** Makes the controller of one screen. */
export function createController(store: ScreenStore, live: Live, effects: TerminalEffects): Controller {
  let toastTimer: NodeJS.Timeout | undefined;
  let serial = 0;
  let attention = '';

  const toast = (text: string, tone: Tone = 'plain'): void => {
    serial += 1;
    clearTimeout(toastTimer);
    toastTimer = setTimeout(() => store.dispatch({ type: 'toast' }), toastMilliseconds);
    store.dispatch({ type: 'toast', toast: { text, tone, serial } });
  };

  const openContainer = (containerId: string, tab: Extract<Page, { kind: 'container' }>['tab'] = 'overview'): void =>
    store.dispatch({ type: 'open', page: { kind: 'container', containerId, tab, top: 0 } });

  const open = (frame: Frame): void => {
    const page = topPage(frame.state);
    const containerId = selectedContainer(frame);
    if (containerId !== undefined) return openContainer(containerId);
    if (page) return;
    const pane = frame.model.panes[frame.state.pane];
    const item = pane?.list.items[pane.state.index];
    if (pane && item?.details) {
      store.dispatch({ type: 'open', page: { kind: 'details', pane: pane.pane.id, key: item.key, top: 0 } });
    }
  };

  const raw = (frame: Frame): void => {
    const page = topPage(frame.state);
    if (page?.kind === 'container') return store.dispatch({ type: 'tab', tab: 'raw' });
    const containerId = selectedContainer(frame);
    if (containerId === undefined) return toast('nothing selected that Docker could be asked about', 'warn');
    openContainer(containerId, 'raw');
  };

  const copy = (frame: Frame): void => {
    const text = copyText(frame);
    if (text === undefined || text === '') return toast('nothing to copy', 'warn');
    const sequence = clipboardSequence(text);
    if (sequence === undefined) return toast('too long for a terminal’s clipboard', 'warn');
    effects.write(sequence);
    const first = sanitise(text.split('\n')[0]!, 60);
    toast(`copied ${first}${text.includes('\n') ? '…' : ''}`, 'good');
  };

  const refresh = (): void => {
    const page = topPage(store.getFrame().state);
    if (page?.kind === 'container') store.setRaw(page.containerId, undefined);
    toast('reading everything again…');
    live.refresh().then(
      () => toast('read again', 'good'),
      (error: unknown) => toast(`could not read: ${error instanceof Error ? error.message : String(error)}`, 'bad'),
    );
  };

  const freeze = (frame: Frame): void => {
    live.freeze(frame.view.frozenAt === undefined);
    store.showNow();
  };

  const help = (frame: Frame): void => {
    const isOpen = topPage(frame.state)?.kind === 'help';
    store.dispatch(isOpen ? { type: 'back' } : { type: 'open', page: { kind: 'help', top: 0 } });
  };

  const others: Partial<Record<Command, (frame: Frame, key: string) => void>> = {
    open,
    raw,
    copy,
    refresh,
    freeze,
    help,
    pane: (_frame, key) => store.dispatch({ type: 'pane', pane: paneIds[Number(key) - 1]! }),
    tab: (_frame, key) => {
      const tab = containerTabs[Number(key) - 1];
      if (tab) store.dispatch({ type: 'tab', tab: tab.id });
    },
    quit: effects.quit,
    redraw: effects.redraw,
    suspend: effects.suspend,
  };

  /** Keeps live reading what is looked at, and asks Docker once for a raw view that is open. */
  const onFrame = (): void => {
    const { state, model } = store.getCurrent();
    const page = topPage(state);
    const containerId = page?.kind === 'container' ? page.containerId : undefined;
    const isRaw = page?.kind === 'container' && page.tab === 'raw';
    const counters = model.panes.firewall !== undefined || (page?.kind === 'container' && page.tab === 'rules');
    const next = `${containerId} ${counters}`;
    if (next !== attention) {
      attention = next;
      live.attend({ containerId, rates: true, counters });
    }
    if (containerId === undefined) return;
    if (!isRaw) {
      if (store.hasRaw(containerId)) store.setRaw(containerId, undefined);
      return;
    }
    if (store.hasRaw(containerId)) return;
    store.setRaw(containerId, { state: 'asking' });
    live.inspectRaw(containerId).then(
      value => store.setRaw(containerId, { state: 'ok', value }),
      (error: unknown) =>
        store.setRaw(containerId, { state: 'failed', reason: error instanceof Error ? error.message : String(error) }),
    );
  };
  const unsubscribe = store.subscribe(onFrame);
  onFrame();

  return {
    press(key) {
      const frame = store.getCurrent();
      const context = keyContext(frame);
      const command = commandFor(key, context);
      if (command === undefined) {
        if (context === 'filter' && Array.from(key).length === 1) store.dispatch({ type: 'filter-text', text: key });
        return;
      }
      const action = moves[command];
      if (action) store.dispatch(action);
      else others[command]?.(frame, key);
    },
    paste(text) {
      if (store.getCurrent().state.editing) {
        store.dispatch({ type: 'filter-text', text: sanitise(text.replaceAll(/\s+/g, ' '), 200) });
      }
    },
    dispose() {
      unsubscribe();
      clearTimeout(toastTimer);
    },
  };
}
