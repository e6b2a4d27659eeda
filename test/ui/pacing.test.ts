import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { Pacing, type Reason } from '../../source/ui/pacing.ts';

test('the first frame and news after a pause are drawn at once', () => {
  const pacing = new Pacing();
  assert.equal(pacing.delay(1000, 'numbers'), 0);
  pacing.drew(1000);
  assert.equal(pacing.delay(1000, 'news'), 60);
  assert.equal(pacing.delay(1060, 'news'), 0);
  assert.equal(pacing.delay(1100, 'numbers'), 150);
});

test('a burst of news is drawn at once, and numbers leave it room', () => {
  const pacing = new Pacing();
  for (const at of [0, 60, 120, 180]) {
    assert.equal(pacing.delay(at, 'news'), 0);
    pacing.drew(at);
  }
  // Of the four frames, 180 ms have brought back 0.72.
  assert.equal(Math.round(pacing.delay(180, 'news')), 70);
  assert.equal(Math.round(pacing.delay(180, 'numbers')), 570);
});

test('ports that changed are drawn at once even after a burst of news, and the others wait for that', () => {
  const pacing = new Pacing();
  for (const at of [0, 60, 120, 180]) pacing.drew(at);
  assert.equal(pacing.delay(181, 'ports'), 0);
  pacing.drew(181);
  assert.equal(pacing.delay(182, 'ports'), 0);
  assert.equal(Math.round(pacing.delay(182, 'news')), 318);
});

test('while somebody types news and numbers are further apart, and ports are not', () => {
  const pacing = new Pacing();
  pacing.drew(1000);
  pacing.typed(1010);
  assert.equal(pacing.delay(1060, 'news'), 340);
  assert.equal(pacing.delay(1300, 'numbers'), 100);
  assert.equal(pacing.delay(1060, 'ports'), 0);
  assert.equal(pacing.delay(1700, 'news'), 0);
});

test('whatever asks, and how often: four frames a second in the long run, on credit two more, and nobody waits longer than a second', () => {
  const asks = fc.array(fc.tuple(fc.nat(300), fc.constantFrom<Reason>('ports', 'news', 'numbers')), { maxLength: 80 });
  fc.assert(
    fc.property(asks, steps => {
      const pacing = new Pacing();
      const frames: number[] = [];
      let now = 0;
      for (const [step, reason] of steps) {
        now += step;
        if (step % 3 === 0) pacing.typed(now);
        const delay = pacing.delay(now, reason);
        assert.ok(delay <= 1000, String(delay));
        if (delay > 0) continue;
        pacing.drew(now);
        frames.push(now);
      }
      frames.forEach((from, first) =>
        frames.slice(first).forEach((to, count) => assert.ok(count + 1 <= 4 + 2 + ((to - from) / 1000) * 4 + 1e-6)),
      );
    }),
  );
});
