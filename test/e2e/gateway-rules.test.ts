/** Docker's rules for the address that a container of an overlay network has on docker_gwbridge, of which Docker does not tell. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as v from 'valibot';
import { RuleSchema } from '../../source/facts/schema.ts';
import { describeLab } from '../lab/for-tests.ts';
import { seedSwarm } from '../lab/seeds/swarm.ts';
import { runJson } from './netdash.ts';

describeLab('rules for a container on docker_gwbridge', {}, lab => {
  test('are Docker’s, and about that container', async () => {
    const { network } = await seedSwarm(lab());
    const id = await lab().run('gw-web', { network, publish: ['8091:80'] });
    const { State } = await lab().inspect('gw-web');
    const { stdout } = await lab().inHost([
      'nsenter',
      '-t',
      String(State.Pid),
      '-n',
      'ip',
      '-4',
      'addr',
      'show',
      'eth1',
    ]);
    const address = /inet (172\.[\d.]+)\//.exec(stdout)?.[1] ?? '';
    assert.notEqual(address, '', stdout);
    const saved = (await lab().inHost(['iptables-save'])).stdout.split('\n');
    const written = saved.filter(line => line.startsWith('-A') && line.includes(address));
    assert.ok(written.some(line => line.startsWith('-A DOCKER ')));
    const { json } = await runJson(lab(), 'snapshot');
    const { rules } = v.parse(v.object({ rules: v.array(RuleSchema) }), json);
    const found = rules.filter(({ text, family }) => family === 'ip' && text.includes(address));
    assert.equal(found.length, written.length);
    for (const { author, containerIds, text } of found)
      assert.deepEqual([author, containerIds], ['docker', [id]], text);
  });
});
