/**
 * One size of host: follows it with the whole dashboard on a screen of 200x50 in time that passes as fast as it can, and prints what
 * a steady minute and a restart cost, as JSON. `node --import tsx bench/growth/step.ts CONTAINERS RULES LISTENERS`
 */
import { pass, realNow } from './virtual-time.ts';
import { EventEmitter } from 'node:events';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { median } from '../figures.ts';
import type { GrownHost as Grown } from './grown-host.ts';

process.env['NODE_ENV'] = 'production';
const { loadRecording } = await import('../../source/host/recording/load.ts');
const { GrownHost } = await import('./grown-host.ts');
const { startLive } = await import('../../source/live/start-live.ts');
const { renderDashboard } = await import('../../source/ui/dashboard.tsx');

/** A terminal that takes everything. */
class Sink extends EventEmitter {
  readonly isTTY = true;
  readonly writable = true;
  readonly columns = 200;
  readonly rows = 50;
  bytes = 0;
  write(data: string | Uint8Array, encoding?: unknown, callback?: () => void): boolean {
    this.bytes += data.length;
    const done = typeof encoding === 'function' ? (encoding as () => void) : callback;
    if (done) setImmediate(done);
    return true;
  }
}

const [containers = 25, rules = 0, listeners = 0] = process.argv.slice(2).map(Number);
const recording = await loadRecording(join(import.meta.dirname, 'host.json.gz'));
const grown: Grown = new GrownHost(recording, { containers, rules, listeners });

/** CPU ms of this process, less what it took to make the host's answers. */
async function cpu(act: () => Promise<void>): Promise<number> {
  const [before, spent] = [process.cpuUsage(), grown.spentMs];
  await act();
  const used = process.cpuUsage(before);
  return (used.user + used.system) / 1000 - (grown.spentMs - spent);
}

const begun = realNow();
const live = await startLive(grown.host, { stateDir: null });
const keyboard = Object.assign(new PassThrough(), {
  isTTY: true,
  setRawMode: () => keyboard,
  ref: () => keyboard,
  unref: () => keyboard,
});
const sink = new Sink();
const done = renderDashboard({
  live,
  terminal: {
    stdin: keyboard as unknown as NodeJS.ReadStream,
    stdout: sink as unknown as NodeJS.WriteStream,
    env: { TERM: 'xterm-256color', LANG: 'C.UTF-8' },
  },
});
const started = await cpu(async () => {
  for (let second = 0; second < 30 || !live.getView().ready; second += 1) {
    if (second > 600) throw new Error('the host was not read');
    await pass(1000);
  }
});
// Until all insides were read again, the compiler has seen it all, and the host counts as one on which nothing happens.
await pass(300_000);

const { snapshot } = live.getView();
const checks = {
  containers: snapshot.containers.filter(({ state, endpoints }) => state === 'running' && endpoints[0]?.veth).length,
  rules: snapshot.rules?.length ?? 0,
  listeners: snapshot.listeners?.length ?? 0,
  owned: snapshot.listeners?.filter(({ process: name }) => name !== undefined).length ?? 0,
  findings: snapshot.findings.length,
  sources: Object.entries(snapshot.sources).flatMap(([name, { state, reason }]) =>
    state === 'ok' ? [] : [`${name}: ${reason}`],
  ),
};

// Most is read every minute or every third: single minutes differ by more than sizes do.
const minutes: number[] = [];
for (let round = 0; round < 18; round += 1) minutes.push(await cpu(() => pass(60_000)));
const minute = minutes.reduce((sum, each) => sum + each, 0) / minutes.length;
const bytes = sink.bytes;
await pass(60_000);
const bytesAMinute = sink.bytes - bytes;
const restarts: number[] = [];
const steady = minute / 60_000;
const restartMs = 20_000;
for (let round = 0; round < 7; round += 1) {
  const index = (round * 7) % containers;
  const cost = await cpu(async () => {
    await grown.restart(index, pass);
    await pass(restartMs - 150);
  });
  restarts.push(cost - steady * restartMs);
}
const moved = live.getView().snapshot.portChanges.length;
process.stdout.write(
  `${JSON.stringify({ containers, rules, listeners, started, minute, minutes, restart: median(restarts), restarts, bytesAMinute, moved, checks, tookMs: realNow() - begun, rss: process.memoryUsage.rss() })}\n`,
);
keyboard.write('q');
await pass(5000);
await done;
await live.stop();
process.exit(0);
