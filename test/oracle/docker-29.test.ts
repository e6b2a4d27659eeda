/** The rules that Docker 29's nftables backend writes: netdash's verdicts against what really happens under them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { labRequirement } from '../lab/lab.ts';
import { populate, questions, recordedHost, withoutRules } from './docker-29.ts';
import { compare, emptyTally, mismatchText } from './oracle.ts';
import { setStage } from './stage.ts';

const skip = process.env['REQUIRE_LAB'] === '1' ? false : labRequirement();

test("no verdict is wrong under the rules of Docker 29's nftables backend", { skip }, async context => {
  const recorded = await recordedHost();
  const stage = await setStage({
    title: 'Docker 29, nftables',
    dockerdArgs: withoutRules,
    populate: lab => populate(lab, recorded),
  });
  try {
    await stage.listen('app1', [
      { proto: 'udp', address: '0.0.0.0', port: 5000 },
      { proto: 'udp', address: '0.0.0.0', port: 5001 },
    ]);
    await stage.listen('web', [{ proto: 'tcp', address: '0.0.0.0', port: 88 }]);
    await stage.listen('up1', [{ proto: 'tcp', address: '0.0.0.0', port: 88 }]);
    await stage.listen('rt1', [{ proto: 'tcp', address: '0.0.0.0', port: 88 }]);
    const cases = questions(stage, recorded);
    const tally = emptyTally();
    await compare(stage, { stage: 'Docker 29, nftables', seed: 0, story: [] }, cases, tally);
    context.diagnostic(`${tally.cases} cases, ${tally.reachable} reachable, ${tally.unknown} unknown`);
    assert.ok(tally.cases > 300, `${tally.cases} cases`);
    assert.ok(tally.reachable > 50, `${tally.reachable} reachable`);
    assert.deepEqual(tally.mismatches.map(mismatchText), []);
    assert.deepEqual([...tally.unknownReasons], [], 'all of it can be judged');
  } finally {
    await stage.stop();
  }
});
