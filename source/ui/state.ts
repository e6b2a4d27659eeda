/** What the operator has chosen to look at: everything that keys change and data does not. Plain data. */
import type { Tone } from '../present/cell.ts';
import type { ContainerTab } from '../present/container-page/page.ts';
import type { Sort } from '../present/table.ts';

/** The panes in the order of their keys. */
export const paneIds = ['containers', 'links', 'ports', 'networks', 'firewall', 'events', 'findings'] as const;
export type PaneId = (typeof paneIds)[number];

/** How far a pane's list is scrolled, what is selected in it, and how it is filtered and sorted. */
export interface ListState {
  /** The selected row's identity; undefined until there is a row. */
  key: string | undefined;
  /** Where that row was last, so that its neighbour takes over when it vanishes. */
  index: number;
  /** The first line shown. */
  top: number;
  /** The selection stays on the first row whatever arrives above it, as in a feed. */
  follow: boolean;
  filter: string;
  sort?: Sort;
}

/** What lies over the panes; Esc goes back to what is below. */
export type Page =
  | { kind: 'container'; containerId: string; tab: ContainerTab; top: number }
  | { kind: 'details'; pane: PaneId; key: string; top: number }
  | { kind: 'help'; top: number };

/** A short message in place of the footer. */
export interface Toast {
  text: string;
  tone: Tone;
  /** Tells one from the next with the same text. */
  serial: number;
}

export interface UiState {
  pane: PaneId;
  /** Only the focused pane is shown. */
  zoomed: boolean;
  pages: readonly Page[];
  lists: Readonly<Record<PaneId, ListState>>;
  /** The filter of the focused pane is being typed. */
  editing: boolean;
  /** Containers that are not running are shown too. */
  stopped: boolean;
  /** Containers stand under their Compose project. */
  grouped: boolean;
  toast?: Toast;
}

const freshList = (follow: boolean): ListState => ({ key: undefined, index: 0, top: 0, follow, filter: '' });

/** The state at the start. @param containerId whose page is open at once */
export function initialState(containerId?: string): UiState {
  return {
    pane: 'containers',
    zoomed: false,
    pages: containerId === undefined ? [] : [{ kind: 'container', containerId, tab: 'overview', top: 0 }],
    lists: {
      containers: freshList(false),
      links: freshList(false),
      ports: freshList(false),
      networks: freshList(false),
      firewall: freshList(false),
      events: freshList(true),
      findings: freshList(false),
    },
    editing: false,
    stopped: false,
    grouped: false,
  };
}

/** The page on top, if any. */
export function topPage(state: UiState): Page | undefined {
  return state.pages.at(-1);
}
