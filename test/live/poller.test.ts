import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
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

test('is outdated from a hint until the end of a read that began after it', async () => {
  const { poller, waiting } = source();
  const first = poller.poke();
  assert.ok(!poller.isOutdated, 'a read that nothing asked for tells of no change');
  poller.hint(0);
  assert.ok(poller.isOutdated);
  // Time enough for the hint to come up while the first read runs, which began before it.
  await sleep(20);
  waiting[0]!.resolve({ value: { n: 1 } });
  await first;
  assert.ok(poller.isOutdated);
  while (waiting.length < 2) await sleep(1);
  assert.ok(poller.isOutdated);
  waiting[1]!.resolve({ value: { n: 1 } });
  while (poller.isOutdated) await sleep(1);
  assert.equal(waiting.length, 2);
  poller.hint(10_000);
  assert.ok(poller.isOutdated);
  poller.stop();
  assert.ok(!poller.isOutdated);
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

test('who reads is told what is kept of what was read', async () => {
  const told: { n: number }[][] = [];
  const { poller, waiting } = source({ onKept: (value, kept) => told.push([value, kept]) });
  const values = [{ n: 1 }, { n: 1 }, { n: 2 }];
  for (const value of values) {
    const done = poller.poke();
    waiting.at(-1)!.resolve({ value });
    await done;
  }
  assert.deepEqual(
    told.map(([value]) => values.indexOf(value!)),
    [0, 1, 2],
  );
  assert.equal(told[1]![1], told[0]![1], 'what equals the value of before is that');
  assert.equal(told[2]![1], poller.reading.value);
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

test('a read that begins before a hint is due does not take its place', async () => {
  const { poller, waiting } = source();
  poller.hint(30);
  const early = poller.poke();
  waiting[0]!.resolve({ value: { n: 1 } });
  await early;
  await new Promise(resolve => setTimeout(resolve, 80));
  assert.equal(waiting.length, 2, 'what the hint announced was not there yet');
  waiting[1]!.resolve({ value: { n: 2 } });
  await new Promise(resolve => setTimeout(resolve, 50));
  assert.equal(waiting.length, 2);
  poller.stop();
});

test('a timed read and another schedule leave a hint alone', async () => {
  let every = 10;
  const { poller, waiting } = source({ everyMs: () => every });
  const first = poller.poke();
  waiting[0]!.resolve({ value: { n: 1 } });
  await first;
  poller.hint(60);
  every = 60_000;
  poller.reschedule();
  await new Promise(resolve => setTimeout(resolve, 120));
  assert.equal(waiting.length, 2);
  poller.stop();
});

test('hints of a source that fails wait for its next try', async () => {
  const { poller, waiting } = source();
  const done = poller.poke();
  poller.hint(0);
  waiting[0]!.reject(new HostError('refused', 'nobody there'));
  await done;
  await new Promise(resolve => setTimeout(resolve, 60));
  assert.equal(waiting.length, 1);
  poller.stop();
});

test('a part that was read anew makes nothing else newer', async () => {
  const { poller, waiting, seen } = source();
  assert.equal(poller.amend({ n: 1 }), false, 'there is nothing yet to be a part of');
  const done = poller.poke();
  waiting[0]!.resolve({ value: { n: 1 }, missing: 'the rest' });
  await done;
  const before = poller.reading;
  assert.equal(poller.amend({ n: 1 }), false);
  assert.equal(poller.reading.value, before.value);
  assert.equal(poller.amend({ n: 2 }), true);
  assert.deepEqual(poller.reading, { ...before, value: { n: 2 } });
  assert.equal(seen.length, 1);
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

test('hints that do not cease are obeyed less and less often, and the last one still is', async () => {
  let reads = 0;
  const gap = 20;
  let told: (() => void) | undefined;
  const poller = new Poller<number>({
    read: () => {
      reads += 1;
      told?.();
      return Promise.resolve({ value: reads });
    },
    now: () => 0,
    everyMs: () => undefined,
    timeoutMs: 10_000,
    hintGapMs: gap,
    onReading: () => undefined,
  });
  const end = performance.now() + 30 * gap;
  while (performance.now() < end) {
    poller.hint(0);
    await sleep(1);
  }
  // A slow machine makes fewer, never more: without the longer pauses it would be thirty.
  assert.ok(reads >= 1 && reads <= 15, `${reads} reads`);
  await new Promise<void>(resolve => {
    told = resolve;
    poller.hint(0);
  });
  poller.stop();
});
