/** How often the socket tables inside a container are read, and how soon a listener that took another's place shows. In time that passes at will. */
import { pass } from '../../bench/growth/virtual-time.ts';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Host } from '../../source/host/host.ts';
import { InsideSource } from '../../source/live/inside-source.ts';
import { textHost, type Texts } from '../host/text-host.ts';

const id = 'd41fd89b6673b573a33551cdfc943eba0c75c02c5d2210dbebd63770de1bb27f';
const cgroup = `/docker/${id}`;
const heading = '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode';
const row = (place: string, state: string, inode: number): string =>
  `   0: ${place} 00000000:0000 ${state} 00000000:00000000 00:00000000 00000000     0        0 ${inode} 1 0 100 0 0 10 0`;
const webAt = (port: number, inode: number): string =>
  row(`00000000:${port.toString(16).toUpperCase().padStart(4, '0')}`, '0A', inode);
const snmp = (active: number, established: number): string =>
  `Tcp: RtoMin ActiveOpens PassiveOpens AttemptFails EstabResets CurrEstab\nTcp: 200 ${active} 7 0 1 ${established}\n`;

/** A container with a web server that has socket 4242 open as its descriptor 3. What is put into `texts` is so from then on. */
async function follow(more: { files?: Texts['files']; links?: Texts['links']; rules?: boolean } = {}) {
  const texts = {
    uid: 0,
    files: {
      '/proc/7/cgroup': `0::${cgroup}\n`,
      '/proc/7/comm': 'web\n',
      '/proc/7/net/dev': '    lo: 1 2 3 4 5 6 7 8 9 10 11 12\n',
      '/proc/self/mountinfo': '30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n',
      [`/sys/fs/cgroup${cgroup}/cgroup.procs`]: '7\n',
      '/proc/7/net/sockstat': 'sockets: used 9\nTCP: inuse 1 orphan 0 tw 0 alloc 1 mem 0\nUDP: inuse 0 mem 0\n',
      '/proc/7/net/snmp': snmp(5, 0),
      '/proc/7/net/tcp': `${heading}\n${webAt(80, 4242)}\n`,
      ...more.files,
    } as NonNullable<Texts['files']>,
    links: {
      '/proc/7/ns/net': 'net:[99]',
      '/proc/self/ns/net': 'net:[1]',
      '/proc/7/fd/3': 'socket:[4242]',
      ...more.links,
    } as NonNullable<Texts['links']>,
    folders: { '/proc/7/fd': ['3'], [`/sys/fs/cgroup${cgroup}`]: ['cgroup.procs'] },
  };
  const tools = { 'nsenter -t 7 -n ip -j -d addr': '[]' };
  let walks = 0;
  let routes = 0;
  const host: Host = {
    ...textHost({ tools }),
    uid: 0,
    readFile: path => {
      if (path === '/proc/7/net/tcp') walks += 1;
      return textHost(texts).readFile(path);
    },
    readFiles: paths => {
      if (paths.includes('/proc/7/net/ipv6_route')) routes += 1;
      return textHost(texts).readFiles(paths);
    },
    readLinks: paths => textHost(texts).readLinks(paths),
    list: path => textHost(texts).list(path),
  };
  const source = new InsideSource({ host, thorough: false, hostLinks: () => [], onReading: () => undefined });
  source.follow([{ id, pid: 7, ...(more.rules && { rules: true }) }]);
  await pass(90_000);
  const listeners = () =>
    source.readings[id]?.value?.listeners?.map(({ port, processes }) => `${port} ${processes?.[0]?.name ?? '?'}`);
  const walksDuring = async (ms: number): Promise<number> => {
    walks = 0;
    await pass(ms);
    return walks;
  };
  const routesDuring = async (ms: number): Promise<number> => {
    routes = 0;
    await pass(ms);
    return routes;
  };
  return { source, texts, listeners, walksDuring, routesDuring };
}

const hour = 3_600_000;
/** One look in turn to the next, at most. */
const look = 80_000;

test('who listens is found out once, and then the tables are hardly read where nothing else can have changed', async () => {
  const { source, listeners, walksDuring } = await follow();
  assert.deepEqual(listeners(), ['80 web']);
  const walks = await walksDuring(hour);
  assert.ok(walks >= 1 && walks <= 4, `${walks} walks in an hour`);
  source.stop();
});

test('a listener that took the place of another shows at the next look', async () => {
  const { source, texts, listeners, walksDuring } = await follow();
  await walksDuring(hour / 2);
  texts.files['/proc/7/net/tcp'] = `${heading}\n${webAt(81, 4343)}\n`;
  texts.links['/proc/7/fd/3'] = 'socket:[4343]';
  await walksDuring(look);
  assert.deepEqual(listeners(), ['81 web']);
  source.stop();
});

test('one that took the place of a connection shows at the next look that is due, and connections alone have nothing walked', async () => {
  const established = row('020011AC:C350', '01', 5151);
  const { source, texts, listeners, walksDuring } = await follow({
    files: {
      '/proc/7/net/sockstat': 'TCP: inuse 2 orphan 0 tw 0 alloc 2 mem 0\nUDP: inuse 0 mem 0\n',
      '/proc/7/net/snmp': snmp(5, 1),
      '/proc/7/net/tcp': `${heading}\n${webAt(80, 4242)}\n${established}\n`,
    },
  });
  assert.ok((await walksDuring(hour)) <= 8);
  texts.files['/proc/7/net/tcp'] = `${heading}\n${webAt(80, 4242)}\n${webAt(81, 4343)}\n`;
  texts.files['/proc/7/net/snmp'] = snmp(5, 0);
  await walksDuring(240_000);
  assert.deepEqual(listeners(), ['80 web', '81 ?'], 'its opener is not among the descriptors');
  assert.ok((await walksDuring(hour)) >= 15, 'nothing is proven of a listener whose opener is not known');
  source.stop();
});

test('where counters of connections or openers are not known, the tables are read as often as ever', async () => {
  for (const more of [{ files: { '/proc/7/net/snmp': '' } }, { links: { '/proc/7/fd/3': 'socket:[1]' } }]) {
    const { source, walksDuring } = await follow(more);
    const walks = await walksDuring(hour);
    assert.ok(walks >= 15 && walks <= 40, `${walks} walks in an hour`);
    source.stop();
  }
});

test('Docker’s DNS server beside a listener is no reason to read the tables', async () => {
  const dns = row('0B00007F:A0B1', '0A', 6161);
  const { source, listeners, walksDuring } = await follow({
    files: {
      '/proc/7/net/sockstat': 'TCP: inuse 2 orphan 0 tw 0 alloc 2 mem 0\nUDP: inuse 0 mem 0\n',
      '/proc/7/net/tcp': `${heading}\n${webAt(80, 4242)}\n${dns}\n`,
    },
  });
  assert.deepEqual(listeners(), ['80 web', '41137 ?']);
  assert.ok((await walksDuring(hour)) <= 8);
  source.stop();
});

test('interfaces and routes inside are read again where somebody may have changed them, and else every ten minutes', async () => {
  const route = 'Iface\tDestination\n';
  const quiet = await follow({ files: { '/proc/7/net/route': route } });
  await quiet.routesDuring(hour);
  const reads = await quiet.routesDuring(hour);
  assert.ok(reads >= 4 && reads <= 7, `${reads} times in an hour`);
  quiet.source.changed(id);
  assert.equal(await quiet.routesDuring(1000), 1, 'Docker says that it is on another network');
  quiet.source.readAgain([id]);
  assert.equal(await quiet.routesDuring(2000), 1, 'something hangs on it');
  quiet.source.attend(id);
  assert.ok((await quiet.routesDuring(20_000)) >= 8, 'it is looked at');
  quiet.source.stop();
  const privileged = await follow({ files: { '/proc/7/net/route': route }, rules: true });
  assert.ok((await privileged.routesDuring(hour)) >= 40, 'whoever is in it may change them');
  privileged.source.stop();
});
