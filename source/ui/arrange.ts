/** Which panes are on screen, where, and how big. Pure. */
import type { PaneId, UiState } from './state.ts';
import { topPage } from './state.ts';

export interface Size {
  columns: number;
  rows: number;
}

/** A pane's place: all of its lines, its rule included. */
export interface Place {
  pane: PaneId;
  width: number;
  height: number;
}

export type Arrangement =
  | { kind: 'too-small' }
  /** A page over everything between header and footer. */
  | { kind: 'page'; width: number; height: number }
  /** One pane under the line of tabs, and below it the worst findings. */
  | { kind: 'single'; place: Place; strip: number }
  /** Columns of panes side by side, with one column of the screen between them. */
  | { kind: 'tiled'; columns: readonly (readonly Place[])[] };

export const smallest: Size = { columns: 60, rows: 10 };
const tiledFrom: Size = { columns: 160, rows: 40 };

/** Lines of header and footer. */
export const headerHeight = 2;
export const footerHeight = 1;

function tiled(size: Size, focused: PaneId, containers: number): Arrangement {
  const height = size.rows - headerHeight - footerHeight;
  const left = Math.floor((size.columns - 1) * 0.6);
  const right = size.columns - 1 - left;
  const upper = Math.max(Math.ceil(height * 0.3), Math.min(containers + 4, Math.ceil(height * 0.55)));
  const third = Math.floor(height * 0.3);
  const lowerLeft: PaneId = focused === 'firewall' ? 'firewall' : 'ports';
  const upperRight: PaneId = focused === 'networks' ? 'networks' : 'links';
  return {
    kind: 'tiled',
    columns: [
      [
        { pane: 'containers', width: left, height: upper },
        { pane: lowerLeft, width: left, height: height - upper },
      ],
      [
        { pane: upperRight, width: right, height: height - 2 * third },
        { pane: 'findings', width: right, height: third },
        { pane: 'events', width: right, height: third },
      ],
    ],
  };
}

/**
 * Arranges a screen.
 * @param counts how many findings there are, which have a strip of their own on a screen with one pane, and how many
 * containers, running or not: their pane is no higher than it has to be
 */
export function arrange(size: Size, state: UiState, counts: { findings: number; containers: number }): Arrangement {
  if (size.columns < smallest.columns || size.rows < smallest.rows) return { kind: 'too-small' };
  const body = size.rows - headerHeight - footerHeight;
  if (topPage(state)) return { kind: 'page', width: size.columns, height: body };
  const isWide = size.columns >= tiledFrom.columns && size.rows >= tiledFrom.rows;
  if (isWide && !state.zoomed) return tiled(size, state.pane, counts.containers);
  const room = size.rows < 18 ? 1 : size.rows < 30 ? 3 : 5;
  const { findings } = counts;
  const isHidden = state.zoomed || state.pane === 'findings' || findings === 0;
  const strip = isHidden ? 0 : 1 + Math.min(findings, room);
  return { kind: 'single', place: { pane: state.pane, width: size.columns, height: body - strip }, strip };
}
