/** From Docker's `start` event to the container's new port on screen. */
import { request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Lab } from '../test/lab/lab.ts';
import { isComplete, type Bench } from './bench.ts';
import { median, ms, percentile } from './figures.ts';
import { nameOf } from './populate.ts';
import { TerminalProgram } from './terminal.ts';

const restarts = 50;
/** Rows that are on screen at any size of host. */
const rowsOnScreen = 8;
const patienceMs = 5000;

/** Follows `start` events: container id to the time that dockerd gave the event, on the clock of performance.now(). */
const followStarts = (lab: Lab): Promise<{ times: Map<string, number>; stop(): void }> =>
  new Promise((resolve, reject) => {
    const times = new Map<string, number>();
    const filters = encodeURIComponent(JSON.stringify({ type: ['container'], event: ['start'] }));
    const outgoing = request({ socketPath: lab.socket, path: `/events?filters=${filters}`, agent: false }, answer => {
      let rest = '';
      answer.setEncoding('utf8').on('data', (text: string) => {
        const lines = (rest + text).split('\n');
        rest = lines.pop() ?? '';
        for (const line of lines) {
          const event = JSON.parse(line) as { id: string; timeNano: number };
          times.set(event.id, event.timeNano / 1e6 - performance.timeOrigin);
        }
      });
      answer.on('error', () => undefined);
      resolve({ times, stop: () => outgoing.destroy() });
    });
    outgoing.on('error', reject);
    outgoing.end();
  });

const publishedPort = async (lab: Lab, name: string): Promise<string> => {
  const { NetworkSettings } = await lab.inspect(name);
  return NetworkSettings.Ports['80/tcp']?.[0]?.HostPort ?? '';
};

export const restart: Bench = async (site, report) => {
  const { lab, usage, containers } = site;
  const events = await followStarts(lab);
  const netdash = await TerminalProgram.start(lab, site.netdash, { screen: true });
  await netdash.until(isComplete, 60_000);
  await sleep(4000);
  const memoryBefore = (await usage.memory(netdash.pid)).now;
  const latencies: number[] = [];
  const missed: string[] = [];
  for (let run = 0; run < restarts; run += 1) {
    const name = nameOf(run % Math.min(containers, rowsOnScreen));
    const row = new RegExp(`^[▌ ] ${name}\\s`);
    const rowNow = (): string => netdash.lines().find(line => row.test(line)) ?? '';
    const seen: { at: number; row: string }[] = [];
    netdash.onScreen = at => {
      const text = rowNow();
      if (text !== seen.at(-1)?.row) seen.push({ at, row: text });
    };
    const id = (await lab.inspect(name)).Id;
    events.times.delete(id);
    await lab.restart(name);
    const port = await publishedPort(lab, name);
    const shown = () => seen.find(({ row: text }) => text.includes(`${port}→80`));
    const deadline = performance.now() + patienceMs;
    while ((!shown() || !events.times.has(id)) && performance.now() < deadline) await sleep(5);
    const found = shown();
    const startedAt = events.times.get(id);
    if (found && startedAt !== undefined) latencies.push(found.at - startedAt);
    else missed.push(`${name} on ${port}: ${rowNow()}`);
    await sleep(300 + Math.random() * 500);
  }
  netdash.onScreen = undefined;
  const memoryAfter = (await usage.memory(netdash.pid)).now;
  await netdash.end('q');
  events.stop();
  const half = median(latencies);
  const slow = percentile(latencies, 0.95);
  report(`restarts: median ${ms(half)}, 95th percentile ${ms(slow)}, ${missed.length} not shown`);
  return {
    rows: [
      {
        what: `start event to new port on screen, ${restarts} restarts, median`,
        containers,
        measured: ms(half),
        budget: '≤ 120 ms',
        met: half <= 120 && missed.length === 0,
      },
      { what: 'the same, 95th percentile', containers, measured: ms(slow), budget: '≤ 250 ms', met: slow <= 250 },
      {
        what: `memory before and after ${restarts} restarts`,
        containers,
        measured: `${memoryBefore.toFixed(0)} → ${memoryAfter.toFixed(0)} MB`,
        budget: '',
      },
    ],
    raw: { latencies, missed, memoryBefore, memoryAfter },
  };
};
