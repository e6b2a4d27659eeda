import assert from 'node:assert/strict';
import { test } from 'node:test';
import { holdMs, InOrder } from '../../source/commands/in-order.ts';

const at = (second: number) => ({ at: `2026-01-01T00:00:0${second}.000Z` });

test('each event waits for earlier ones, also the last of a batch', () => {
  const order = new InOrder<{ at: string }>();
  assert.equal(order.dueIn(0), undefined);
  order.add(at(5), 0);
  order.add(at(7), holdMs - 1);
  assert.equal(order.dueIn(holdMs - 1), 1);
  assert.deepEqual(order.take(holdMs), [at(5)]);
  // What happened before it is seen after it, and told before it.
  order.add(at(6), holdMs + 200);
  assert.deepEqual(order.take(holdMs + 210), []);
  assert.deepEqual(order.take(2 * holdMs - 1), [at(6), at(7)]);
  assert.equal(order.dueIn(1000), undefined);
});

test('at the end all are told, oldest first', () => {
  const order = new InOrder<{ at: string }>();
  for (const second of [3, 1, 2]) order.add(at(second), 0);
  assert.deepEqual(order.take(Infinity), [at(1), at(2), at(3)]);
});
