import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { NetdashEvent } from '../../source/facts/schema.ts';
import { Beginning } from '../../source/live/beginning.ts';
import { labTest } from '../lab/for-tests.ts';
import { startWatch } from './watching.ts';

const at = '2026-01-01T00:00:00.000Z';
const raised = (code: string, containerId?: string): NetdashEvent => ({
  at,
  type: 'finding-raised',
  text: code,
  finding: {
    id: `${code}:${containerId ?? ''}`,
    code,
    severity: 'warning',
    subject: { kind: containerId === undefined ? 'host' : 'container', name: 'it' },
    message: code,
    evidence: [],
    containerIds: containerId === undefined ? [] : [containerId],
    ports: [],
    since: at,
  },
});
const isInitial = (events: readonly NetdashEvent[]): boolean[] => events.map(({ initial }) => initial === true);

test('what is found in the first half minute was there, unless something happened that can have brought it about', () => {
  const beginning = new Beginning();
  const told = beginning.mark([raised('nothing-listening', 'a')], 1000, true);
  assert.deepEqual(isInitial(told), [true]);
  assert.equal(told[0]?.text, 'already there: nothing-listening');
  beginning.mark([{ at, type: 'container-started', text: 'a started', containerId: 'a' }], 2000, true);
  assert.deepEqual(isInitial(beginning.mark([raised('nothing-listening', 'a'), raised('orphan-link')], 3000, true)), [
    false,
    true,
  ]);
  const later = [raised('orphan-rule'), { at, type: 'rules-changed' as const, text: 'rules' }];
  assert.deepEqual(isInitial(beginning.mark(later, 4000, true)), [false, false]);
  assert.deepEqual(isInitial(beginning.mark([raised('nothing-listening', 'b')], 31_000, true)), [true]);
  assert.deepEqual(isInitial(beginning.mark([raised('nothing-listening', 'c')], 31_001, true)), [false]);
});

test('the half minute begins once every source has answered', () => {
  const beginning = new Beginning();
  beginning.mark([], 0, false);
  beginning.mark([], 100_000, true);
  assert.deepEqual(isInitial(beginning.mark([raised('orphan-link')], 130_000, true)), [true]);
});

labTest('a dead port of before is told as such, one of now is not', {}, async lab => {
  await lab.run('old', { publish: ['8082:81'] });
  const watch = await startWatch(lab);
  try {
    const told = (name: string) =>
      watch.next(({ finding }) => finding?.code === 'nothing-listening' && finding.subject.name === name);
    assert.equal((await told('old')).initial, true);
    await lab.run('new', { publish: ['8083:81'] });
    assert.equal((await told('new')).initial, undefined);
  } finally {
    await watch.stop();
  }
});
