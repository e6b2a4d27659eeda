/** Rule sets that administrators write, beside Docker's own: netdash's verdicts against what really happens. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { labVersions } from '../lab/for-tests.ts';
import { labRequirement } from '../lab/lab.ts';
import { mountFirewallTree } from './firewall-tree.ts';
import { asked, matrix } from './matrix.ts';
import { compare, emptyTally, mismatchText } from './oracle.ts';
import { readRuleSets, RuleLoader } from './rule-sets.ts';
import { setStage } from './stage.ts';

const obstacle = labRequirement();
const skip = process.env['REQUIRE_LAB'] === '1' ? false : obstacle;
const only = process.env['ORACLE_RULE_SET'];
const sets = (await readRuleSets()).filter(({ name }) => only === undefined || only.split(',').includes(name));

test('there are forty rule sets', { skip: only !== undefined }, () => {
  assert.ok(sets.length >= 40, `${sets.length}`);
});

for (const docker of labVersions) {
  test(`no verdict is wrong beside what administrators write (Docker ${docker})`, { skip }, async context => {
    const stage = await setStage({ title: 'rule sets', docker });
    try {
      const tree = await mountFirewallTree(stage.lab);
      const loader = await RuleLoader.start(stage, tree);
      const everywhere = matrix(stage);
      let unknown = 0;
      let played = 0;
      for (const set of sets) {
        await context.test(`${set.name}: ${set.title}`, async each => {
          await loader.reset();
          try {
            await loader.load(set);
          } catch (error) {
            if (set.needs === undefined) throw error;
            return each.skip(`this kernel lacks ${set.needs}: ${(error as Error).message.split('\n')[0]}`);
          }
          const also = set.also.map(({ from, address, port, proto }) => asked(stage, from, address, port, proto));
          const cases = [...everywhere, ...also];
          const tally = emptyTally();
          await compare(stage, { stage: set.name, seed: 0, story: [] }, cases, tally);
          played += tally.cases;
          unknown += tally.unknown;
          each.diagnostic(`${tally.cases} cases, ${tally.reachable} reachable, ${tally.unknown} unknown`);
          assert.equal(tally.cases, cases.length);
          assert.deepEqual(tally.mismatches.map(mismatchText), []);
          if (set.outside === undefined) assert.deepEqual([...tally.unknownReasons], [], 'all of it can be judged');
        });
      }
      context.diagnostic(`${played} cases, ${unknown} unknown`);
    } finally {
      await stage.stop();
    }
  });
}
