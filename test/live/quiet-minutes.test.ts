/** How often a host is asked on which nothing happens, and that what speaks for a change is looked at as soon as ever. In time that passes at will. */
import { pass } from '../../bench/growth/virtual-time.ts';
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { GrownHost } from '../../bench/growth/grown-host.ts';
import { HostError, type Host } from '../../source/host/host.ts';
import { loadRecording } from '../../source/host/recording/load.ts';
import { HostSources } from '../../source/live/host-sources.ts';

const recording = join(import.meta.dirname, '..', '..', 'bench', 'growth', 'host.json.gz');

/** The sources of a host that is recorded, and what they run on it. @param monitors whether `ip monitor` and `nft monitor` work there */
async function follow(monitors: boolean) {
  const { host: recorded } = new GrownHost(await loadRecording(recording), { containers: 3, rules: 0, listeners: 0 });
  let ran: string[] = [];
  let looked: string[] = [];
  const broken = new Set<string>();
  const tell: Partial<Record<string, (line: string) => void>> = {};
  const host: Host = {
    ...recorded,
    run: (tool, args, options) => {
      ran.push([tool, ...args].join(' '));
      return recorded.run(tool, args, options);
    },
    readLinks: paths => {
      looked.push(...paths);
      return recorded.readLinks(paths).map((link, index) => (broken.has(paths[index]!) ? 'socket:[1]' : link));
    },
    readFile: path => {
      looked.push(path);
      return recorded.readFile(path);
    },
    follow: (tool, args, onLine) => {
      if (!monitors) return { stop: () => undefined, ended: Promise.resolve(new HostError('failed', 'no monitor')) };
      tell[tool] = onLine;
      return recorded.follow(tool, args, onLine);
    },
  };
  const sources = new HostSources({
    host,
    docker: () => undefined,
    onReading: () => undefined,
    onLinks: () => undefined,
  });
  const begun = sources.start(true);
  await pass(10_000);
  await begun;
  /** How often each command was run in so long. */
  const during = async (ms: number): Promise<Record<string, number>> => {
    ran = [];
    await pass(ms);
    const counts: Record<string, number> = {};
    for (const line of ran) counts[line] = (counts[line] ?? 0) + 1;
    return counts;
  };
  /** Which links and tables were read in so long. */
  const lookedDuring = async (ms: number): Promise<string[]> => {
    looked = [];
    await pass(ms);
    return looked;
  };
  return { sources, tell, during, lookedDuring, broken };
}

const links = 'ip -j -d addr';
const routes = 'ip -j route show table all';
const rules = 'nft -j list ruleset';

test('while nothing happens, interfaces and rules are read every three minutes', async () => {
  const { sources, during } = await follow(true);
  await during(180_000);
  const calm = await during(720_000);
  assert.deepEqual([calm[links], calm[routes], calm[rules]], [4, 4, 4]);
  assert.ok(Object.values(calm).reduce((sum, count) => sum + count, 0) <= 8 * 4, JSON.stringify(calm));
  void sources.stop();
});

test('without monitors they are read as often as ever', async () => {
  const { sources, during } = await follow(false);
  await during(120_000);
  const calm = await during(240_000);
  assert.ok(calm[links]! >= 20, JSON.stringify(calm));
  assert.ok(calm[rules]! >= 7, JSON.stringify(calm));
  void sources.stop();
});

test('what a monitor tells, and what Docker does, is looked at at once, and again within the usual time', async () => {
  const { sources, tell, during } = await follow(true);
  await during(400_000);
  tell['ip']!('7: eth0    inet 10.9.0.1/24 scope global eth0');
  assert.equal((await during(2000))[links], 1);
  assert.equal((await during(41_000))[routes], 1);

  await during(300_000);
  tell['ip']!('10.8.0.0/24 via 10.9.0.2 dev eth0');
  assert.deepEqual(await during(5000), {}, 'a route alone is waited with');
  assert.equal((await during(36_000))[routes], 1);

  await during(300_000);
  tell['nft']!('add rule ip filter FORWARD drop');
  assert.equal((await during(2000))[rules], 1);
  assert.equal((await during(31_000))[rules], 1);

  await during(300_000);
  sources.dockerChanged(false);
  const after = await during(2000);
  assert.ok(after[links]! >= 1 && after[rules]! >= 1, JSON.stringify(after));
  const later = await during(41_000);
  assert.ok(later[links]! >= 1 && later[rules]! >= 1, JSON.stringify(later));
  void sources.stop();
});

test('listeners are looked at every ten seconds, those of docker-proxies within forty; one that is not there any more has all tables read', async () => {
  const { sources, lookedDuring, broken } = await follow(true);
  await lookedDuring(120_000);
  const files = (isProxys: boolean): string[] =>
    (sources.readings.sockets.value?.listeners ?? []).flatMap(({ processes = [] }) =>
      processes
        .filter(({ name }) => (name === 'docker-proxy') === isProxys)
        .map(({ pid, fd }) => `/proc/${pid}/fd/${fd}`),
    );
  const [own, proxys] = [files(false), files(true)];
  assert.ok(own.length > 0 && proxys.length >= 4, JSON.stringify({ own, proxys }));
  const table = '/proc/self/net/tcp';
  // Somewhere in a minute all tables are read.
  const seen = await lookedDuring(60_000);
  assert.equal(seen.filter(path => path === table).length, 1);
  for (const file of own) assert.ok(seen.filter(path => path === file).length >= 5, file);
  for (const file of proxys) {
    const times = seen.filter(path => path === file).length;
    assert.ok(times >= 1 && times <= 2, `${file}: ${times}`);
  }
  for (const [file, withinMs] of [
    [own[0]!, 12_000],
    [proxys[0]!, 42_000],
  ] as const) {
    await lookedDuring(61_000);
    broken.add(file);
    const then = await lookedDuring(withinMs);
    broken.clear();
    assert.ok(then.includes(table), file);
  }
  void sources.stop();
});
