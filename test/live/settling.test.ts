import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Finding, NetdashEvent } from '../../source/facts/schema.ts';
import { Settling } from '../../source/live/settling.ts';
import { labTest } from '../lab/for-tests.ts';
import { startWatch } from './watching.ts';

const finding = (id: string, code = 'orphan-rule'): Finding => ({
  id,
  code,
  severity: 'warning',
  subject: { kind: 'rule', name: id },
  message: id,
  evidence: [],
  containerIds: [],
  ports: [],
  since: '2026-01-01T00:00:00.000Z',
});

const event = (type: NetdashEvent['type'], about?: Finding): NetdashEvent => ({
  at: '2026-01-01T00:00:00.000Z',
  type,
  text: about?.id ?? '',
  ...(about && { finding: about }),
});

const raised = (about: Finding) => event('finding-raised', about);
const cleared = (about: Finding) => event('finding-cleared', about);
const ids = (list: readonly Finding[]): string[] => list.map(({ id }) => id);

test('a finding is shown once it lasts, and told then', () => {
  const settling = new Settling();
  const [old, fresh] = [finding('old'), finding('fresh')];
  assert.deepEqual(settling.apply([old], [raised(old)], 0, true), { findings: [old], events: [raised(old)] });
  assert.deepEqual(settling.apply([old, fresh], [raised(fresh)], 1000, false), { findings: [old], events: [] });
  assert.ok(settling.isWaiting);
  assert.deepEqual(ids(settling.apply([old, fresh], [], 2900, false).findings), ['old']);
  const late = { ...raised(fresh), at: new Date(3000).toISOString() };
  assert.deepEqual(settling.apply([old, fresh], [], 3000, false), { findings: [old, fresh], events: [late] });
  assert.ok(!settling.isWaiting);
  // One that is shown goes at once.
  assert.deepEqual(settling.apply([old], [cleared(fresh)], 3001, false), { findings: [old], events: [cleared(fresh)] });
});

test('one that has changed while it was held back is told as it is now', () => {
  const settling = new Settling();
  const [before, after] = [finding('one'), { ...finding('one'), message: 'another' }];
  settling.apply([], [], 0, true);
  settling.apply([before], [raised(before)], 0, false);
  const [told] = settling.apply([after], [], 2000, false).events;
  assert.deepEqual([told?.text, told?.finding], ['orphan-rule: another', after]);
});

test('one that passes is neither shown nor told, and begins anew when it comes back', () => {
  const settling = new Settling();
  const fresh = finding('fresh');
  settling.apply([], [], 0, true);
  assert.deepEqual(settling.apply([fresh], [raised(fresh)], 0, false), { findings: [], events: [] });
  assert.deepEqual(settling.apply([], [cleared(fresh)], 1500, false), { findings: [], events: [] });
  assert.ok(!settling.isWaiting);
  settling.apply([fresh], [raised(fresh)], 1600, false);
  assert.deepEqual(settling.apply([fresh], [], 2500, false).findings, []);
});

test('one that is due is not told after what may have ended it, until it is judged by that', () => {
  const settling = new Settling();
  const paused = { ...finding('paused'), containerIds: ['a'] };
  const judge = () => {
    settling.beginJudgement();
    settling.endJudgement();
  };
  const unpaused = { ...event('container-unpaused'), containerId: 'a' };
  settling.apply([], [], 0, true);
  judge();
  settling.apply([paused], [raised(paused)], 100, false);
  assert.deepEqual(settling.apply([paused], [unpaused], 2200, false), { findings: [], events: [unpaused] });
  assert.deepEqual(settling.apply([paused], [], 2210, false), { findings: [], events: [] });
  judge();
  assert.deepEqual(settling.apply([], [cleared(paused)], 2350, false), { findings: [], events: [] });
  settling.apply([paused], [raised(paused)], 3000, false);
  settling.apply([paused], [{ ...unpaused, type: 'container-paused' }], 5100, false);
  settling.beginJudgement();
  // Told while it is being judged.
  settling.apply([paused], [unpaused], 5200, false);
  settling.endJudgement();
  assert.deepEqual(settling.apply([paused], [], 5300, false).findings, []);
  judge();
  assert.deepEqual(settling.apply([paused], [], 5400, false).findings, [paused]);
});

test('what links, rules and containers tell only together waits until all of them are of one moment, though not for ever', () => {
  const settling = new Settling();
  const [cut, rule] = [finding('cut', 'docker-rules-missing'), finding('rule', 'ports-ignored')];
  settling.apply([], [], 0, true);
  settling.apply([cut, rule], [raised(cut), raised(rule)], 1000, false, true);
  assert.deepEqual(ids(settling.apply([cut, rule], [], 3000, false, true).findings), ['rule']);
  assert.ok(settling.isWaiting);
  // Once they are, it is either gone, or so.
  assert.deepEqual(settling.apply([rule], [cleared(cut)], 9000, false, false), { findings: [rule], events: [] });
  settling.apply([cut, rule], [raised(cut)], 10_000, false, true);
  const shown = settling.apply([cut, rule], [], 13_000, false, false);
  assert.deepEqual(ids(shown.findings), ['cut', 'rule']);
  assert.deepEqual(shown.events, [{ ...raised(cut), at: new Date(13_000).toISOString() }]);
  // What is shown stays while something changes.
  assert.deepEqual(ids(settling.apply([cut, rule], [], 14_000, false, true).findings), ['cut', 'rule']);
  const other = finding('other', 'blocked');
  settling.apply([cut, rule, other], [raised(other)], 20_000, false, true);
  assert.deepEqual(ids(settling.apply([cut, rule, other], [], 34_000, false, true).findings), ['cut', 'rule']);
  assert.deepEqual(ids(settling.apply([cut, rule, other], [], 35_000, false, true).findings), ['cut', 'rule', 'other']);
});

test('what Docker alone says is shown at once; other events pass', () => {
  const settling = new Settling();
  const moved = finding('moved', 'port-moved');
  const told = [event('container-started'), raised(moved)];
  assert.deepEqual(settling.apply([moved], told, 0, false), { findings: [moved], events: told });
});

test('the list keeps its identity while the same findings are shown', () => {
  const settling = new Settling();
  const [old, fresh] = [finding('old'), finding('fresh')];
  const first = settling.apply([old], [], 0, true).findings;
  assert.equal(settling.apply([old, fresh], [], 10, false).findings, first);
  assert.equal(settling.apply([old], [], 20, false).findings, first);
});

labTest('restarts of a container with a fixed port raise nothing', {}, async lab => {
  await lab.run('web', { publish: ['8080:80'] });
  const watch = await startWatch(lab);
  try {
    for (let round = 0; round < 8; round += 1) {
      const seen = watch.events.length;
      await lab.restart('web');
      await watch.next(({ type, containerName }) => type === 'container-started' && containerName === 'web', seen);
    }
    await lab.create('clash', { publish: ['8080:80'] });
    await watch.next(({ type }) => type === 'finding-raised');
    assert.deepEqual(
      watch.of('finding-raised').map(({ finding: about }) => `${about?.code} ${about?.subject.name}`),
      ['port-conflict-pending clash'],
    );
  } finally {
    await watch.stop();
  }
});

labTest('a container that is unpaused soon after its start is not told to be paused', {}, async lab => {
  const watch = await startWatch(lab);
  try {
    await lab.run('young', { publish: ['80'] });
    await watch.next(({ type, containerName }) => type === 'container-started' && containerName === 'young');
    await lab.api('POST', '/containers/young/pause');
    await watch.next(({ type }) => type === 'container-paused');
    // Long enough for it to be found, too short for it to be told.
    await sleep(1000);
    await lab.api('POST', '/containers/young/unpause');
    await watch.next(({ type }) => type === 'container-unpaused');
    await sleep(4000);
    // One that lasts is told, and goes with what ends it.
    await lab.api('POST', '/containers/young/pause');
    await watch.next(({ type }) => type === 'finding-raised');
    await lab.api('POST', '/containers/young/unpause');
    await watch.next(({ type }) => type === 'finding-cleared');
    const told = watch.events.filter(({ type }) => /paused|finding/.test(type)).map(({ type }) => type);
    const last = told.splice(-2).toSorted();
    assert.deepEqual(told, ['container-paused', 'container-unpaused', 'container-paused', 'finding-raised']);
    assert.deepEqual(last, ['container-unpaused', 'finding-cleared']);
  } finally {
    await watch.stop();
  }
});
