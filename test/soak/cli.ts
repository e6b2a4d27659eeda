/**
 * `npm run soak`: churn on a real Docker host, and whether netdash is right and as small as before when it is over.
 *   npm run soak -- [--minutes N] [--containers N] [--seed N] [--docker 20|26|28]     by default 10 minutes, 200 containers
 * Exit codes: 0 all right; 1 something was missed, invented, different or has grown; 2 bad usage; 3 the lab cannot be hosted.
 */
import { parseArgs } from 'node:util';
import { labRequirement, startLab, type DockerChoice } from '../lab/lab.ts';
import type { Cost } from './agent.ts';
import { costText, soak } from './soak.ts';
import { complaints } from './verdict.ts';

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '10' },
    containers: { type: 'string', default: '200' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    docker: { type: 'string', default: '20' },
  },
});
const say = (line: string): void => void process.stdout.write(`${line}\n`);
const obstacle = labRequirement();
if (obstacle !== undefined) {
  say(`soak: ${obstacle}`);
  process.exit(3);
}
const [minutes, containers, seed] = [values.minutes, values.containers, values.seed].map(Number) as [
  number,
  number,
  number,
];
if (
  !(minutes > 0) ||
  !Number.isInteger(containers) ||
  containers < 1 ||
  !Number.isInteger(seed) ||
  !/^(20|26|28)$/.test(values.docker)
) {
  say('soak: --minutes, --containers and --seed take numbers, --docker 20, 26 or 28');
  process.exit(2);
}
say(`seed ${seed}`);
const lab = await startLab({ docker: values.docker as DockerChoice, report: say });
try {
  const result = await soak(lab, { seconds: minutes * 60, containers, seed, daemonRestarts: 2, report: say });
  say(
    Object.entries(result.acts)
      .map(([what, count]) => `${what} ${count}`)
      .join(', '),
  );
  say(`before: ${costText(result.before)}; after: ${costText(result.after)}`);
  const course = (bytesOf: (cost: Cost) => number): string =>
    result.costs.map(cost => Math.round(bytesOf(cost) / 1e6)).join(' ');
  say(`heap in the course of it, MB: ${course(cost => cost.heapBytes)}`);
  say(`resident in the course of it, MB: ${course(cost => cost.residentBytes)}`);
  say(`open files in the course of it: ${result.costs.map(cost => cost.openFiles).join(' ')}`);
  const wrong = complaints(result);
  for (const line of wrong) say(line);
  const verdict = [
    `${result.changes} port changes, ${result.missed.length} missed, ${result.invented.length} invented`,
    `${result.differences.length} statements differ from a fresh look`,
    `${wrong.length === 0 ? 'ALL RIGHT' : 'NOT RIGHT'} after ${minutes} minutes with ${containers} containers on Docker ${values.docker}, seed ${seed}`,
  ];
  say(verdict.join('; '));
  process.exitCode = wrong.length === 0 ? 0 : 1;
} finally {
  await lab.stop();
}
