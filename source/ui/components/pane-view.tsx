/** A pane: its rule or the tabs, the titles of its columns, and the rows that are on screen. */
import { Box } from 'ink';
import { memo } from 'react';
import type { ReactElement } from 'react';
import { cell } from '../../present/cell.ts';
import type { Cell, Line } from '../../present/cell.ts';
import { cutLine, itemLine, lineWidth, titleLine } from '../../present/layout.ts';
import type { Layout } from '../../present/layout.ts';
import { spread } from '../../present/segments.ts';
import type { List, ListItem } from '../../present/table.ts';
import { plural } from '../../present/units.ts';
import { glyphs } from '../../terminal/charset.ts';
import { widthOf } from '../../terminal/width.ts';
import { markerWidth } from '../model.ts';
import type { Entry, PaneModel } from '../model.ts';
import { LinesView, LineView } from './line.tsx';
import { ruleLine } from './rule.ts';

/** `12`, or `3/12` when some are filtered out or hidden; `?` when nobody knows. */
export function countText({ list, notices }: PaneModel): string {
  const all = list.total + list.hidden;
  if (all === 0 && notices.length > 0) return '?';
  return list.items.length === all ? String(all) : `${list.items.length}/${all}`;
}

/** The pane's own rule, when several panes are on screen. */
export function paneRule(model: PaneModel): Line {
  const { pane, place, focused } = model;
  const title = [
    cell(`${pane.hotkey} `, focused ? 'accent' : 'dim'),
    cell(pane.title, focused ? 'title' : 'plain'),
    cell(` ${countText(model)}`, 'dim'),
  ];
  return ruleLine(title, whichRows(model), place.width, focused);
}

/** `3-17 of 64`: which rows are on screen, headings not counted, where not all of them are. */
function whichRows({ entries, shape, state }: PaneModel): string {
  if (shape.lineCount <= shape.height) return '';
  const rows = entries.slice(state.top, state.top + shape.height).filter(entry => entry.kind === 'row');
  const [first, last] = [rows.at(0), rows.at(-1)];
  return first && last ? `${first.index + 1}-${last.index + 1} of ${shape.keys.length}` : '';
}

function filterLine(model: PaneModel, editing: boolean): Line {
  const { state, list } = model;
  const caret = editing ? glyphs.caret : '';
  const said: Cell = list.filterError
    ? cell(`  ${list.filterError}`, 'bad')
    : cell(`  ${plural(list.items.length, 'row')} of ${list.total}`, 'dim');
  return [cell('  / ', 'accent'), cell(state.filter + caret, 'title'), said];
}

/** The titles, and at the right how many columns there was no room for: in a word, or where even that finds no room as a number. */
function titles({ list, layout, place }: PaneModel): Line {
  const line: Line = [cell(' '.repeat(markerWidth)), ...titleLine(list, layout)];
  const count = layout.dropped.length;
  if (count === 0) return line;
  const last = line.at(-1)!;
  const bare = [...line.slice(0, -1), cell(last.text.trimEnd(), last.tone)];
  const note = [` +${plural(count, 'column')}`, ` +${count}`].find(
    text => lineWidth(bare) + widthOf(text) <= place.width,
  );
  return note === undefined ? line : spread(bare, [cell(note, 'dim')], place.width);
}

interface RowViewProps {
  columns: List['columns'];
  item: ListItem;
  layout: Layout;
  width: number;
  isSelected: boolean;
}

/** Draws a row; one that says what it said, in the same place, is not even composed again. */
const RowView = memo(function RowView({ columns, item, layout, width, isSelected }: RowViewProps): ReactElement {
  const line = itemLine(columns, item, layout);
  if (!isSelected) return <LineView width={width} line={[cell(' '.repeat(markerWidth)), ...line]} />;
  return (
    <Box width={width} height={1}>
      <LineView width={1} line={[cell(glyphs.marker, 'accent')]} />
      <LineView width={width - 1} line={[cell(' '), ...line]} selected />
    </Box>
  );
});

function EntryView({ entry, model }: { entry: Entry; model: PaneModel }): ReactElement {
  const { list, layout, place, focused, state } = model;
  const { width } = place;
  if (entry.kind === 'section')
    return <LineView width={width} line={cutLine([cell(`  ${entry.text}`, 'title')], width)} />;
  const item = list.items[entry.index]!;
  const isSelected = focused && item.key === state.key;
  return <RowView columns={list.columns} item={item} layout={layout} width={width} isSelected={isSelected} />;
}

export interface PaneViewProps {
  model: PaneModel;
  /** The line above the titles: the tabs, or the pane's rule. */
  top: Line;
  editing: boolean;
}

/** Draws a pane in exactly its place: where notices take more than there is, the rest gives way. */
export function PaneView({ model, top, editing }: PaneViewProps): ReactElement {
  const { place, entries, state, shape, notices, empty } = model;
  const { width } = place;
  const isEditing = editing && model.focused;
  const visible = entries.slice(state.top, state.top + shape.height);
  const indent = (line: Line): Line => cutLine([cell(' '.repeat(markerWidth)), ...line], width);
  const above = [
    cutLine(top, width),
    ...(state.filter !== '' || isEditing ? [cutLine(filterLine(model, isEditing), width)] : []),
    ...notices.map(indent),
    ...(visible.length > 0 ? [titles(model)] : empty.map(indent)),
  ].slice(0, place.height);
  return (
    <Box flexDirection="column" width={width} height={place.height}>
      <LinesView width={width} lines={above} />
      {visible.slice(0, place.height - above.length).map((entry, i) => (
        <EntryView
          key={entry.kind === 'row' ? model.list.items[entry.index]!.key : `section ${i}`}
          entry={entry}
          model={model}
        />
      ))}
    </Box>
  );
}
