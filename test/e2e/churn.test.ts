/** A minute of churn, with everything that an hour of it has. */
import assert from 'node:assert/strict';
import { labTest } from '../lab/for-tests.ts';
import { soak } from '../soak/soak.ts';
import { complaints } from '../soak/verdict.ts';

labTest(
  'after a minute of churn netdash says what a fresh one says, and has told every port change once',
  {},
  async (lab, context) => {
    const result = await soak(lab, {
      seconds: 60,
      containers: 16,
      seed: 11,
      daemonRestarts: 2,
      report: line => context.diagnostic(line),
    });
    assert.deepEqual(complaints(result), []);
    assert.ok(result.changes >= 30, `only ${result.changes} ports changed`);
  },
);
