import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as v from 'valibot';
import { WatchedVerdictSchema } from '../../source/commands/explain-json.ts';
import { runNetdash } from './running.ts';

test('explain --watch tells every verdict once, and again only when it changes', async () => {
  const { code, stdout } = await runNetdash(['explain', 'web', '8084', '--watch', '--json', '--for', '6', '--demo']);
  assert.equal(code, 0);
  const told = stdout
    .trim()
    .split('\n')
    .map(line => v.parse(v.strictObject(WatchedVerdictSchema.entries), JSON.parse(line)));
  assert.deepEqual([...new Set(told.map(({ target }) => target))].sort(), ['8084', 'web']);
  const keys = told.map(({ target, from, to }) => JSON.stringify([target, from, to]));
  assert.equal(new Set(keys).size, keys.length, 'nothing changes in these six seconds');
  assert.ok(told.every(({ was }) => was === null));
});

test('explain --watch as text is a block for each verdict, with its time', async () => {
  const { code, stdout } = await runNetdash(['explain', 'fw', '--from', 'lan', '--watch', '--for', '12', '--demo']);
  assert.equal(code, 0);
  assert.match(
    stdout,
    /^\d{4}-\S+Z {2}fw: blocked\n✗ blocked {2}from the LAN of eth0 to 10\.77\.0\.100:8091\/tcp\n {4}✓/m,
  );
  assert.match(stdout, /^ {4}What to do: /m);
});
