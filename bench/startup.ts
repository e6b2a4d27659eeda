/**
 * From the start of the program to the first frame and to the first complete screen, beside an empty Ink program and beside
 * two that show the very same screen, known beforehand: one reads nothing for it, the other asks all that netdash asks.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Call } from './asking.mjs';
import { buildInk, isComplete, type Bench, type Site } from './bench.ts';
import { median, ms, times } from './figures.ts';
import { TerminalProgram } from './terminal.ts';

const runs = 7;

/** What netdash asks until its first complete screen, and that screen. */
const recordStart = async ({ lab, netdash }: Site) => {
  const file = join(lab.dir, 'start-calls.json');
  const model = await TerminalProgram.start(lab, netdash, {
    screen: true,
    env: {
      BENCH_CALLS: file,
      BENCH_FROM_START: '1',
      NODE_OPTIONS: `--require=${join(import.meta.dirname, 'call-recorder.cjs')}`,
    },
  });
  const completeAt = performance.timeOrigin + (await model.until(isComplete, 60_000));
  await lab.inHost(['kill', '-USR2', String(model.pid)]);
  const lines = model.lines().map(line => line.trimEnd());
  let said = '';
  while (!said.endsWith('}')) {
    await sleep(50);
    said = await readFile(file, 'utf8').catch(() => '');
  }
  await model.end('q');
  const { origin, calls } = JSON.parse(said) as { origin: number; calls: (Call & { at: number })[] };
  // The stream of events has no end to wait for.
  return {
    lines,
    calls: calls.filter(({ at, what }) => origin + at < completeAt && !String(what).startsWith('/events')),
  };
};

export const startup: Bench = async (site, report) => {
  const { lab, containers } = site;
  const empty: number[] = [];
  const first: number[] = [];
  const sources: number[] = [];
  const complete: number[] = [];
  const drawn: number[] = [];
  const asked: number[] = [];
  const cpu: number[] = [];
  const { lines, calls } = await recordStart(site);
  const constants = { LINES: JSON.stringify(lines), CALLS: JSON.stringify(calls), SOCKET: JSON.stringify(lab.socket) };
  const floorApp = [process.execPath, await buildInk(lab.dir, 'floor', constants)];
  const askingApp = [process.execPath, await buildInk(lab.dir, 'asking', constants)];
  const isDrawn = (screen: string[]): boolean => screen.every((line, row) => line.trimEnd() === lines[row]);
  const timeOf = async (app: readonly string[]): Promise<number> => {
    const program = await TerminalProgram.start(lab, app, { screen: true });
    const took = (await program.until(isDrawn)) - program.startedAt;
    await program.end();
    return took;
  };
  for (let run = 0; run < runs; run += 1) {
    const idle = await TerminalProgram.start(lab, site.empty, { screen: true });
    empty.push((await idle.until(([top = '']) => top.startsWith('count'))) - idle.startedAt);
    await idle.end();
    drawn.push(await timeOf(floorApp));
    asked.push(await timeOf(askingApp));
    const netdash = await TerminalProgram.start(lab, site.netdash, { screen: true });
    const since = (at: number): number => at - netdash.startedAt;
    first.push(since(await netdash.until(screen => screen.some(line => line.includes('1 Containers')))));
    sources.push(
      since(await netdash.until(([, second = '']) => second.includes('docker ✓') && !second.includes('reading'))),
    );
    complete.push(since(await netdash.until(isComplete, 60_000)));
    cpu.push(await site.usage.ofTree(netdash.pid));
    await netdash.end('q');
    report(
      `startup ${run + 1}/${runs}: ${ms(empty.at(-1)!)} empty, ${ms(first.at(-1)!)} first frame, ${ms(complete.at(-1)!)} complete`,
    );
  }
  const floor = median(empty);
  const row = (what: string, values: number[], limit?: number) => ({
    what,
    containers,
    measured: `${ms(median(values))} = ${times(median(values) / floor)}`,
    against: `empty Ink app ${ms(floor)}`,
    budget: limit === undefined ? '' : `≤ ${limit} x`,
    ...(limit !== undefined && { met: median(values) / floor <= limit }),
  });
  return {
    rows: [
      row('the same screen drawn by Ink from constants', drawn),
      row('the same, once all that netdash asks is answered, asked at once', asked),
      row('first frame', first),
      row('every source of the header answered', sources),
      row('first complete screen', complete, containers <= 10 ? 1.5 : undefined),
      { what: 'CPU until then, with the tools it runs', containers, measured: ms(median(cpu)), budget: '' },
    ],
    raw: { empty, drawn, asked, calls, first, sources, complete, cpu },
  };
};
