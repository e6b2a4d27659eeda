/** When things are judged again: at once for what is new, by time alone less and less often. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { keepSightings, type Sightings } from '../../source/facts/sightings.ts';
import type { Readings } from '../../source/host/readings.ts';
import { container, docker, now, ok, readings } from './build.ts';

/** Follows a host, a look a second. @returns after how many seconds something had to be judged again */
function judgedAt(seconds: number, readingsAt: (second: number) => Readings): number[] {
  const found: number[] = [];
  let sightings: Sightings | undefined;
  for (let second = 0; second < seconds; second += 1) {
    const next = keepSightings(sightings, readingsAt(second), now + second * 1000);
    if (next !== sightings) found.push(second);
    sightings = next;
  }
  return found;
}

const quiet = docker({ containers: [container('web', { startedAt: now - 3_600_000 })] });
const busy = docker({ containers: [container('web', { startedAt: now - 3_600_000 }), container('db', {})] });
const gaps = (times: readonly number[]): number[] => times.slice(1).map((time, index) => time - times[index]!);

test('where nothing is new, time alone has things judged twice a minute, and after two minutes every five', () => {
  const host = readings({ docker: ok(quiet) });
  const times = judgedAt(1200, () => host);
  assert.deepEqual(gaps(times.filter(time => time < 120)), [30, 30, 30]);
  // The change of the step itself is one more.
  assert.deepEqual(gaps(times.filter(time => time > 120)), [300, 300]);
  assert.ok(
    gaps(times).every(gap => gap <= 300),
    String(times),
  );
});

test('what is new, and what is seen a second time, is judged at once, and the two minutes begin again', () => {
  const host = readings();
  const news = judgedAt(600, second => ({
    ...host,
    docker: ok(second < 300 ? quiet : busy, now + (second < 300 ? 0 : second < 310 ? 300 : 310) * 1000),
  }));
  assert.ok(news.includes(300), String(news));
  assert.ok(news.includes(310), 'confirmed by a second look');
  const after = news.filter(time => time > 310 && time < 430);
  assert.deepEqual(gaps(after), [30, 30, 30]);
});
