/**
 * From the start of the program to the first frame and to the first complete screen, beside an empty Ink program and beside
 * one that shows the very same screen and reads nothing for it.
 */
import { buildInk, isComplete, type Bench } from './bench.ts';
import { median, ms, times } from './figures.ts';
import { TerminalProgram } from './terminal.ts';

const runs = 7;

export const startup: Bench = async (site, report) => {
  const { lab, containers } = site;
  const empty: number[] = [];
  const first: number[] = [];
  const sources: number[] = [];
  const complete: number[] = [];
  const drawn: number[] = [];
  const cpu: number[] = [];
  const model = await TerminalProgram.start(lab, site.netdash, { screen: true });
  await model.until(isComplete, 60_000);
  const lines = model.lines().map(line => line.trimEnd());
  await model.end('q');
  const floorApp = [process.execPath, await buildInk(lab.dir, 'floor', { LINES: JSON.stringify(lines) })];
  for (let run = 0; run < runs; run += 1) {
    const idle = await TerminalProgram.start(lab, site.empty, { screen: true });
    empty.push((await idle.until(([top = '']) => top.startsWith('count'))) - idle.startedAt);
    await idle.end();
    const constant = await TerminalProgram.start(lab, floorApp, { screen: true });
    const isDrawn = (screen: string[]): boolean => screen.every((line, row) => line.trimEnd() === lines[row]);
    drawn.push((await constant.until(isDrawn)) - constant.startedAt);
    await constant.end();
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
      row('first frame', first),
      row('every source of the header answered', sources),
      row('first complete screen', complete, containers <= 10 ? 1.5 : undefined),
      { what: 'CPU until then, with the tools it runs', containers, measured: ms(median(cpu)), budget: '' },
    ],
    raw: { empty, drawn, first, sources, complete, cpu },
  };
};
