/** How the cost of a steady minute and of a restart grows with the host, one thing at a time, on a recorded host that is grown. */
import { execFile } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { times } from '../figures.ts';

type Size = [containers: number, rules: number, listeners: number];

/** What `step.ts` prints. CPU in ms. */
interface Step {
  minute: number;
  restart: number;
  started: number;
  bytesAMinute: number;
  moved: number;
  rss: number;
  checks: { containers: number; rules: number; listeners: number; owned: number; findings: number; sources: string[] };
}

const doubled = (from: number, to: number): number[] => {
  const values: number[] = [];
  for (let value = from; value < to; value *= 2) values.push(value);
  return [...values, to];
};

/** What grows, beside a host of 25 containers, without further rules, with one listener of its own. */
const ladders: Record<string, Size[]> = {
  containers: doubled(25, 400).map(value => [value, 0, 0]),
  rules: doubled(100, 10_000).map(value => [25, value, 0]),
  listeners: doubled(10, 10_000).map(value => [25, 0, value]),
};
const columnOf: Record<string, number> = { containers: 0, rules: 1, listeners: 2 };

const run = promisify(execFile);

async function measure(size: Size): Promise<Step> {
  const argv = ['--import', import.meta.resolve('tsx'), join(import.meta.dirname, 'step.ts'), ...size.map(String)];
  const { stdout } = await run(process.execPath, argv, { maxBuffer: 1 << 24 });
  const step = JSON.parse(stdout.slice(stdout.indexOf('{'), stdout.lastIndexOf('}') + 1)) as Step;
  const [containers, rules, listeners] = size;
  // A host that was not understood costs little.
  const { checks } = step;
  if (checks.containers !== containers || checks.rules < rules || checks.owned < listeners || checks.sources.length > 0)
    throw new Error(`the grown host was not read as it is: ${JSON.stringify({ size, checks })}`);
  return step;
}

/**
 * Measures all steps, each in a process of its own, and writes the raw figures to bench/results/.
 * @returns a Markdown table
 */
export async function growthTable(say: (line: string) => void): Promise<string> {
  const queue = Object.entries(ladders).flatMap(([what, sizes]) => sizes.map(size => ({ what, size })));
  const found = new Map<Size, Step>();
  const worker = async (): Promise<void> => {
    for (let next = queue.shift(); next; next = queue.shift()) {
      const step = await measure(next.size);
      found.set(next.size, step);
      const value = next.size[columnOf[next.what]!];
      say(
        `${value} ${next.what}: ${step.minute.toFixed(0)} ms a steady minute, ${step.restart.toFixed(0)} ms a restart`,
      );
    }
  };
  await Promise.all(Array.from({ length: Math.max(1, availableParallelism() - 1) }, worker));
  const file = join(
    import.meta.dirname,
    '..',
    'results',
    `growth-${new Date().toISOString().replaceAll(':', '-').slice(0, 19)}.json`,
  );
  await mkdir(join(file, '..'), { recursive: true });
  await writeFile(
    file,
    `${JSON.stringify(
      [...found].map(([size, step]) => ({ size, ...step })),
      undefined,
      1,
    )}\n`,
  );

  const lines = [
    '| what grows | to | CPU of a steady minute | | CPU of a restart | | memory |',
    '| --- | --- | --- | --- | --- | --- | --- |',
  ];
  for (const [what, sizes] of Object.entries(ladders)) {
    let before: { step: Step; value: number } | undefined;
    for (const size of sizes) {
      const step = found.get(size)!;
      const value = size[columnOf[what]!]!;
      const ratio = (pick: (step: Step) => number): string =>
        before ? `${times(pick(step) / pick(before.step))} for ${times(value / before.value)}` : '';
      lines.push(
        `| ${what} | ${value} | ${step.minute.toFixed(0)} ms | ${ratio(({ minute }) => minute)} | ${step.restart.toFixed(0)} ms | ${ratio(({ restart }) => restart)} | ${(step.rss / 1e6).toFixed(0)} MB |`,
      );
      before = { step, value };
    }
  }
  say(`raw figures in ${file}`);
  return lines.join('\n');
}
