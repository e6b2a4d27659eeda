import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { logHost, type LogLine } from '../../source/host/debug-log.ts';
import { HostError, type Host } from '../../source/host/host.ts';
import { recordedHosts, replay, runNetdash } from '../commands/running.ts';
import { fixtureRecording } from '../fixtures/hosts.ts';
import { textHost } from './text-host.ts';

async function folder(t: TestContext): Promise<string> {
  const made = await mkdtemp(join(tmpdir(), 'netdash-log-'));
  t.after(() => rm(made, { recursive: true, force: true }));
  return made;
}

const linesOf = async (file: string): Promise<LogLine[]> =>
  (await readFile(file, 'utf8'))
    .trimEnd()
    .split('\n')
    .map(line => JSON.parse(line) as LogLine);

function logged(host: Host): { host: Host; lines: Omit<LogLine, 'at'>[] } {
  const lines: Omit<LogLine, 'at'>[] = [];
  return { host: logHost(host, (_, line) => lines.push(line)), lines };
}

test('a reading is written down with all it asked for, also when others run beside it', async () => {
  const { host, lines } = logged(
    textHost({
      files: { '/a': 'äb', '/b': 'c', '/proc/1/x': new HostError('denied', '/proc/1/x: permission denied') },
      tools: { 'ip -j link': '[]', 'nft -j list': new HostError('missing', 'nft not found: install nftables') },
    }),
  );
  const one = host.trace!('links', async () => {
    await host.run('ip', ['-j', 'link']);
    assert.deepEqual(host.readFiles(['/a', '/b', '/proc/1/x']).slice(0, 2), ['äb', 'c']);
    return { value: 1, missing: 'half' };
  });
  const other = host.trace!('netfilter', async () => {
    await host.run('nft', ['-j', 'list']);
    return { value: 2 };
  });
  assert.deepEqual(await one, { value: 1, missing: 'half' });
  await assert.rejects(other, /nft not found/);
  const { ms: _, ...tool } = lines.find(({ ask }) => ask === 'ip -j link')!;
  assert.deepEqual(tool, { source: 'links', ask: 'ip -j link', bytes: 2, state: 'ok' });
  const { ms: __, ...files } = lines.find(({ ask }) => ask === 'read /a and 2 more')!;
  assert.deepEqual(files, {
    source: 'links',
    ask: 'read /a and 2 more',
    bytes: 4,
    state: 'partial',
    reason: '/proc/1/x: permission denied',
    count: 3,
  });
  const sums = lines.filter(({ ask }) => ask === undefined).map(({ ms, ...rest }) => ({ ...rest, timed: typeof ms }));
  assert.deepEqual(
    sums.toSorted((a, b) => (a.source! < b.source! ? -1 : 1)),
    [
      { source: 'links', bytes: 6, count: 2, state: 'partial', reason: 'half', timed: 'number' },
      {
        source: 'netfilter',
        bytes: 0,
        count: 1,
        state: 'failed',
        reason: 'nft not found: install nftables',
        timed: 'number',
      },
    ],
  );
});

test('words of an unexpected fault are not written down', async () => {
  const { host, lines } = logged(textHost({}));
  await assert.rejects(host.trace!('docker', () => Promise.reject(new Error('password=hunter2'))));
  assert.deepEqual(
    lines.map(({ state, reason }) => ({ state, reason })),
    [{ state: 'failed', reason: 'internal error' }],
  );
});

test('a command writes it to a new file that only its owner can read, one object a line', async t => {
  const file = join(await folder(t), 'log');
  const { code, stderr } = await runNetdash(['ports', ...replay('26'), '--debug-log', file]);
  assert.deepEqual([code, stderr], [0, '']);
  assert.equal((await stat(file)).mode & 0o777, 0o600);
  const lines = await linesOf(file);
  for (const { at } of lines) assert.equal(new Date(at).toISOString(), at);
  const read = new Set(lines.filter(({ ask, state }) => ask === undefined && state).map(({ source }) => source));
  for (const source of ['docker', 'links', 'sockets', 'netfilter', 'kernel', 'processes', 'vitals'])
    assert.ok(read.has(source), source);
  assert.ok([...read].some(source => /^inside [0-9a-f]{12}$/.test(source ?? '')));
  assert.ok(lines.some(({ source, ask, bytes }) => source === 'docker' && ask === 'GET /version' && bytes! > 100));
  assert.ok(lines.every(({ ms }) => ms === undefined || ms >= 0));
});

test('nothing of what was answered is in it', async t => {
  const dir = await folder(t);
  for (const name of recordedHosts) {
    const file = join(dir, name);
    await runNetdash(['snapshot', '--json', ...replay(name), '--debug-log', file]);
    const text = await readFile(file, 'utf8');
    const { frames } = await fixtureRecording(name);
    const answers = JSON.stringify(frames.map(({ docker }) => docker));
    // Names, images and addresses of containers, as samples of what Docker says.
    const samples = [...answers.matchAll(/"(?:Names":\["\/|Image":"|IPAddress":"|Gateway":")([^"]{4,})"/g)];
    assert.ok(samples.length > 10);
    for (const [, sample] of samples) assert.ok(!text.includes(sample!), sample);
  }
});

test('what cannot be a new file is one clear line and exit 2, and stays as it was', async t => {
  const dir = await folder(t);
  const there = join(dir, 'there');
  await writeFile(there, 'mine');
  await symlink(there, join(dir, 'link'));
  await symlink(join(dir, 'nowhere'), join(dir, 'dangling'));
  const cases: [string, RegExp][] = [
    [there, /something of that name already/],
    [join(dir, 'link'), /already/],
    [join(dir, 'dangling'), /already/],
    [dir, /already|folder/],
    [join(dir, 'no', 'log'), /no such folder/],
    [join(there, 'log'), /no folder/],
    ['', /no such folder/],
    ['/proc/netdash.log', /no file can be made in it/],
  ];
  for (const [file, words] of cases) {
    const { code, stdout, stderr } = await runNetdash(['ports', ...replay('26'), '--debug-log', file]);
    assert.equal(code, 2, file);
    assert.equal(stdout, '');
    assert.match(stderr, /^netdash: --debug-log [^\n]+\n$/);
    assert.match(stderr, words);
  }
  assert.equal(await readFile(there, 'utf8'), 'mine');
  assert.deepEqual((await readdir(dir)).toSorted(), ['dangling', 'link', 'there']);
});
