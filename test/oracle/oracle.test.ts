/** A short run of the oracle: netdash's verdicts against what really happens. `npm run oracle` is the long one. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { labVersions } from '../lab/for-tests.ts';
import { labRequirement } from '../lab/lab.ts';
import { emptyTally, mismatchText, playAll } from './oracle.ts';

const obstacle = labRequirement();
const skip = process.env['REQUIRE_LAB'] === '1' ? false : obstacle;
// The same hosts each time, so that a failure is the change's own; ORACLE_SEED and `npm run oracle` play others.
const seed = Number(process.env['ORACLE_SEED'] ?? 7);
const seeds = [seed, seed + 1000];

const flags: [title: string, dockerdArgs: string[]][] = [
  ['default', []],
  ['no proxy', ['--userland-proxy=false']],
];

for (const docker of labVersions) {
  for (const [title, dockerdArgs] of flags) {
    test(`no verdict is wrong (Docker ${docker}, ${title}, ORACLE_SEED=${seed})`, { skip }, async () => {
      const tally = emptyTally();
      await playAll({ title, dockerdArgs, docker }, seeds, 50, tally);
      assert.equal(tally.cases, 100);
      assert.ok(tally.reachable > 0, 'nothing was reachable: the stage is not what it should be');
      assert.deepEqual(tally.mismatches.map(mismatchText), []);
    });
  }
}
