import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { moveInList, scrollTo, settleList } from '../../source/ui/list-window.ts';
import type { ListShape } from '../../source/ui/list-window.ts';
import type { ListState } from '../../source/ui/state.ts';

const plain = (keys: string[], height: number): ListShape => ({
  keys,
  lines: keys.map((_key, i) => i),
  lineCount: keys.length,
  height,
});
const at = (key: string | undefined, index: number, top = 0): ListState => ({
  key,
  index,
  top,
  follow: false,
  filter: '',
});
const letters = 'abcdefghij'.split('');

test('the selection is the thing, not the row', () => {
  const settled = settleList(at('c', 2), plain(letters, 5), plain(['x', 'y', ...letters], 5));
  assert.equal(settled.key, 'c');
  assert.equal(settled.index, 4);
});

test('a row keeps its line on screen while others come and go above it', () => {
  const before = plain(letters, 4);
  const grown = plain(['x', 'y', ...letters], 4);
  const settled = settleList(at('g', 6, 4), before, grown);
  assert.equal(settled.index - settled.top, 6 - 4);
  const shrunk = settleList(settled, grown, before);
  assert.equal(shrunk.index - shrunk.top, 2);
});

test('the nearest neighbour takes over when the selected row is gone', () => {
  const without = letters.filter(letter => letter !== 'e');
  assert.equal(settleList(at('e', 4), plain(letters, 5), plain(without, 5)).key, 'f');
  assert.equal(settleList(at('j', 9), plain(letters, 5), plain(letters.slice(0, -1), 5)).key, 'i');
});

test('an empty list keeps the selection for when its row comes back', () => {
  const empty = settleList(at('c', 2, 1), plain(letters, 2), plain([], 2));
  assert.equal(empty.key, 'c');
  assert.equal(settleList(empty, plain([], 2), plain(letters, 2)).key, 'c');
});

test('a feed stays on its newest row until one moves away from it', () => {
  const feed: ListState = { ...at('a', 0), follow: true };
  const arrived = plain(['new', ...letters], 5);
  assert.equal(settleList(feed, plain(letters, 5), arrived).key, 'new');
  const moved = moveInList(feed, 1, plain(letters, 5), true);
  assert.equal(moved.follow, false);
  assert.equal(settleList(moved, plain(letters, 5), arrived).key, 'b');
  assert.equal(moveInList(moved, 'first', arrived, true).follow, true);
});

test('scrolling is as little as shows the row, with the heading above it', () => {
  const shape = { lineCount: 20, height: 5, lines: Array.from({ length: 20 }, (_, i) => i) };
  assert.equal(scrollTo(3, 0, shape), 0);
  assert.equal(scrollTo(5, 0, shape), 1);
  assert.equal(scrollTo(2, 4, shape), 2);
  const headed = { lineCount: 6, height: 3, lines: [1, 2, 4, 5] };
  assert.equal(scrollTo(4, 5, headed), 3);
});

test('whatever changes, the selected row is on screen and the list fills it', () => {
  const keys = fc.uniqueArray(fc.integer({ min: 0, max: 40 }), { minLength: 1, maxLength: 40 });
  fc.assert(
    fc.property(keys, keys, fc.nat(40), fc.nat(40), fc.integer({ min: 1, max: 12 }), (one, two, index, top, height) => {
      const before = plain(one.map(String), height);
      const after = plain(two.map(String), height);
      const chosen = index % one.length;
      const first = settleList(at(before.keys[chosen], chosen, top), undefined, before);
      const settled = settleList(first, before, after);
      assert.equal(after.keys[settled.index], settled.key);
      assert.ok(settled.index >= settled.top && settled.index < settled.top + height);
      assert.ok(settled.top <= Math.max(0, after.lineCount - height));
      assert.equal(settleList(settled, after, after), settled);
    }),
  );
});
