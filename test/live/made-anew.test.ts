/** A container that is made anew with the trouble that the one before had: what ended and what goes on is told as that. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { NetdashEvent } from '../../source/facts/schema.ts';
import { MadeAnew } from '../../source/live/made-anew.ts';
import { labTest } from '../lab/for-tests.ts';
import { startWatch } from './watching.ts';

const at = '2026-01-01T00:00:00.000Z';
const told = (type: 'finding-raised' | 'finding-cleared', id: string, rest: Partial<NetdashEvent['finding']> = {}) => ({
  at,
  type,
  text: type,
  finding: {
    id,
    code: 'blocked',
    severity: 'warning' as const,
    subject: { kind: 'container' as const, id, name: 'web' },
    message: '',
    evidence: [],
    containerIds: [id],
    ports: [],
    since: at,
    ...rest,
  },
});
const texts = (events: readonly NetdashEvent[]): string[] => events.map(({ text }) => text);

test('what the container before had too is told as before, of that name and kind alone, once and within a minute', () => {
  const anew = new MadeAnew();
  const pair = [told('finding-cleared', 'a'), told('finding-raised', 'b')];
  assert.deepEqual(texts(anew.mark(pair, 0)), ['finding-cleared', 'as before: finding-raised']);
  assert.deepEqual(texts(anew.mark([told('finding-raised', 'c')], 0)), ['finding-raised']);
  anew.mark([told('finding-cleared', 'b')], 10_000);
  const others = [told('finding-raised', 'c', { code: 'ports-ignored' }), told('finding-raised', 'b')];
  assert.deepEqual(texts(anew.mark(others, 11_000)), ['finding-raised', 'finding-raised']);
  anew.mark([told('finding-cleared', 'b')], 20_000);
  assert.deepEqual(texts(anew.mark([told('finding-raised', 'd')], 80_000)), ['as before: finding-raised']);
  anew.mark([told('finding-cleared', 'd')], 90_000);
  assert.deepEqual(texts(anew.mark([told('finding-raised', 'e')], 150_001)), ['finding-raised']);
});

labTest(
  'of a container made anew with the same trouble, the old one is removed and the new one as before',
  {},
  async lab => {
    await lab.run('web', { publish: ['8080:80'] });
    const waiting = { publish: ['8080:80'] };
    await lab.create('standby', waiting);
    const watch = await startWatch(lab);
    try {
      const lines = async (act: () => Promise<unknown>, last: NetdashEvent['type']): Promise<string[]> => {
        const from = watch.events.length;
        await act();
        await watch.next(({ type, finding }) => type === last && finding?.code === 'port-conflict-pending', from);
        const own = watch.events.slice(from).filter(({ finding }) => finding?.code === 'port-conflict-pending');
        return own.map(({ type, text }) => `${type} ${text}`);
      };
      const trouble =
        'port-conflict-pending: standby will not start as things are: container web holds 0.0.0.0:8080/tcp';
      const gone = 'finding-cleared no longer port-conflict-pending: standby (removed)';
      const again = await lines(async () => {
        await lab.remove('standby');
        await lab.create('standby', waiting);
      }, 'finding-raised');
      assert.deepEqual(again, [gone, `finding-raised as before: ${trouble} and [::]:8080/tcp`]);
      // Solved, and not only out of sight.
      const solved = await lines(() => lab.stop('web'), 'finding-cleared');
      assert.deepEqual(solved, ['finding-cleared no longer port-conflict-pending: standby']);
    } finally {
      await watch.stop();
    }
  },
);
