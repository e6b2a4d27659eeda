import assert from 'node:assert/strict';
import { test } from 'node:test';
import { reduce } from '../../source/ui/reducer.ts';
import type { Action, Shapes } from '../../source/ui/reducer.ts';
import { initialState, topPage } from '../../source/ui/state.ts';
import type { UiState } from '../../source/ui/state.ts';

const keys = Array.from({ length: 50 }, (_, i) => `row ${i}`);
const shapes: Shapes = {
  list: { keys, lines: keys.map((_key, i) => i), lineCount: keys.length, height: 10 },
  columns: ['name', 'state', 'ports'],
  sort: { column: 'name', reverse: false },
  page: { lines: 40, height: 10 },
};
const run = (state: UiState, ...actions: Action[]): UiState =>
  actions.reduce((current, action) => reduce(current, action, shapes), state);
const fresh = initialState();
const list = (state: UiState) => state.lists[state.pane];

test('moving goes by rows, pages and halves, and stops at the ends', () => {
  assert.equal(list(run(fresh, { type: 'move', amount: 3 })).key, 'row 3');
  assert.equal(list(run(fresh, { type: 'move', amount: 'page' })).index, 9);
  assert.equal(list(run(fresh, { type: 'move', amount: 'half' })).index, 5);
  assert.equal(list(run(fresh, { type: 'move', amount: 'last' }, { type: 'move', amount: 1 })).index, 49);
  assert.equal(list(run(fresh, { type: 'move', amount: -1 })).index, 0);
});

test('Esc closes pages, then clears the filter, then the zoom, and then does nothing', () => {
  const open = run(
    fresh,
    { type: 'zoom' },
    { type: 'filter-text', text: 'web' },
    { type: 'open', page: { kind: 'container', containerId: 'a', tab: 'overview', top: 0 } },
    { type: 'open', page: { kind: 'help', top: 0 } },
  );
  const states = [open];
  for (let i = 0; i < 5; i += 1) states.push(run(states.at(-1)!, { type: 'back' }));
  assert.deepEqual(
    states.map(state => [state.pages.length, list(state).filter, state.zoomed]),
    [
      [2, 'web', true],
      [1, 'web', true],
      [0, 'web', true],
      [0, '', true],
      [0, '', false],
      [0, '', false],
    ],
  );
});

test('a filter is typed, erased by character and word, kept or dropped', () => {
  const typed = run(fresh, { type: 'edit-filter' }, { type: 'filter-text', text: 'mode:host 資' });
  assert.equal(list(run(typed, { type: 'filter-erase', what: 'character' })).filter, 'mode:host ');
  assert.equal(list(run(typed, { type: 'filter-erase', what: 'word' })).filter, 'mode:host ');
  assert.equal(list(run(typed, { type: 'filter-erase', what: 'all' })).filter, '');
  const kept = run(typed, { type: 'end-edit', keep: true });
  assert.deepEqual([kept.editing, list(kept).filter], [false, 'mode:host 資']);
  assert.equal(list(run(typed, { type: 'end-edit', keep: false })).filter, '');
});

test('sorting goes through the columns on screen, and reverses the one in use', () => {
  assert.deepEqual(list(run(fresh, { type: 'sort' })).sort, { column: 'state', reverse: false });
  assert.deepEqual(list(run(fresh, { type: 'reverse' })).sort, { column: 'name', reverse: true });
});

test('tabs and scrolling of a page stay in their bounds', () => {
  const page = run(fresh, { type: 'open', page: { kind: 'container', containerId: 'a', tab: 'overview', top: 0 } });
  const scrolled = run(page, { type: 'move', amount: 'last' });
  assert.equal(topPage(scrolled)?.top, 30);
  const next = topPage(run(scrolled, { type: 'next-tab', by: -1 }));
  assert.ok(next?.kind === 'container');
  assert.deepEqual([next.tab, next.top], ['raw', 0]);
});

test('another pane closes what is open, each pane keeps its own place', () => {
  const moved = run(fresh, { type: 'move', amount: 5 }, { type: 'next-pane', by: 1 }, { type: 'move', amount: 2 });
  assert.equal(moved.pane, 'links');
  assert.equal(moved.lists.containers.index, 5);
  assert.equal(moved.lists.links.index, 2);
  assert.equal(run(fresh, { type: 'next-pane', by: -1 }).pane, 'findings');
});
