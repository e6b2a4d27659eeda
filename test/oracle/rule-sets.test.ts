/** Rule sets that administrators write, beside Docker's own: netdash's verdicts against what really happens. */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { labVersions } from '../lab/for-tests.ts';
import { labRequirement } from '../lab/lab.ts';
import { firewallTreeObstacle, mountFirewallTree, type FirewallTree } from './firewall-tree.ts';
import {
  act,
  firewalldScenes,
  startFirewalld,
  installUfw,
  installUfwDocker,
  ufwDockerScenes,
  ufwScenes,
} from './firewalls.ts';
import { asked, cast, listenForMatrix, matrix } from './matrix.ts';
import { compare, emptyTally, mismatchText, type Tally } from './oracle.ts';
import { readRuleSets, RuleLoader } from './rule-sets.ts';
import { populateWith, setStage } from './stage.ts';

const obstacle = labRequirement() ?? firewallTreeObstacle();
const skip = process.env['REQUIRE_LAB'] === '1' ? false : obstacle;
const only = process.env['ORACLE_RULE_SET'];
const sets = (await readRuleSets()).filter(({ name }) => only === undefined || only.split(',').includes(name));

test('there are forty rule sets', { skip: only !== undefined }, () => {
  assert.ok(sets.length >= 40, `${sets.length}`);
});

function judge(context: TestContext, tally: Tally, outside: string | undefined): void {
  context.diagnostic(`${tally.cases} cases, ${tally.reachable} reachable, ${tally.unknown} unknown`);
  assert.ok(tally.cases > 0);
  assert.deepEqual(tally.mismatches.map(mismatchText), []);
  if (outside === undefined) assert.deepEqual([...tally.unknownReasons], [], 'all of it can be judged');
}

for (const docker of labVersions) {
  test(`no verdict is wrong beside what administrators write (Docker ${docker})`, { skip }, async context => {
    const stage = await setStage({ title: 'rule sets', docker, populate: lab => populateWith(lab, cast) });
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
          judge(each, tally, set.outside);
        });
      }
      await installUfw(tree);
      for (const [scenes, install] of [
        [ufwScenes, async () => undefined],
        [ufwDockerScenes, installUfwDocker],
      ] as const) {
        await tree.run(['ufw', '--force', 'reset']);
        await loader.reset();
        await install(tree);
        for (const scene of only === undefined || only === 'ufw' ? scenes : []) {
          await context.test(`ufw itself: ${scene.title}`, async each => {
            await act(tree, scene);
            const tally = emptyTally();
            await compare(stage, { stage: scene.title, seed: 0, story: scene.commands }, everywhere, tally);
            played += tally.cases;
            unknown += tally.unknown;
            judge(each, tally, scene.outside);
          });
        }
      }
      context.diagnostic(`${played} cases, ${unknown} unknown`);
    } finally {
      await stage.stop();
    }
  });
}

for (const docker of labVersions) {
  test(
    `no verdict is wrong beside firewalld (Docker ${docker})`,
    { skip: only === 'firewalld' || only === undefined ? skip : true },
    async context => {
      let tree: FirewallTree | undefined;
      const stage = await setStage({
        title: 'firewalld',
        docker,
        beforehand: async lab => {
          tree = await mountFirewallTree(lab);
          await startFirewalld(lab, tree);
        },
      });
      try {
        assert.ok(tree);
        const zone = await tree.must(['firewall-cmd', '--zone=docker', '--list-interfaces']);
        assert.match(zone, /docker0/, 'Docker has put its bridges into a zone of their own');
        await listenForMatrix(stage);
        const cases = matrix(stage);
        for (const scene of firewalldScenes) {
          await context.test(`firewalld itself: ${scene.title}`, async each => {
            if (tree) await act(tree, scene);
            const tally = emptyTally();
            await compare(stage, { stage: scene.title, seed: 0, story: scene.commands }, cases, tally);
            judge(each, tally, scene.outside);
          });
        }
      } finally {
        await stage.stop();
      }
    },
  );
}
