/** Which lines of a list are on screen, and which row is selected, after anything has changed. Pure. */
import type { ListState } from './state.ts';

/** A list as far as scrolling is concerned. */
export interface ListShape {
  /** The rows' identities, in order. */
  keys: readonly string[];
  /** The line on which each row stands; section headings take lines too. */
  lines: readonly number[];
  /** All lines. */
  lineCount: number;
  /** Lines on screen. */
  height: number;
}

/** The smallest scrolling that shows `line`, and the heading right above it when it would be hidden by one line. */
export function scrollTo(line: number, top: number, shape: Pick<ListShape, 'lineCount' | 'height' | 'lines'>): number {
  const { height, lineCount, lines } = shape;
  const isUnderHeading = line > 0 && !lines.includes(line - 1);
  let next = top;
  if (line < next) next = line;
  if (line >= next + height) next = line - height + 1;
  if (isUnderHeading && next === line && height > 1) next = line - 1;
  return Math.max(0, Math.min(next, Math.max(0, lineCount - height)));
}

/**
 * Holds a list still while its rows change: the selected row keeps its line on screen as others come and go above it,
 * and its nearest neighbour takes over when it is gone.
 */
export function settleList(list: ListState, before: ListShape | undefined, shape: ListShape): ListState {
  const { keys, lines } = shape;
  if (keys.length === 0) return list.top === 0 ? list : { ...list, top: 0 };
  const found = list.key === undefined ? -1 : keys.indexOf(list.key);
  const index = list.follow ? 0 : found >= 0 ? found : Math.min(list.index, keys.length - 1);
  const lineBefore = list.follow ? undefined : before?.lines[list.index];
  const shift = lineBefore === undefined ? 0 : lines[index]! - lineBefore;
  // At the very top there is nothing above to hold still for.
  const held = list.top === 0 && index === 0 ? 0 : Math.max(0, list.top + shift);
  const top = scrollTo(lines[index]!, list.top === 0 && lines[index]! < shape.height ? 0 : held, shape);
  const key = keys[index];
  return key === list.key && index === list.index && top === list.top ? list : { ...list, key, index, top };
}

/** Moves the selection by rows, or to an end. */
export function moveInList(list: ListState, by: number | 'first' | 'last', shape: ListShape, feed: boolean): ListState {
  const { keys, lines } = shape;
  if (keys.length === 0) return list;
  const last = keys.length - 1;
  const index = by === 'first' ? 0 : by === 'last' ? last : Math.max(0, Math.min(last, list.index + by));
  return {
    ...list,
    key: keys[index],
    index,
    top: index === 0 ? 0 : scrollTo(lines[index]!, list.top, shape),
    follow: feed && index === 0,
  };
}
