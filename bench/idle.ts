/** A steady minute of netdash, and of what an operator would have in its place: CPU, bytes, memory, processes, requests. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isComplete, type Bench, type Site } from './bench.ts';
import { tapDocker } from './docker-tap.ts';
import { mean, times, type Row } from './figures.ts';
import { nameOf } from './populate.ts';
import { TerminalProgram } from './terminal.ts';

/** Until every container has been looked into twice, where there are 200, and V8 has compiled what runs often. */
const settleMs = 300_000;
const minuteMs = 60_000;
/** Longer than the longest pause between two readings of a source, the insides of containers left aside. */
const steadyMs = 181_000;
const idleMs = 45_000;
const otherMs = 60_000;
/** What Docker uses by itself wavers by more than netdash's few requests cost it, so these are made so many times as often when their cost is measured. */
const manyTimes = 30;
const ratesMs = 24_000;

/** What a minute costs: CPU milliseconds of the program with its children and of Docker, bytes to the terminal. */
interface Cost {
  own: number;
  docker: number;
  bytes: number;
}

/** Measures for so long and counts up to a minute, with what Docker uses by itself. */
const costOf = async (
  { usage }: Site,
  program: { pid: number; bytes: number } | undefined,
  forMs: number,
): Promise<Cost> => {
  const read = async (): Promise<Cost & { at: number }> => ({
    own: program ? await usage.ofTree(program.pid) : 0,
    docker: await usage.ofDocker(),
    bytes: program?.bytes ?? 0,
    at: performance.now(),
  });
  const before = await read();
  await sleep(forMs);
  const after = await read();
  const minutes = (after.at - before.at) / minuteMs;
  return {
    own: (after.own - before.own) / minutes,
    docker: (after.docker - before.docker) / minutes,
    bytes: (after.bytes - before.bytes) / minutes,
  };
};

const addressesOf = async ({ lab, containers }: Site): Promise<string[]> => {
  const found = [];
  for (let index = 0; index < Math.min(containers, 40); index += 1) {
    const { NetworkSettings } = await lab.inspect(nameOf(index));
    found.push(...Object.values(NetworkSettings.Networks).map(({ IPAddress }) => IPAddress));
  }
  return found;
};

const measureNetdash = async (site: Site) => {
  const { lab, usage } = site;
  const tap = await tapDocker(join(lab.dir, 'tap.sock'), lab.socket);
  const [spawnFile, callsFile] = [join(lab.dir, 'spawns'), join(lab.dir, 'calls.json')];
  const spawned = async (): Promise<string[]> => (await readFile(spawnFile, 'utf8')).trim().split('\n');
  const program = await TerminalProgram.start(lab, site.netdash, {
    screen: true,
    env: {
      DOCKER_HOST: tap.url,
      BENCH_SPAWNS: spawnFile,
      BENCH_CALLS: callsFile,
      NODE_OPTIONS: ['spawn-counter.cjs', 'call-recorder.cjs']
        .map(name => `--require=${join(import.meta.dirname, name)}`)
        .join(' '),
    },
  });
  await program.until(isComplete, 60_000);
  await sleep(settleMs);
  const before = { requests: tap.requests.length, spawns: (await spawned()).length };
  const cost = await costOf(site, program, steadyMs);
  const perMinute = minuteMs / steadyMs;
  const requests = tap.requests.slice(before.requests);
  const spawns = (await spawned()).slice(before.spawns);
  const clears = program.clears;
  const note = () => lab.inHost(['kill', '-USR2', String(program.pid)]);
  await note();
  await sleep(steadyMs);
  await note();

  const traffic = await lab.spawnInHost([
    process.execPath,
    join(import.meta.dirname, 'traffic.mjs'),
    ...(await addressesOf(site)),
  ]);
  await sleep(5000);
  const moving = await costOf(site, program, ratesMs);
  await traffic.kill('SIGKILL');
  await traffic.exited;
  const memory = await usage.memory(program.pid);
  const redraws = program.clears - clears;
  await program.end('q');
  await tap.close();
  return { cost, moving, requests, spawns, perMinute, memory, redraws, callsFile };
};

/** What was asked of the machine, by kind. */
type Counts = Record<string, number>;

/** The program that asks for what netdash asked for; with `asOften`, for those of Docker alone, so many times as often. */
const startBare = async ({ lab }: Site, callsFile: string, asOften?: number) => {
  const file = join(lab.dir, 'bare.pid');
  const argv = [process.execPath, join(import.meta.dirname, 'bare-readings.mjs'), callsFile, lab.socket];
  if (asOften !== undefined) argv.push(String(asOften));
  const started = await lab.spawnInHost(['sh', '-c', `echo $$ >${file}; exec "$@"`, 'sh', ...argv]);
  let printed = '';
  started.child.stdout?.on('data', (data: Buffer) => (printed += data.toString()));
  await sleep(2000);
  return {
    pid: Number(await readFile(file, 'utf8')),
    /** Ends it. @returns how many calls of each kind it made in its first round */
    end: async (): Promise<Counts> => {
      await started.kill('SIGTERM');
      await started.exited;
      return JSON.parse(printed.split('\n')[0] || '{}') as Counts;
    },
  };
};

/**
 * What it costs to ask for what netdash asked for in so long, call by call, and to throw the answers away.
 * @returns that, with how many calls netdash made of each kind and how many the bare program
 */
const measureBare = async (site: Site, callsFile: string) => {
  const { forMs, calls } = JSON.parse(await readFile(callsFile, 'utf8')) as {
    forMs: number;
    calls: { kind: string }[];
  };
  const asked: Counts = {};
  for (const { kind } of calls) asked[kind] = (asked[kind] ?? 0) + 1;
  const bare = await startBare(site, callsFile);
  await sleep(18_000);
  // One round from anywhere holds every call once.
  const { own } = await costOf(site, { pid: bare.pid, bytes: 0 }, forMs);
  const { failed = 0, ...made } = await bare.end();
  for (const kind of new Set([...Object.keys(asked), ...Object.keys(made)])) {
    if (asked[kind] !== made[kind])
      throw new Error(`the bare program is no floor: ${JSON.stringify({ asked, made, failed })}`);
  }
  return { own, forMs, asked, made, failed };
};

/** What a minute of netdash's requests costs Docker, CPU ms. */
const measureRequests = async (site: Site, callsFile: string, alone: () => Promise<number>): Promise<number> => {
  const before = await alone();
  const many = await startBare(site, callsFile, manyTimes);
  const { docker } = await costOf(site, undefined, minuteMs);
  await many.end();
  return Math.max(0, docker - mean([before, await alone()])) / manyTimes;
};

const others = {
  ps: ['watch', '-n', '2', 'docker ps -a'],
  stats: ['docker', 'stats'],
  sum: ['watch', '-n', '2', 'docker ps -a; ss -tulnp; iptables-save; ip -j -d link'],
};

const measureOther = async (site: Site, command: readonly string[]): Promise<Cost> => {
  const program = await TerminalProgram.start(site.lab, command, { screen: false });
  await sleep(3000);
  const cost = await costOf(site, program, otherMs);
  await program.end();
  return cost;
};

const seconds = (cpuMs: number): string => `${(cpuMs / 1000).toFixed(2)} s`;
const whole = ({ own, docker }: Cost): number => own + docker;
const told = (cost: Cost): string =>
  `${seconds(whole(cost))} a minute (${seconds(cost.own)} + Docker ${seconds(cost.docker)})`;
const kilobytes = (bytes: number): string => `${(bytes / 1000).toFixed(1)} kB a minute`;

export const idle: Bench = async (site, report) => {
  const { containers } = site;
  const row = (what: string, measured: string, budget: string, met?: boolean, against?: string): Row => ({
    what,
    containers,
    measured,
    budget,
    met,
    against,
  });
  const idles: number[] = [];
  const alone = async (): Promise<number> => {
    await sleep(2000);
    const { docker } = await costOf(site, undefined, idleMs);
    idles.push(docker);
    return docker;
  };
  /** Others, each of them between two windows of Docker alone: what it uses by itself changes over minutes. */
  const between = async (commands: readonly (readonly string[])[]): Promise<Cost[]> => {
    const costs: Cost[] = [];
    let before = await alone();
    for (const command of commands) {
      const cost = await measureOther(site, command);
      const after = await alone();
      costs.push({ ...cost, docker: Math.max(0, cost.docker - mean([before, after])) });
      before = after;
    }
    return costs;
  };
  const [ps1, ps2, stats, sum] = (await between([others.ps, others.ps, others.stats, others.sum])) as [
    Cost,
    Cost,
    Cost,
    Cost,
  ];
  const ps: Cost = { own: mean([ps1.own, ps2.own]), docker: mean([ps1.docker, ps2.docker]), bytes: ps1.bytes };
  const { callsFile, ...measured } = await measureNetdash(site);
  const readings = await measureBare(site, callsFile);
  const requests = await measureRequests(site, callsFile, alone);
  const netdash = {
    ...measured,
    cost: { ...measured.cost, docker: requests },
    moving: { ...measured.moving, docker: requests },
  };
  const bare = { ...readings, cost: { own: readings.own, docker: requests, bytes: 0 } };
  report(
    `Docker by itself: ${idles.map(seconds).join(', ')} a minute; while netdash ran: ${seconds(measured.cost.docker)}`,
  );
  report(`netdash: ${told(netdash.cost)}; with rates moving ${told(netdash.moving)}`);
  const aMinute = Object.entries(bare.made).map(
    ([kind, made]) => `${Math.round((made * minuteMs) / bare.forMs)} ${kind}`,
  );
  report(`the same readings, bare: ${told(bare.cost)}; a minute: ${aMinute.join(', ')}; ${bare.failed} failed`);
  report(`watch docker ps -a: ${told(ps)}; docker stats: ${told(stats)}; the bare sum every 2 s: ${told(sum)}`);

  const limit = containers > 10 ? 1 / 3 : 1;
  const against = (name: string, other: Cost): Row =>
    row(
      'CPU of a steady minute',
      `${told(netdash.cost)} = ${times(whole(netdash.cost) / whole(other))}`,
      other === ps ? `< ${limit === 1 ? '1' : '0.33'} x` : '',
      other === ps ? whole(netdash.cost) < limit * whole(other) : undefined,
      `${name}: ${told(other)}`,
    );
  const counted = (what: string, perMinute: number): Row =>
    row(what, `${perMinute.toFixed(1).replace('.0', '')} a minute`, '≤ 15', perMinute <= 15);
  return {
    rows: [
      against('watch -n 2 docker ps -a', ps),
      against('docker stats', stats),
      against('watch -n 2 (docker ps -a; ss; iptables-save; ip link)', sum),
      row(
        'the same readings alone, their answers thrown away',
        `${told(bare.cost)} = ${times(whole(bare.cost) / whole(ps))}`,
        '',
        undefined,
        'watch -n 2 docker ps -a',
      ),
      row(
        'CPU with rates moving',
        `${told(netdash.moving)} = ${times(whole(netdash.moving) / whole(ps))}`,
        '',
        undefined,
        'watch -n 2 docker ps -a',
      ),
      row('bytes to the terminal, idle', kilobytes(netdash.cost.bytes), '≤ 10 kB', netdash.cost.bytes <= 10_000),
      row(
        'bytes to the terminal, rates moving',
        kilobytes(netdash.moving.bytes),
        '≤ 100 kB',
        netdash.moving.bytes <= 100_000,
      ),
      row('whole screen redrawn', `${netdash.redraws} times`, 'never', netdash.redraws === 0),
      counted('Docker API requests', netdash.requests.length * netdash.perMinute),
      counted('processes started', netdash.spawns.length * netdash.perMinute),
      row(
        'resident memory',
        `${netdash.memory.now.toFixed(0)} MB (peak ${netdash.memory.peak.toFixed(0)})`,
        '≤ 110 MB',
        netdash.memory.now <= 110,
      ),
    ],
    raw: { idles, gross: measured.cost, netdash, bare, ps: { ps1, ps2, ...ps }, stats, sum },
  };
};

const costIn = (raw: Record<string, unknown>): number => whole((raw['netdash'] as { cost: Cost }).cost);

/** How the cost grows from one host to another, of which these are the raw figures. */
export const growth = (small: Record<string, unknown>, large: Record<string, unknown>): number =>
  costIn(large) / costIn(small);
