/**
 * The one store behind the screen: the view being shown, the view state, and the model of both. Keys show at once, data
 * a few times a second, and nothing while the terminal still takes in the last frame.
 */
import { inTurn } from '../loop/turns.ts';
import type { Live, LiveView } from '../live/live.ts';
import type { RawAnswer } from '../present/container-page/page.ts';
import type { Size } from './arrange.ts';
import { settleList } from './list-window.ts';
import type { ListShape } from './list-window.ts';
import { buildModel, shapesOf } from './model.ts';
import type { Model } from './model.ts';
import { Pacing } from './pacing.ts';
import type { Reason } from './pacing.ts';
import { createPanes } from './panes.ts';
import { reduce } from './reducer.ts';
import type { Action } from './reducer.ts';
import { initialState } from './state.ts';
import type { PaneId, UiState } from './state.ts';

/** All that a drawing of the screen depends on. */
export interface Frame {
  view: LiveView;
  state: UiState;
  size: Size;
  /** ms since the epoch, as the header shows it. */
  clock: number;
  model: Model;
}

/** Where frames go, as far as the store is concerned: `TerminalOutput`. */
export interface FrameSink {
  readonly busy: boolean;
  whenIdle(callback: () => void): void;
}

export interface ScreenStoreOptions {
  live: Pick<Live, 'subscribe' | 'getView'>;
  size: Size;
  /** The container whose page is open at the start. */
  containerName?: string;
  clock: number;
  sink: FrameSink;
}

export interface ScreenStore {
  subscribe: (listener: () => void) => () => void;
  /** The frame on screen: the last one that was published. */
  getFrame: () => Frame;
  /** The frame that keys act upon: newer than the one on screen while the terminal is busy. */
  getCurrent: () => Frame;
  dispatch: (action: Action) => void;
  resize: (size: Size) => void;
  setClock: (clock: number) => void;
  /** Remembers Docker's answer about a container; undefined forgets it. */
  setRaw: (containerId: string, answer: RawAnswer | undefined) => void;
  hasRaw: (containerId: string) => boolean;
  /** Shows the newest view at once. */
  showNow: () => void;
  dispose: () => void;
}

/** Why the newer view is to be drawn. */
function reasonToDraw(shown: LiveView, newer: LiveView): Reason {
  const before = shown.snapshot.containers;
  const after = newer.snapshot.containers;
  if (before !== after) {
    const known = new Map(before.map(container => [container.id, container]));
    const moved = after.some(({ id, publishedPorts }) => {
      const old = known.get(id)?.publishedPorts;
      return publishedPorts.length > 0 && old !== undefined && old !== publishedPorts;
    });
    if (moved) return 'ports';
  }
  return !shown.ready || newer.events !== shown.events ? 'news' : 'numbers';
}

/** Makes the store and follows `live` until `dispose`. */
export function createScreenStore(options: ScreenStoreOptions): ScreenStore {
  const { live, sink } = options;
  const panes = createPanes();
  const raw = new Map<string, RawAnswer>();
  const shapes: Partial<Record<PaneId, ListShape>> = {};
  const listeners = new Set<() => void>();
  let wanted = options.containerName;
  let timer: NodeJS.Timeout | undefined;
  let isWaiting = false;
  let isDisposed = false;

  /** Opens the page that was asked for by name as soon as Docker knows the name. */
  const openWanted = (state: UiState, view: LiveView): UiState => {
    if (wanted === undefined) return state;
    const found = view.snapshot.containers.find(
      container => container.name === wanted || (wanted!.length >= 4 && container.id.startsWith(wanted!)),
    );
    if (!found) return state;
    wanted = undefined;
    return { ...state, pages: [{ kind: 'container', containerId: found.id, tab: 'overview', top: 0 }] };
  };

  const settle = (state: UiState, model: Model): { state: UiState; model: Model } => {
    const lists = { ...state.lists };
    const paneModels = { ...model.panes };
    for (const paneModel of Object.values(model.panes)) {
      const { id } = paneModel.pane;
      const settled = settleList(state.lists[id], shapes[id], paneModel.shape);
      shapes[id] = paneModel.shape;
      lists[id] = settled;
      paneModels[id] = { ...paneModel, state: settled };
    }
    return { state: { ...state, lists }, model: { ...model, panes: paneModels } };
  };

  const build = (change: Partial<Omit<Frame, 'model'>>, from: Omit<Frame, 'model'>): Frame => {
    const next = { ...from, ...change };
    const state = openWanted(next.state, next.view);
    const model = buildModel({ view: next.view, state, size: next.size, panes, raw });
    return { ...next, ...settle(state, model) };
  };

  let frame = build({}, { view: live.getView(), state: initialState(), size: options.size, clock: options.clock });
  let shown = frame;

  const publish = (): void => {
    if (isWaiting) return;
    if (sink.busy) {
      isWaiting = true;
      sink.whenIdle(() => {
        isWaiting = false;
        publish();
      });
      return;
    }
    shown = frame;
    for (const listener of listeners) listener();
  };

  const pacing = new Pacing();

  const update = (change: Partial<Omit<Frame, 'model'>>): void => {
    frame = build(change, frame);
    publish();
  };

  const takeView = (): void => {
    const view = live.getView();
    if (view !== frame.view) update({ view });
  };
  /** Each of the two takes about as long as a key may wait: a key that comes in between goes first. */
  const takeViewInTurns = (): void => {
    if (isDisposed) return;
    const view = live.getView();
    if (view === frame.view) return;
    frame = build({ view }, frame);
    pacing.drew(performance.now());
    inTurn(() => {
      if (!isDisposed && frame !== shown) publish();
    });
  };
  const onData = (): void => {
    clearTimeout(timer);
    const view = live.getView();
    if (view === frame.view) return;
    const delay = pacing.delay(performance.now(), reasonToDraw(frame.view, view));
    if (delay > 0) {
      timer = setTimeout(onData, delay);
      return;
    }
    inTurn(takeViewInTurns);
  };
  const unsubscribe = live.subscribe(onData);

  return {
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    getFrame: () => shown,
    getCurrent: () => frame,
    dispatch: action => {
      pacing.typed(performance.now());
      update({ state: reduce(frame.state, action, shapesOf(frame.model, frame.state)) });
    },
    resize: size => update({ size }),
    setClock: clock => update({ clock }),
    setRaw(containerId, answer) {
      if (answer) raw.set(containerId, answer);
      else raw.delete(containerId);
      update({});
    },
    hasRaw: containerId => raw.has(containerId),
    showNow: takeView,
    dispose() {
      isDisposed = true;
      unsubscribe();
      clearTimeout(timer);
      listeners.clear();
    },
  };
}
