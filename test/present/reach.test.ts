/** Who reaches what, as panes, pages and lists tell it, on recorded hosts; the verdicts themselves are tested elsewhere. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { brotliDecompressSync } from 'node:zlib';
import { readOnce } from '../../source/commands/look-once.ts';
import { demoRecording } from '../../source/demo/recording.ts';
import type { Exposure } from '../../source/facts/exposure.ts';
import { reachability, type Reachability } from '../../source/facts/reachability.ts';
import type { Container, Snapshot } from '../../source/facts/schema.ts';
import type { Readings } from '../../source/host/readings.ts';
import { parseRecording } from '../../source/host/recording/load.ts';
import { replayHost } from '../../source/host/recording/replay-host.ts';
import { lineText } from '../../source/present/cell.ts';
import { containerPage } from '../../source/present/container-page/page.ts';
import { containerRows, containerTable } from '../../source/present/container-table.ts';
import { reachesCell } from '../../source/present/reach.ts';
import { asksForExposed, exposedRows, exposedTable } from '../../source/present/exposed-table.ts';
import { parseFilter } from '../../source/present/filter.ts';
import { portRows, portTable } from '../../source/present/port-table.ts';
import { renderTable } from '../../source/present/render-table.ts';
import { listOf } from '../../source/present/table.ts';

interface Read {
  readings: Readings;
  snapshot: Snapshot;
  reach: Reachability;
}

let read: Promise<Read> | undefined;

/** The recorded host of the demo: all there is to read of Docker 20.10, rules of an administrator beside. */
const demo = (): Promise<Read> =>
  (read ??= (async () => {
    const recording = parseRecording(brotliDecompressSync(Buffer.from(demoRecording, 'base64')), 'the demo');
    const { view, readings } = await readOnce(replayHost(recording));
    return { readings, snapshot: view.snapshot, reach: reachability(readings, view.snapshot) };
  })());

function pathOf({ snapshot, reach }: Read, name: string, width: number): string {
  const container = snapshot.containers.find(each => each.name === name);
  assert.ok(container, name);
  const lines = containerPage('path', { snapshot, reach, events: [], container, width }).map(lineText);
  for (const line of lines) assert.ok(line.length <= width, `${line.length} of ${width}: ${line}`);
  return lines.join('\n');
}

const reachCell = ({ snapshot, reach }: Read, name: string): string => {
  const list = listOf(containerTable, containerRows(snapshot, reach));
  const item = list.items.find(each => each.cells[0]?.text === name);
  return item?.cells[list.columns.findIndex(({ id }) => id === 'reach')]?.text ?? '';
};

test('a container says in a glyph and a word who reaches its ports', async () => {
  const host = await demo();
  assert.equal(reachCell(host, 'web'), '✓ reachable from lan');
  assert.equal(reachCell(host, 'fw'), '✗ v4 blocked', 'IPv6 goes by docker-proxy, past FORWARD');
  assert.equal(reachCell(host, 'silent'), '✗ nothing-listening');
  assert.equal(reachCell(host, 'base'), '-');
  // Docker 20.10 lets a neighbour in that sends to 127.0.0.1.
  assert.equal(reachCell(host, 'local'), '! reachable from lan');
});

const exposure = (word: Exposure['word']): Exposure => ({ word, answers: [] });

test('a narrow column keeps for which family, or how many ports, a word holds', () => {
  const one = reachesCell([{ exposure: exposure('nothing-listening'), family: 6, words: ['nothing-listening'] }]);
  assert.equal(one.text, '✗ v6 nothing-listening');
  const two = [exposure('reachable'), exposure('blocked')].map(each => ({ exposure: each, words: [each.word] }));
  assert.equal(reachesCell(two).text, '✗ 1/2 blocked');
});

test('of a container that does not run nothing is still to be read', async () => {
  const { snapshot, reach } = await demo();
  const wayOf = (container: Container | undefined): string | undefined => {
    assert.ok(container);
    const lines = containerPage('overview', { snapshot, reach, events: [], container, width: 80 }).map(lineText);
    return lines.find(line => /^ +way /.test(line))?.trim();
  };
  const down = snapshot.containers.find(({ state, endpoints }) => state !== 'running' && endpoints.length > 0);
  assert.match(wayOf(down) ?? '', /^way +-$/);
  assert.ok(down);
  const sockets = containerPage('sockets', { snapshot, reach, events: [], container: down, width: 80 }).map(lineText);
  assert.deepEqual(sockets, ['It is not running, so it has no socket and no process.']);
  const up = snapshot.containers.find(({ name }) => name === 'web');
  assert.match(wayOf(up) ?? '', /^way +docker0 → veth/);
});

test('without rules the word is unknown, never a verdict', async () => {
  const { readings, snapshot } = await demo();
  const blind: Readings = { ...readings, netfilter: { state: 'failed', reason: 'needs root' } };
  const reach = reachability(blind, { ...snapshot, rules: null });
  assert.equal(reachCell({ readings: blind, snapshot, reach }, 'web'), '? unknown');
  const lost: Readings = { ...readings, links: { state: 'failed', reason: 'no ip' } };
  const none = { ...snapshot, interfaces: [], links: [] };
  const words = portRows(none, reachability(lost, none)).flatMap(({ at, exposures }) =>
    at && exposures ? [exposures.of(at).word] : [],
  );
  assert.ok(words.length > 10);
  assert.deepEqual([...new Set(words)], ['unknown']);
});

test('the Path tab tells every way, in any width, and lists what does not work first', async () => {
  const host = await demo();
  for (const width of [78, 198]) {
    for (const { name } of host.snapshot.containers) assert.ok(pathOf(host, name, width).length > 0);
  }
  const text = pathOf(host, 'fw', 198);
  assert.match(text, /^8091→80\/tcp$/m);
  assert.match(text, /✗ blocked +from the LAN of eth0 +10\.77\.0\.100:8091 +filter DOCKER-USER rule 1, by admin/);
  assert.match(text, /✓ reachable +from the LAN of eth0 +\[fd00:77::100\]:8091/);
  const hops = text.slice(text.indexOf('Hop by hop'));
  assert.match(hops, /^Hop by hop\n✗ blocked {2}from the LAN of eth0/);
  assert.match(hops, /✗ FORWARD: ip filter DOCKER-USER rule 1: -A DOCKER-USER/);
  assert.match(hops, /What to do: .*DOCKER-USER/);
  assert.match(hops, /See it without netdash: iptables -t filter -nvL DOCKER-USER/);
});

test('the Path tab says which containers reach it and which rule keeps the others away', async () => {
  const text = pathOf(await demo(), 'web', 198);
  const isolation = text.slice(text.indexOf('From other containers'), text.indexOf('Hop by hop'));
  assert.match(isolation, /✓ reachable +80\/tcp from base, .* and \d more/);
  assert.match(isolation, /✗ blocked +80\/tcp from .*app1/);
  assert.match(isolation, /DOCKER-ISOLATION-STAGE-2 rule \d+: .* \(written by docker/);
});

test('what does not run, or has no network, says so', async () => {
  const host = await demo();
  assert.match(pathOf(host, 'clash', 78), /It does not run \(created\)/);
  assert.match(pathOf(host, 'nonet', 78), /It has no network/);
});

test('exposed lists what others reach, riskiest first, and nothing that is blocked', async () => {
  const { snapshot, reach } = await demo();
  const rows = exposedRows(portRows(snapshot, reach));
  const sure = rows.filter(row => row.at && reach.exposures.of(row.at).word === 'reachable');
  assert.deepEqual(rows.slice(0, sure.length), sure, 'what is not known comes last');
  const ranks = sure.map(({ service }) => ['critical', 'high', 'elevated', 'ordinary'].indexOf(service?.risk ?? ''));
  assert.deepEqual(
    ranks,
    [...ranks].sort((a, b) => a - b),
  );
  const has = (port: number, address: string) => rows.some(row => row.port === port && row.address === address);
  assert.ok(has(8080, '0.0.0.0'));
  assert.ok(has(8084, '127.0.0.1'));
  assert.ok(!has(8091, '0.0.0.0'), 'DOCKER-USER drops it');
  const [titles = '', section] = renderTable(exposedTable, rows);
  assert.match(titles, /^RISK.*WHY$/);
  assert.equal(section, 'Others can reach these, riskiest first');
});

test('the word exposed filters the Ports pane, alone and with others', async () => {
  const { snapshot, reach } = await demo();
  const all = portRows(snapshot, reach);
  const under = (text: string) => listOf(portTable, all, { filter: parseFilter(text, portTable.fields).filter }).items;
  assert.equal(under('exposed').length, exposedRows(all).length);
  assert.equal(under('-exposed').length, all.length - exposedRows(all).length);
  assert.ok(under('exposed owner:web').length < under('exposed').length);
  assert.equal(
    under('reach:blocked').length,
    all.filter(row => row.at && reach.exposures.of(row.at).word === 'blocked').length,
  );
  assert.ok(asksForExposed('exposed owner:web') && !asksForExposed('exposedness'));
});

test('verdicts are kept while only counters and rates move, and made anew when a rule does', async () => {
  const { readings, snapshot, reach } = await demo();
  assert.equal(reachability(readings, snapshot, reach), reach);
  const netfilter = readings.netfilter.value;
  assert.ok(netfilter);
  const counted = netfilter.chains.map(chain => ({
    ...chain,
    rules: chain.rules.map(rule => ({ ...rule, packets: (rule.packets ?? 0) + 1 })),
  }));
  const later = (chains: typeof counted): Readings => ({
    ...readings,
    netfilter: { ...readings.netfilter, value: { ...netfilter, chains } },
  });
  const moved = reachability(later(counted), snapshot, reach);
  assert.notEqual(moved, reach);
  assert.equal(moved.exposures, reach.exposures);
  const kernel = readings.kernel.value;
  assert.ok(kernel);
  const withKernel = (more: Partial<typeof kernel>): Readings => ({
    ...readings,
    kernel: { ...readings.kernel, value: { ...kernel, ...more } },
  });
  assert.equal(reachability(withKernel({ conntrackCount: 77 }), snapshot, reach), reach);
  const forwards = withKernel({ ipForward: kernel.ipForward === false });
  assert.notEqual(reachability(forwards, snapshot, reach).exposures, reach.exposures);
  const without = counted.map(chain =>
    chain.name === 'DOCKER-USER'
      ? { ...chain, rules: chain.rules.filter(({ target }) => target.kind !== 'drop') }
      : chain,
  );
  const opened = reachability(later(without), snapshot, moved);
  assert.notEqual(opened.exposures, reach.exposures);
  const place = { address: '0.0.0.0', port: 8091, proto: 'tcp' as const };
  assert.deepEqual([reach.exposures.of(place).word, opened.exposures.of(place).word], ['blocked', 'reachable']);
});

test('a service is told by its process before its port', async () => {
  const { reach } = await demo();
  const of = (port: number, process?: string) => reach.serviceOf({ proto: 'tcp', port, ...(process && { process }) });
  assert.deepEqual([of(7777, 'redis-server').name, of(7777, 'redis-server').risk], ['Redis', 'critical']);
  assert.equal(of(6379).name, 'Redis by its port');
  assert.deepEqual(of(8080, 'httpd'), { risk: 'ordinary' });
  assert.deepEqual(
    [of(2375, 'dockerd').name, of(2377, 'dockerd').name],
    ['Docker API by its port', 'Docker swarm by its port'],
  );
});
