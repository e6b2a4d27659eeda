import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HostError } from '../../source/host/host.ts';
import type { Outcome, Reading } from '../../source/host/readings.ts';
import { Poller, type PollerOptions } from '../../source/live/poller.ts';
import { Store } from '../../source/live/store.ts';

/** A source whose reads end when the test says so. */
function source(options: Partial<PollerOptions<{ n: number }>> = {}) {
  const waiting: { resolve(outcome: Outcome<{ n: number }>): void; reject(error: unknown): void }[] = [];
  const seen: { reading: Reading<{ n: number }>; changed: boolean }[] = [];
  let clock = 0;
  const poller = new Poller<{ n: number }>({
    read: () => new Promise((resolve, reject) => waiting.push({ resolve, reject })),
    now: () => (clock += 1),
    everyMs: () => undefined,
    timeoutMs: 10_000,
    hintGapMs: 0,
    onReading: (reading, changed) => seen.push({ reading, changed }),
    ...options,
  });
  return { poller, waiting, seen };
}

test('never reads twice at a time; whoever asks during a read gets one that began later', async () => {
  const { poller, waiting } = source();
  const first = poller.poke();
  const second = poller.poke();
  const third = poller.poke();
  assert.equal(waiting.length, 1);
  waiting[0]!.resolve({ value: { n: 1 } });
  await first;
  // Second and third share one read.
  await Promise.resolve();
  assert.equal(waiting.length, 2);
  waiting[1]!.resolve({ value: { n: 2 } });
  await Promise.all([second, third]);
  assert.equal(waiting.length, 2);
  assert.deepEqual(poller.reading.value, { n: 2 });
});

test('an equal value keeps its identity and is no change, but is newer', async () => {
  const { poller, waiting, seen } = source();
  for (const n of [1, 1, 2]) {
    const done = poller.poke();
    waiting.at(-1)!.resolve({ value: { n } });
    await done;
  }
  assert.deepEqual(
    seen.map(({ changed }) => changed),
    [true, false, true],
  );
  assert.equal(seen[0]!.reading.value, seen[1]!.reading.value);
  assert.ok(seen[1]!.reading.at! > seen[0]!.reading.at!);
});

test('a failure keeps the last good value with its time, and says why; what is missing makes it partial', async () => {
  const { poller, waiting } = source();
  let done = poller.poke();
  waiting[0]!.resolve({ value: { n: 1 }, missing: 'the rest' });
  await done;
  assert.deepEqual(poller.reading, { state: 'partial', reason: 'the rest', at: 1, value: { n: 1 } });
  done = poller.poke();
  waiting[1]!.reject(new HostError('denied', 'needs root'));
  await done;
  assert.deepEqual(poller.reading, { state: 'failed', reason: 'needs root', at: 1, value: { n: 1 } });
  done = poller.poke();
  waiting[2]!.reject(new TypeError('oops'));
  await done;
  assert.equal(poller.reading.reason, 'internal error: oops');
});

test('a read that does not end counts as failed, and its answer is not taken later', async () => {
  const { poller, waiting } = source({ timeoutMs: 20 });
  await poller.poke();
  assert.equal(poller.reading.state, 'failed');
  assert.match(poller.reading.reason ?? '', /no answer within/);
  waiting[0]!.resolve({ value: { n: 1 } });
  await new Promise(resolve => setImmediate(resolve));
  assert.equal(poller.reading.value, undefined);
});

test('many hints make one read', async () => {
  const { poller, waiting } = source();
  for (let n = 0; n < 10; n += 1) poller.hint(5);
  await new Promise(resolve => setTimeout(resolve, 50));
  assert.equal(waiting.length, 1);
  poller.stop();
});

test('after stop nothing is told and nothing runs', async () => {
  const { poller, waiting, seen } = source({ everyMs: () => 1 });
  const done = poller.poke();
  poller.stop();
  waiting[0]!.resolve({ value: { n: 1 } });
  await done;
  poller.hint(0);
  await poller.poke();
  await new Promise(resolve => setTimeout(resolve, 20));
  assert.equal(waiting.length, 1);
  assert.deepEqual(seen, []);
});

test('a pinned store shows the pin while it goes on, and the newest value afterwards', () => {
  const store = new Store(1);
  const shown: number[] = [];
  const unsubscribe = store.subscribe(() => shown.push(store.get()));
  store.set(2);
  store.pin(2);
  store.set(3);
  store.set(4);
  assert.equal(store.get(), 2);
  assert.equal(store.latest, 4);
  store.pin(undefined);
  store.set(4);
  unsubscribe();
  store.set(5);
  assert.deepEqual(shown, [2, 2, 4]);
});
