/** Every cause for which Docker gives a binding another port, on a real daemon: one record each, and none invented. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { PortChange } from '../../source/facts/schema.ts';
import { labTest } from '../lab/for-tests.ts';
import { changes, text, told, type Told } from './told-changes.ts';
import { startWatch } from './watching.ts';

const until = async (what: string, holds: () => Promise<boolean>): Promise<void> => {
  for (let turn = 0; !(await holds()); turn += 1) {
    assert.ok(turn < 600, `never: ${what}`);
    await sleep(50);
  }
};

labTest('50 port changes of all causes: 50 records, none invented', {}, async lab => {
  await lab.networkCreate('aside');
  // The lexically first network carries the ports, so that connecting to this one moves them.
  await lab.networkCreate('aaa');
  await lab.run('one', { publish: ['80'] });
  await lab.run('two', { publish: ['80', '81'], network: 'aside' });
  await lab.run('udp', { publish: ['53/udp', '127.0.0.1::80'] });
  await lab.run('steady', { publish: ['18080:80'], restart: 'always' });
  await lab.run('brittle', {
    publish: ['80'],
    restart: 'always',
    cmd: ['sh', '-c', 'trap "exit 3" USR1; while :; do sleep 0.1; done'],
  });
  // A container between two runs counts as running to Docker, but has no ports.
  const isUpAgain = async (name: string, startedBefore: string): Promise<boolean> => {
    const { State, NetworkSettings } = await lab.inspect(name);
    return State.StartedAt !== startedBefore && Object.values(NetworkSettings.Ports).some(list => list?.length);
  };
  const watch = await startWatch(lab);
  const expected: Told[] = [];
  const expectAll = async (names: readonly string[], cause: PortChange['cause'], act: () => Promise<unknown>) => {
    expected.push(...(await changes(lab, names, cause, act)));
    await watch
      .next(() => watch.of('port-changed').length >= expected.length)
      .catch((error: unknown) => {
        throw new Error(
          `after ${cause} of ${names.join(', ')}:\n${text(expected).join('\n')}\nbut:\n${text(told(watch)).join('\n')}`,
          { cause: error },
        );
      });
  };
  try {
    for (let round = 0; round < 6; round += 1) {
      await expectAll(['one'], 'restart', () => lab.restart('one'));
      await expectAll(['two'], 'restart', () => lab.restart('two'));
      await expectAll(['udp'], 'stop-start', async () => {
        await lab.stop('udp');
        if (round % 2 === 0) await sleep(300);
        await lab.start('udp');
      });
    }
    // No change: a fixed port, a restart of it, a container that comes and goes.
    await lab.restart('steady');
    for (let round = 0; round < 4; round += 1) {
      await expectAll(['one'], 'recreate', async () => {
        await lab.remove('one');
        await lab.run('one', { publish: ['80'] });
      });
    }
    for (let round = 0; round < 3; round += 1) {
      await expectAll(['one'], 'stop-start', async () => {
        await lab.api('POST', '/containers/one/kill');
        await until('one is down', async () => !(await lab.inspect('one')).State.Running);
        await lab.start('one');
      });
      await expectAll(['brittle'], 'crash', async () => {
        const { State } = await lab.inspect('brittle');
        await lab.exec('brittle', ['kill', '-USR1', '1']).catch(() => undefined);
        await until('brittle is back', () => isUpAgain('brittle', State.StartedAt));
      });
    }
    for (let round = 0; round < 3; round += 1) {
      await expectAll(['two'], 'network-change', () => lab.networkConnect('aaa', 'two'));
      await expectAll(['two'], 'network-change', () => lab.networkDisconnect('aaa', 'two'));
    }
    await expectAll(['brittle', 'steady'], 'daemon-restart', async () => {
      const { State } = await lab.inspect('brittle');
      await lab.daemon.stop();
      await lab.daemon.start();
      await until('brittle is back', () => isUpAgain('brittle', State.StartedAt));
    });
    assert.deepEqual(text(told(watch)), text(expected));
    // What comes late would be one too many.
    await sleep(3000);
    assert.deepEqual(text(told(watch)), text(expected));
    const causes = new Set(expected.map(({ cause }) => cause));
    assert.ok(expected.length >= 50, `only ${expected.length} changes were made`);
    assert.deepEqual([...causes].sort(), [
      'crash',
      'daemon-restart',
      'network-change',
      'recreate',
      'restart',
      'stop-start',
    ]);
  } finally {
    await watch.stop();
  }
});

labTest('a change made while netdash was away is reported at its next start, marked so', {}, async lab => {
  await lab.run('one', { publish: ['80'] });
  const state = join(lab.dir, 'state-away');
  await (await startWatch(lab, { state })).stop();
  const expected = await changes(lab, ['one'], 'while-away', () => lab.restart('one'));
  assert.equal(expected.length, 1);
  const second = await startWatch(lab, { state });
  await second.stop();
  assert.deepEqual(text(told(second)), text(expected));
  // It is known now: no third report.
  const third = await startWatch(lab, { state });
  await third.stop();
  assert.deepEqual(told(third), []);
});
