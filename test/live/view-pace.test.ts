import assert from 'node:assert/strict';
import { afterEach, beforeEach, mock, test } from 'node:test';
import { ViewPace } from '../../source/live/view-pace.ts';

/** ms of the mocked clock, which stands still while a view is being made unless the test says otherwise. */
let now = 0;

beforeEach(() => {
  now = 0;
  mock.timers.enable({ apis: ['setTimeout'] });
  mock.method(performance, 'now', () => now);
});
afterEach(() => {
  mock.timers.reset();
  mock.restoreAll();
});

/** Lets what has its turn take it: so many rounds of the event loop. */
const rounds = async (count = 6): Promise<void> => {
  for (let round = 0; round < count; round += 1) await new Promise(resolve => setImmediate(resolve));
};
const pass = async (ms: number): Promise<void> => {
  for (let passed = 0; passed < ms; passed += 1) {
    now += 1;
    mock.timers.tick(1);
  }
  await rounds();
};

/** A pace that notes when views were made. */
const follow = (pieces: () => Generator<void, void> = onePiece) => {
  const madeAt: number[] = [];
  const pace = new ViewPace({
    make: pieces,
    onMade: () => madeAt.push(now),
    isStarting: () => false,
    isFollowed: () => true,
  });
  return { pace, madeAt };
};
function* onePiece(): Generator<void, void> {
  yield;
}
/** Two pieces, each of which takes as long as a slice may. */
function* twoSlices(): Generator<void, void> {
  now += 10;
  yield;
  now += 10;
  yield;
}

test('what comes together makes one view', async () => {
  const { pace, madeAt } = follow();
  pace.soon(8);
  pace.soon(8);
  pace.soon(300);
  await pass(260);
  assert.deepEqual(madeAt.length, 1);
  pace.soon(8);
  await pass(100);
  assert.equal(madeAt.length, 1, 'the next one waits for its time');
  await pass(250);
  assert.equal(madeAt.length, 2);
});

test('where changes do not cease there are fewer and fewer views, but what is waited for comes at once', async () => {
  const { pace, madeAt } = follow();
  for (let ms = 0; ms < 20_000; ms += 20) {
    pace.soon(8);
    await pass(20);
  }
  const early = madeAt.filter(at => at < 2000).length;
  const late = madeAt.filter(at => at >= 18_000).length;
  assert.ok(early >= 6 && late >= 3 && late < early, `${early} in the first two seconds, ${late} in the last two`);
  const before = madeAt.length;
  pace.soon(2, { isAwaited: true });
  await pass(3);
  assert.equal(madeAt.length, before + 1);
  await pass(20_000);
  pace.soon(8);
  await pass(10);
  assert.equal(madeAt.length, before + 2, 'after some rest the next change is on screen at once');
});

test('what is asked for while a view is being made is made after it, since it may lack that', async () => {
  const { pace, madeAt } = follow(twoSlices);
  const first = pace.make();
  pace.soon(2, { isAwaited: true });
  await rounds();
  await first;
  assert.equal(madeAt.length, 1);
  await pass(40);
  assert.equal(madeAt.length, 2);
});

test('one view is made at a time, and each that is asked for is', async () => {
  let underWay = 0;
  let most = 0;
  const { pace, madeAt } = follow(function* () {
    underWay += 1;
    most = Math.max(most, underWay);
    yield* twoSlices();
    underWay -= 1;
  });
  await Promise.all([pace.make(), pace.make(), pace.make()]);
  assert.equal(madeAt.length, 3);
  assert.equal(most, 1);
});

test('after the end nothing is made any more, and what was begun is given up', async () => {
  const { pace, madeAt } = follow(twoSlices);
  pace.soon(8);
  const made = pace.make();
  pace.stop();
  await made;
  pace.soon(0);
  await pass(1000);
  assert.deepEqual(madeAt, []);
});
