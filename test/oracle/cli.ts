/**
 * `npm run oracle`: plays scenes on real Docker hosts and compares every verdict with what happens.
 *   npm run oracle -- [--seed N] [--scenes N] [--cases N] [--docker 20|26|28] [--stage TITLE] [--minutes N]
 * After so many minutes (15) no further scene is begun.
 * Exit codes: 0 all right; 1 a verdict was wrong; 2 bad usage; 3 the lab cannot be hosted.
 */
import { parseArgs } from 'node:util';
import { labRequirement } from '../lab/lab.ts';
import { addTally, emptyTally, playAll, type Tally } from './oracle.ts';
import type { StageOptions } from './stage.ts';

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    scenes: { type: 'string', default: '8' },
    cases: { type: 'string', default: '60' },
    docker: { type: 'string', default: '20' },
    stage: { type: 'string' },
    minutes: { type: 'string', default: '15' },
  },
});

const stages = [
  { title: 'default', dockerdArgs: [] },
  { title: 'no proxy', dockerdArgs: ['--userland-proxy=false'] },
  { title: 'ip6tables', dockerdArgs: ['--ip6tables', '--experimental'] },
] as const;

const obstacle = labRequirement();
if (obstacle !== undefined) {
  process.stderr.write(`oracle: ${obstacle}\n`);
  process.exit(3);
}
const docker = values.docker as NonNullable<StageOptions['docker']>;
const first = Number(values.seed);
const seeds = Array.from({ length: Number(values.scenes) }, (_, index) => first + index * 1000);
const say = (line: string) => void process.stdout.write(`${line}\n`);
say(`seed ${first}`);
const until = Date.now() + Number(values.minutes) * 60_000;
const total = emptyTally();
const summary = (tally: Tally): string =>
  `${tally.cases} cases, ${tally.reachable} reachable, ${tally.unknown} unknown (${((100 * tally.unknown) / Math.max(1, tally.cases)).toFixed(1)} %), ${tally.mismatches.length} wrong`;
const summaries: string[] = [];
for (const stage of stages) {
  if ((values.stage !== undefined && values.stage !== stage.title) || Date.now() > until) continue;
  const tally = emptyTally();
  await playAll({ ...stage, docker }, seeds, Number(values.cases), tally, say, () => Date.now() < until);
  addTally(total, tally);
  summaries.push(`${stage.title}: ${summary(tally)}`);
}
const reasons = [...total.unknownReasons].sort(([, a], [, b]) => b - a);
if (reasons.length > 0) say('\nunknown because:');
for (const [reason, count] of reasons.slice(0, 30)) say(`  ${count} × ${reason}`);
say('');
for (const line of summaries) say(line);
say(`Docker ${docker}, seed ${first}: ${summary(total)}`);
process.exitCode = total.mismatches.length > 0 ? 1 : 0;
