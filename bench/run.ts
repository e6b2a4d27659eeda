/**
 * `npm run bench`: measures the budgets of docs/benchmarks.md on the lab, beside what an operator would use instead.
 *   npm run bench                          everything, with 10 and with 200 containers
 *   npm run bench -- startup keys          some of: startup idle restart keys
 *   npm run bench -- --containers 10       other sizes of host, separated by commas
 *   npm run bench -- growth                how costs grow with containers, rules and listeners; needs no lab
 * Prints a table, and writes the raw figures to bench/results/.
 */
import { copyFile, mkdir, writeFile } from 'node:fs/promises';
import { cpus, loadavg, release, totalmem } from 'node:os';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { bundle } from '../test/e2e/netdash.ts';
import { labRequirement, startLab } from '../test/lab/lab.ts';
import { buildInk, type Bench, type Site } from './bench.ts';
import { table, times, type Row } from './figures.ts';
import { growth, idle } from './idle.ts';
import { keys } from './keys.ts';
import { populate } from './populate.ts';
import { restart } from './restart.ts';
import { growthTable } from './growth/growth.ts';
import { startup } from './startup.ts';
import { Usage } from './usage.ts';

const benches: Record<string, Bench> = { startup, idle, restart, keys };

const say = (line: string): void => {
  process.stderr.write(`bench: ${line}\n`);
};

const { values, positionals } = parseArgs({
  options: { containers: { type: 'string', default: '10,200' } },
  allowPositionals: true,
});
const isGrowth = positionals.length === 1 && positionals[0] === 'growth';
const chosen = isGrowth ? [] : positionals.length === 0 ? Object.keys(benches) : positionals;
const sizes = values.containers.split(',').map(Number);
const unknown = chosen.find(name => !Object.hasOwn(benches, name));
if (unknown !== undefined || sizes.some(size => !(size > 0))) {
  say(
    `usage: npm run bench -- [${Object.keys(benches).join('] [')}] [--containers 10,200], or: npm run bench -- growth`,
  );
  process.exit(2);
}
if (isGrowth) {
  process.stdout.write(`${await growthTable(say)}\n`);
  process.exit(0);
}
const reason = labRequirement();
if (reason !== undefined) {
  say(`${reason}; the benches need the lab`);
  process.exit(3);
}

const startedAt = new Date();
const rows: Row[] = [];
const raw: Record<string, Record<string, Record<string, unknown>>> = {};
const file = join(import.meta.dirname, 'results', `${startedAt.toISOString().replaceAll(':', '-').slice(0, 19)}.json`);
await mkdir(dirname(file), { recursive: true });
const lab = await startLab({ report: say });
// New interfaces ask for IPv6 routers, less and less often for an hour (RFC 7559). With 200 of them that is traffic most of the time, which netdash
// shows, and nothing that a host does on which nothing happens: moving rates are measured apart.
await lab.inHost(['sh', '-c', 'echo 0 >/proc/sys/net/ipv6/conf/default/router_solicitations']);
const machine = {
  cpu: `${cpus().length} x ${cpus()[0]?.model ?? 'unknown'}`,
  memoryGb: Math.round(totalmem() / 1e9),
  kernel: release(),
  node: process.version,
  docker: lab.dockerVersion,
};
/** How busy the machine was, for judging the figures: load averages by time. */
const load: Record<string, number[]> = {};
/** After each bench, so that a run that is cut short leaves what it has found. */
const save = async (): Promise<void> => {
  load[new Date().toISOString()] = loadavg();
  await writeFile(file, `${JSON.stringify({ at: startedAt, machine, load, rows, raw }, null, 1)}\n`);
};
try {
  const empty = [process.execPath, await buildInk(lab.dir, 'empty')];
  // A copy: the bundle may be made anew while this runs. It is run by itself, as its user runs it.
  const program = join(lab.dir, 'netdash.mjs');
  const netdash = [program];
  await copyFile(bundle, program);
  await copyFile(bundle.replace(/mjs$/, 'cache'), program.replace(/mjs$/, 'cache'));
  const usage = await Usage.of(lab);
  let running = 0;
  for (const containers of sizes.toSorted((a, b) => a - b)) {
    say(`starting ${containers - running} containers`);
    await populate(lab, running, containers);
    running = containers;
    const site: Site = { lab, usage, containers, netdash, empty };
    for (const name of chosen) {
      const findings = await benches[name]!(site, line => say(`${containers} containers: ${line}`));
      rows.push(...findings.rows);
      (raw[name] ??= {})[containers] = findings.raw;
      await save();
    }
  }
  const idles = raw['idle'];
  const [small, large] = [sizes[0]!, sizes.at(-1)!];
  if (idles && large > small) {
    const factor = growth(idles[small]!, idles[large]!);
    rows.push({
      what: `growth of the CPU of a steady minute from ${small} containers`,
      containers: large,
      measured: times(factor),
      budget: '≤ 2 x',
      met: factor <= 2,
    });
  }
  await save();
} finally {
  await lab.stop();
}
process.stdout.write(`${table(rows)}\n`);
say(`${((Date.now() - startedAt.getTime()) / 60_000).toFixed(1)} min; raw figures in ${file}`);
