import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assert as check, jsonValue, property } from 'fast-check';
import { reuse, stepping } from '../../source/facts/sharing.ts';

test('equal parts keep their identity, wherever their place in a list with ids is', () => {
  const before = [
    { id: 'a', ports: [{ port: 1 }], name: 'x' },
    { id: 'b', ports: [{ port: 2 }], name: 'y' },
  ];
  const after = reuse(before, [
    { id: 'new', ports: [], name: 'n' },
    { id: 'b', ports: [{ port: 2 }], name: 'z' },
    { id: 'a', ports: [{ port: 1 }], name: 'x' },
  ]);
  assert.equal(after[2], before[0]);
  assert.notEqual(after[1], before[1]);
  assert.equal(after[1]?.ports, before[1]?.ports);
});

test('what is renumbered after one that came or went is still what it was, by the parts that are the very same', () => {
  const asks = Array.from({ length: 20 }, (_, port) => ({ port }));
  const listed = (parts: typeof asks) =>
    parts.map((ask, place) => ({ number: place + 1, text: `to ${ask.port}`, ask }));
  const before = listed(asks);
  const removed = reuse(before, listed(asks.toSpliced(3, 1)));
  const added = reuse(before, listed(asks.toSpliced(3, 0, { port: 99 })));
  for (const { ask } of removed) assert.ok(asks.includes(ask));
  assert.equal(added.filter(({ ask }) => asks.includes(ask)).length, 20);
  assert.equal(removed[2], before[2]);
});

test('a key that is there with undefined is not one that is absent', () => {
  const before: Record<string, unknown> = { a: 1, b: undefined };
  const after: Record<string, unknown> = { a: 1, c: undefined };
  assert.deepEqual(Object.keys(reuse(before, after)), ['a', 'c']);
});

test('the result always equals the new value, and is the old one when that is equal', () => {
  check(
    property(jsonValue(), jsonValue(), (before, after) => {
      assert.deepEqual(reuse(before, after), after);
      assert.equal(reuse(before, structuredClone(before)), before);
    }),
  );
});

test('a step is made again only when an input is another object', () => {
  let made = 0;
  const make = () => ({ count: ++made });
  const input = {};
  const first = new Map<string, { inputs: readonly unknown[]; output: unknown }>();
  const a = stepping(undefined, first)('x', [input, 1], make);
  const second = new Map<string, { inputs: readonly unknown[]; output: unknown }>();
  assert.equal(stepping(first, second)('x', [input, 1], make), a);
  assert.notEqual(stepping(second, new Map())('x', [{}, 1], make), a);
  assert.equal(made, 2);
});
