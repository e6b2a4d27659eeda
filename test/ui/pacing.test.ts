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

test('numbers leave a frame of every second to the news', () => {
  const pacing = new Pacing();
  for (const at of [0, 250, 500]) pacing.drew(at);
  assert.equal(pacing.delay(750, 'numbers'), 250);
  assert.equal(pacing.delay(750, 'news'), 0);
  pacing.drew(750);
  assert.equal(pacing.delay(820, 'news'), 180);
});

test('whatever asks, and how often: no more than four frames in a second, and nobody waits longer than one', () => {
  const asks = fc.array(fc.tuple(fc.nat(400), fc.constantFrom<Reason>('news', 'numbers')), { maxLength: 60 });
  fc.assert(
    fc.property(asks, steps => {
      const pacing = new Pacing();
      const frames: number[] = [];
      let now = 0;
      for (const [step, reason] of steps) {
        now += step;
        const delay = pacing.delay(now, reason);
        assert.ok(delay <= 1000);
        if (delay > 0) continue;
        pacing.drew(now);
        frames.push(now);
      }
      frames.forEach((at, index) => assert.ok(index < 4 || at - frames[index - 4]! >= 1000));
    }),
  );
});
