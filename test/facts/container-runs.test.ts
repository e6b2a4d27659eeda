import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { runsBetween, type RunState } from '../../source/facts/container-runs.ts';
import type { DockerEvent } from '../../source/host/host.ts';
import { now } from './build.ts';

const at = (ms: number): string => new Date(now + ms).toISOString();
const event = (action: string, ms: number, attributes: Record<string, string> = {}): DockerEvent => ({
  type: 'container',
  action,
  id: 'a',
  attributes,
  at: now + ms,
});
const start = (ms: number) => event('start', ms);
const die = (ms: number, exitCode = '1') => event('die', ms, { exitCode });
const made: RunState = { state: 'created' };
const up = (startedAt: number, finishedAt?: number): RunState => ({
  state: 'running',
  startedAt: at(startedAt),
  ...(finishedAt !== undefined && { finishedAt: at(finishedAt) }),
});
const down = (startedAt: number, finishedAt: number, exitCode = 1): RunState => ({
  state: 'exited',
  startedAt: at(startedAt),
  finishedAt: at(finishedAt),
  exitCode,
});

/** `+` a start, `-` an end with its exit code, each with its time. */
const runs = (was: RunState | undefined, is: RunState | undefined, ...events: DockerEvent[]): string =>
  runsBetween(was, is, events, at(9000))
    .map(({ type, at: time, exitCode }) => {
      const ms = Date.parse(time) - now;
      return type === 'container-started' ? `+${ms}` : `-${ms}(${exitCode ?? '?'})`;
    })
    .join(' ');

describe('runsBetween', () => {
  it('tells of a run that no look saw running', () => {
    assert.equal(runs(made, down(100, 120, 9)), '+100 -120(9)');
    assert.equal(runs(undefined, down(100, 120, 9)), '+100 -120(9)');
    assert.equal(runs(down(-500, -400), { ...down(100, 120, 9), state: 'restarting' }), '+100 -120(9)');
  });

  it('tells each run of a crash loop once, whatever of it the looks show', () => {
    const all = [start(110), die(150), start(310), die(350), start(710), die(750), start(1510)];
    const looks = [
      [made, undefined],
      [made, down(700, 740), up(1500, 740), undefined],
      [made, up(100), down(100, 140), down(300, 340), undefined],
      [made, { ...down(300, 340), state: 'restarting' as const }, up(1500, 740), undefined],
    ];
    for (const seen of looks) {
      const told = seen.slice(1).flatMap((is, i) => runs(seen[i], is, ...all).split(' '));
      const kinds = told.filter(each => each !== '').map(each => each[0]);
      assert.equal(kinds.join(''), '+-+-+-+-', `of ${JSON.stringify(seen)}: ${told.join(' ')}`);
    }
  });

  it('tells what came after a look only when another has shown it', () => {
    assert.equal(runs(made, up(100), start(110), die(150), start(310)), '+100');
    assert.equal(runs(up(100), up(100), start(110), die(150), start(310)), '');
    assert.equal(runs(up(100), down(100, 140), start(110), die(150), start(310)), '-140(1)');
  });

  it('takes the start of the run before for no other', () => {
    assert.equal(runs(up(100), up(900, 840), start(110), die(850, '137'), start(910)), '-840(137) +900');
    assert.equal(runs(down(100, 140), up(900, 140), start(110), die(150)), '+900');
    // Of one that was started long before netdash, nothing was heard.
    assert.equal(
      runs(down(-60_000, -50_000), up(900, 840), start(710), die(850, '2'), start(910)),
      '+710 -840(2) +900',
    );
  });

  it('says that an end was not seen, and makes none up', () => {
    assert.equal(runs(up(100), up(900, 840)), '-840(?) +900');
    assert.equal(runs(up(100), undefined), '-9000(?)');
    assert.equal(runs(down(100, 140), undefined, start(110), die(150)), '');
    assert.equal(runs(up(100), undefined, start(110), start(410)), '-410(?) +410 -9000(?)');
    assert.equal(runs(made, undefined, die(150)), '');
  });

  it('takes an event that Docker sends twice for one', () => {
    assert.equal(runs(undefined, undefined, start(110), start(110), die(150), die(150)), '+110 -150(1)');
  });

  it('takes a run that began earlier for another one only where it runs: the clock was set back', () => {
    assert.equal(runs(up(5000), up(100, 90)), '-90(?) +100');
    assert.equal(runs(down(5000, 5100), down(100, 140)), '');
  });
});
