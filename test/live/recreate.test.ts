/** A container made anew under its name, in every order in which tools go about it: one record each, with Docker as witness. */
import assert from 'node:assert/strict';
import { describe } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { labTest } from '../lab/for-tests.ts';
import type { Lab } from '../lab/lab.ts';
import { changes, text, told, type Told } from './told-changes.ts';
import { startWatch } from './watching.ts';

const options = { publish: ['80', '127.0.0.1::81'] };
const rename = (lab: Lab, from: string, to: string) => lab.api('POST', `/containers/${from}/rename?name=${to}`);
const aside = async (lab: Lab): Promise<string> => `${(await lab.inspect('one')).Id.slice(0, 12)}_one`;

const ways: Record<string, (lab: Lab) => Promise<void>> = {
  'renamed away, made, removed': async lab => {
    await rename(lab, 'one', 'one-old');
    await lab.run('one', options);
    await lab.remove('one-old');
  },
  'renamed away, made, removed after a while': async lab => {
    await rename(lab, 'one', 'one-old');
    await lab.run('one', options);
    await sleep(1500);
    await lab.remove('one-old');
  },
  'renamed away, removed, made': async lab => {
    await rename(lab, 'one', 'one-old');
    await lab.create('one', options);
    await lab.remove('one-old');
    await lab.start('one');
  },
  'renamed away, stopped, made, removed': async lab => {
    await rename(lab, 'one', 'one-old');
    await lab.stop('one-old');
    await lab.run('one', options);
    await lab.remove('one-old');
  },
  'made beside it and renamed last': async lab => {
    await lab.run('one-next', options);
    await sleep(500);
    await lab.remove('one');
    await rename(lab, 'one-next', 'one');
  },
  'as Compose 1 does': async lab => {
    const name = await aside(lab);
    await lab.stop('one');
    await rename(lab, 'one', name);
    await lab.run('one', options);
    await lab.remove(name);
  },
  'as Compose 2 does': async lab => {
    const name = await aside(lab);
    await lab.create(name, options);
    await lab.stop('one');
    await lab.remove('one');
    await rename(lab, name, 'one');
    await lab.start('one');
  },
};

describe('containers made anew', { concurrency: true }, () => {
  labTest('a container made anew is told once, whatever the order', {}, async lab => {
    await lab.run('one', options);
    const watch = await startWatch(lab);
    const expected: Told[] = [];
    try {
      for (const [way, act] of Object.entries(ways)) {
        const made = await changes(lab, ['one'], 'recreate', () => act(lab));
        assert.equal(made.length, 2, way);
        expected.push(...made);
        await watch
          .next(() => watch.of('port-changed').length >= expected.length)
          .catch((error: unknown) => {
            throw new Error(`${way}:\n${text(expected).join('\n')}\nbut:\n${text(told(watch)).join('\n')}`, {
              cause: error,
            });
          });
      }
      // What comes late would be one too many.
      await sleep(3000);
      assert.deepEqual(text(told(watch)), text(expected));
    } finally {
      await watch.stop();
    }
  });

  labTest('two that run on side by side are told as nothing, whichever has the name', {}, async lab => {
    await lab.run('one', options);
    const watch = await startWatch(lab);
    try {
      await rename(lab, 'one', 'one-old');
      await lab.run('one', options);
      await watch.next(({ type, containerName }) => type === 'container-started' && containerName === 'one');
      await rename(lab, 'one', 'passing');
      await rename(lab, 'one-old', 'one');
      await rename(lab, 'passing', 'one-old');
      await watch.next(({ type, text: line }) => type === 'container-renamed' && /now called one-old/.test(line));
      await sleep(2000);
      assert.deepEqual(told(watch), []);
    } finally {
      await watch.stop();
    }
  });
});
