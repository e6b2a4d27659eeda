/** `netdash explain --watch` on a lab host: what it tells is what a neighbour meets then. */
import assert from 'node:assert/strict';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import * as v from 'valibot';
import { WatchedVerdictSchema } from '../../source/commands/explain-json.ts';
import { labTest } from '../lab/for-tests.ts';
import { netdash } from './netdash.ts';

type Told = v.InferOutput<typeof WatchedVerdictSchema>;

/** Much longer than anything takes; reached only by a failure. */
const patienceMs = 60_000;

labTest('explain --watch follows a rule that comes and goes, and ends in peace on SIGTERM', {}, async lab => {
  await lab.run('ew-web', { publish: ['18085:80'] });
  const program = await lab.spawnInHost(netdash('explain', '18085', '--from', 'lan', '--watch', '--json'));
  const told: Told[] = [];
  createInterface({ input: program.child.stdout! }).on('line', line =>
    told.push(v.parse(WatchedVerdictSchema, JSON.parse(line))),
  );
  const next = async (verdict: Told['verdict'], was: Told['verdict'] | null): Promise<void> => {
    const deadline = performance.now() + patienceMs;
    const fits = (each: Told) => each.to.address === lab.addresses.host && each.verdict === verdict && each.was === was;
    while (!told.some(fits)) {
      assert.ok(
        performance.now() < deadline,
        `no ${was} → ${verdict} in ${JSON.stringify(told.map(each => [each.was, each.verdict, each.to]))}`,
      );
      await sleep(50);
    }
  };
  const isAnswered = async () => (await lab.fetchFrom('lan', lab.addresses.host, 18085)) !== undefined;
  await next('reachable', null);
  assert.ok(await isAnswered());
  const rule = ['DOCKER-USER', '-i', 'eth0', '-p', 'tcp', '--dport', '80', '-j', 'DROP'];
  await lab.inHost(['iptables', '-I', ...rule]);
  await next('blocked', 'reachable');
  assert.ok(!(await isAnswered()));
  await lab.inHost(['iptables', '-D', ...rule]);
  await next('reachable', 'blocked');
  assert.ok(await isAnswered());
  await lab.stop('ew-web');
  await next('nothing-listening', 'reachable');
  await program.kill('SIGTERM');
  assert.deepEqual(await program.exited, { code: 0, signal: null });
});
