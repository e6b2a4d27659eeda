/** Tests on a lab: run over Docker releases, and skipped, with the reason, where the machine cannot host one. */
import assert from 'node:assert/strict';
import { after, before, describe, test, type TestContext } from 'node:test';
import { labRequirement, startLab, type DockerChoice, type Lab, type LabOptions } from './lab.ts';

/** The Docker releases to test on: LAB_VERSIONS, such as `20,26,28`; by default `20`. */
export const labVersions: readonly DockerChoice[] = (process.env['LAB_VERSIONS'] ?? '20').split(',').map(version => {
  if (version === '20' || version === '26' || version === '28') return version;
  throw new Error(`LAB_VERSIONS: no Docker ${version}`);
});

const obstacle = labRequirement();
const required = process.env['REQUIRE_LAB'] === '1';

/** With REQUIRE_LAB=1 a machine that cannot host the lab fails the test instead of skipping it. */
const standIn = (title: string): void => {
  test(title, { skip: required ? false : obstacle }, () => assert.fail(`REQUIRE_LAB is set, and ${obstacle}`));
};

const titled = (title: string, docker: DockerChoice): string =>
  labVersions.length > 1 ? `${title} (Docker ${docker})` : title;

/**
 * A group of tests that share one lab for each Docker release; it is started before the first and ended after the last.
 * @param body declares the tests; they get the lab by calling `lab()` once they run
 */
export const describeLab = (
  title: string,
  options: Omit<LabOptions, 'docker'>,
  body: (lab: () => Lab) => void,
): void => {
  if (obstacle !== undefined) return standIn(title);
  for (const docker of labVersions) {
    describe(titled(title, docker), () => {
      let lab: Lab | undefined;
      before(async () => {
        lab = await startLab({ ...options, docker });
      });
      after(() => lab?.stop());
      body(() => lab ?? assert.fail('the lab has not been started'));
    });
  }
};

/** One test with a lab of its own for each Docker release. */
export const labTest = (
  title: string,
  options: Omit<LabOptions, 'docker'>,
  body: (lab: Lab, context: TestContext) => Promise<void>,
): void => {
  if (obstacle !== undefined) return standIn(title);
  for (const docker of labVersions) {
    test(titled(title, docker), async context => {
      const lab = await startLab({ ...options, docker });
      try {
        await body(lab, context);
      } finally {
        await lab.stop();
      }
    });
  }
};
