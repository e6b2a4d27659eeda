/** How often a host is asked on which nothing happens, and that what speaks for a change is looked at as soon as ever. In time that passes at will. */
import { pass } from '../../bench/growth/virtual-time.ts';
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { GrownHost } from '../../bench/growth/grown-host.ts';
import { HostError, type Host } from '../../source/host/host.ts';
import { loadRecording } from '../../source/host/recording/load.ts';
import { HostSources } from '../../source/live/host-sources.ts';

const file = join(import.meta.dirname, '..', '..', 'bench', 'growth', 'host.json.gz');

/** The sources of a host that is recorded, and what they run on it. @param monitors whether `ip monitor` and `nft monitor` work there */
async function follow(monitors: boolean) {
  const { host: recorded } = new GrownHost(await loadRecording(file), { containers: 3, rules: 0, listeners: 0 });
  let ran: string[] = [];
  const tell: Partial<Record<string, (line: string) => void>> = {};
  const host: Host = {
    ...recorded,
    run: (tool, args, options) => {
      ran.push([tool, ...args].join(' '));
      return recorded.run(tool, args, options);
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
  return { sources, tell, during };
}

const links = 'ip -j -d addr';
const routes = 'ip -j route show table all';
const rules = 'nft -j list ruleset';

test('while nothing happens, interfaces and rules are read every two minutes', async () => {
  const { sources, during } = await follow(true);
  await during(120_000);
  const calm = await during(480_000);
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
  await during(300_000);
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
