/** From a key press to the screen while containers churn, beside an empty Ink program under the same churn. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Lab } from '../test/lab/lab.ts';
import { isComplete, type Bench } from './bench.ts';
import { median, ms, percentile, times } from './figures.ts';
import { nameOf } from './populate.ts';
import { TerminalProgram } from './terminal.ts';

const rounds = 4;
const pressesPerRound = 40;

/** Restarts containers one after another until told to stop. */
const churn = (lab: Lab, containers: number): { count: () => number; stop(): Promise<void> } => {
  const stopping = new AbortController();
  let done = 0;
  const loop = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      await lab.restart(nameOf(Math.floor(Math.random() * containers)));
      done += 1;
    }
  };
  const worker = loop();
  return {
    count: () => done,
    stop: async () => {
      stopping.abort();
      await worker;
    },
  };
};

/** Presses keys, and each time waits for what `mark` reads on the screen to change. */
const press = async (program: TerminalProgram, mark: (lines: string[]) => string): Promise<number[]> => {
  const latencies: number[] = [];
  for (let index = 0; index < pressesPerRound; index += 1) {
    const before = mark(program.lines());
    const at = program.type(index % 2 === 0 ? 'j' : 'k');
    latencies.push((await program.until(lines => mark(lines) !== before, 10_000)) - at);
    await sleep(60 + Math.random() * 200);
  }
  return latencies;
};

const markedRow = (lines: string[]): string => String(lines.findIndex(line => line.startsWith('▌')));

export const keys: Bench = async (site, report) => {
  const { lab, containers } = site;
  const netdash = await TerminalProgram.start(lab, site.netdash, { screen: true });
  const empty = await TerminalProgram.start(lab, site.empty, { screen: true });
  await netdash.until(isComplete, 60_000);
  await sleep(3000);
  const quiet = await press(netdash, markedRow);
  const restarts = churn(lab, containers);
  const startedAt = performance.now();
  const latencies: number[] = [];
  const floor: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    latencies.push(...(await press(netdash, markedRow)));
    floor.push(...(await press(empty, lines => lines[0]!)));
  }
  const perMinute = (restarts.count() / (performance.now() - startedAt)) * 60_000;
  await restarts.stop();
  await netdash.end('q');
  await empty.end();
  const half = median(latencies);
  const slow = percentile(latencies, 0.95);
  const churned = `${perMinute.toFixed(0)} restarts a minute`;
  report(`keys: median ${ms(half)}, 95th percentile ${ms(slow)}, at ${churned}; quiet ${ms(median(quiet))}`);
  const against = (share: number): string =>
    `empty Ink app ${ms(percentile(floor, share))}: ${times(percentile(latencies, share) / percentile(floor, share))}`;
  return {
    rows: [
      {
        what: `key press to screen at ${churned}, median`,
        containers,
        measured: ms(half),
        against: against(0.5),
        budget: '≤ 50 ms',
        met: half <= 50,
      },
      {
        what: 'the same, 95th percentile',
        containers,
        measured: ms(slow),
        against: against(0.95),
        budget: '≤ 100 ms',
        met: slow <= 100,
      },
      { what: 'key press to screen, quiet host, median', containers, measured: ms(median(quiet)), budget: '' },
    ],
    raw: { latencies, floor, quiet, perMinute },
  };
};
