import assert from 'node:assert/strict';
import { test } from 'node:test';
import { helpLines, footerLine } from '../../source/ui/help.ts';
import { keysOf } from '../../source/ui/input.ts';
import type { InkKey } from '../../source/ui/input.ts';
import { commandFor, keyTable } from '../../source/ui/key-table.ts';
import type { KeyContext } from '../../source/ui/key-table.ts';
import { lineWidth } from '../../source/present/layout.ts';

const none: InkKey = {
  upArrow: false,
  downArrow: false,
  leftArrow: false,
  rightArrow: false,
  pageUp: false,
  pageDown: false,
  home: false,
  end: false,
  return: false,
  escape: false,
  ctrl: false,
  shift: false,
  tab: false,
  backspace: false,
  delete: false,
  meta: false,
};
const contexts: readonly KeyContext[] = ['panes', 'container', 'text', 'filter'];

test('keys that arrive together are taken one by one', () => {
  assert.deepEqual(keysOf('jjjj', none), ['j', 'j', 'j', 'j']);
  assert.deepEqual(keysOf('q\r', none), ['q', 'enter']);
  assert.deepEqual(keysOf('/web\u{7F}\t\u{4}', none), ['/', 'w', 'e', 'b', 'backspace', 'tab', 'ctrl-d']);
  assert.deepEqual(keysOf('資🙂', none), ['資', '🙂']);
});

test('named keys and control keys', () => {
  assert.deepEqual(keysOf('', { ...none, upArrow: true }), ['up']);
  assert.deepEqual(keysOf('', { ...none, tab: true, shift: true }), ['shift-tab']);
  assert.deepEqual(keysOf('c', { ...none, ctrl: true }), ['ctrl-c']);
  assert.deepEqual(keysOf('', { ...none, escape: true, meta: true }), ['escape']);
  assert.deepEqual(keysOf('x', { ...none, meta: true }), []);
});

test('a key has one meaning in one place', () => {
  for (const context of contexts) {
    const keys = keyTable.filter(binding => binding.contexts.includes(context)).flatMap(binding => binding.keys);
    assert.deepEqual(
      keys.filter((key, i) => keys.indexOf(key) !== i),
      [],
      context,
    );
  }
});

test('one can leave from everywhere, and Esc never quits', () => {
  for (const context of contexts) {
    assert.equal(commandFor('ctrl-c', context), 'quit');
    assert.notEqual(commandFor('escape', context), 'quit');
    assert.notEqual(commandFor('escape', context), undefined);
  }
  assert.equal(commandFor('q', 'filter'), undefined);
});

test('the help names every key of the table', () => {
  const text = helpLines(100)
    .map(line => line.map(part => part.text).join(''))
    .join('\n');
  for (const binding of keyTable) {
    assert.ok(text.includes(binding.label), binding.label);
    assert.ok(text.includes(binding.help), binding.help);
  }
});

test('the footer fits and always says how to leave', () => {
  for (const context of contexts) {
    for (let width = 60; width <= 200; width += 20) {
      const line = footerLine(context, width);
      assert.ok(lineWidth(line) <= width);
      assert.match(line.map(part => part.text).join(''), /quit|Esc/);
    }
  }
});
