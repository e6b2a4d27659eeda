import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inSlices } from '../../source/live/slices.ts';

/** Keeps the processor busy for so long. */
function work(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

function* pieces(count: number): Generator<void, string> {
  for (let piece = 0; piece < count; piece += 1) {
    work(3);
    yield;
  }
  return 'done';
}

test('other things come in between, and the result in the end', async () => {
  let between = 0;
  const timer = setInterval(() => (between += 1), 1);
  const result = await inSlices(pieces(20), () => false);
  clearInterval(timer);
  assert.equal(result?.value, 'done');
  assert.ok(result.tookMs >= 60);
  assert.ok(between >= 2, `${between} times`);
});

test('it can be ended early, and throws what it throws', async () => {
  assert.equal(await inSlices(pieces(20), () => true), undefined);
  const broken = (function* (): Generator<void, void> {
    yield;
    throw new Error('broken');
  })();
  await assert.rejects(
    inSlices(broken, () => false),
    /broken/,
  );
});
