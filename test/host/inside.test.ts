/** What is concluded of a container's netns from texts that no lab shows. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HostError } from '../../source/host/host.ts';
import { mountsSysfs } from '../../source/host/inside-interfaces.ts';
import { netnsIdOf, readInside } from '../../source/host/inside.ts';
import type { InsideInterface, InsideReading, LinkReading } from '../../source/host/readings.ts';
import { textHost } from './text-host.ts';

const mount = (point: string, type: string, root = '/') =>
  `31 30 0:27 ${root} ${point} rw,nosuid master:3 - ${type} ${type} rw\n`;

test('believes only a whole sysfs on /sys', () => {
  const docker =
    mount('/', 'overlay') + mount('/proc', 'proc') + mount('/sys', 'sysfs') + mount('/sys/fs/cgroup', 'cgroup2');
  assert.equal(mountsSysfs(docker), true);
  assert.equal(
    mountsSysfs(docker + mount('/sys/firmware', 'tmpfs') + mount('/sys/devices/virtual/powercap', 'tmpfs')),
    true,
  );
  assert.equal(mountsSysfs(mount('/', 'overlay')), false);
  assert.equal(mountsSysfs(docker + mount('/sys', 'tmpfs')), false);
  assert.equal(mountsSysfs(mount('/sys', 'sysfs', '/class')), false);
  for (const over of [
    '/sys/class',
    '/sys/class/net',
    '/sys/class/net/eth0',
    '/sys/devices',
    '/sys/devices/virtual/net',
  ]) {
    assert.equal(mountsSysfs(docker + mount(over, 'tmpfs')), false, over);
  }
  assert.equal(mountsSysfs(''), false);
});

const link = (ifindex: number, peerIfindex: number, peerNetnsId?: number, kind = 'veth') =>
  ({ ifindex, peerIfindex, peerNetnsId, kind }) as LinkReading;
const inner = (ifindex: number, iflink: number, peerInside?: boolean) =>
  ({ ifindex, iflink, peerInside }) as InsideInterface;

test('knows a netns by veths whose ends name each other', () => {
  assert.equal(netnsIdOf([inner(1, 1), inner(2, 11, false)], [link(11, 2, 5)]), 5);
  assert.equal(netnsIdOf([inner(2, 11, false), inner(3, 12, false)], [link(11, 2, 5), link(12, 3, 5)]), 5);
  // Two ids for one netns: one of the pairs is none.
  assert.equal(netnsIdOf([inner(2, 11, false), inner(3, 12, false)], [link(11, 2, 5), link(12, 3, 6)]), undefined);
  assert.equal(netnsIdOf([inner(2, 11, false)], [link(11, 3, 5)]), undefined);
  assert.equal(netnsIdOf([inner(2, 11, true)], [link(11, 2, 5)]), undefined);
  assert.equal(netnsIdOf([inner(2, 11, false)], [link(11, 2, 5, 'macvlan')]), undefined);
  assert.equal(netnsIdOf([inner(2, 11, false)], [link(11, 2)]), undefined);
});

const id = 'd41fd89b6673b573a33551cdfc943eba0c75c02c5d2210dbebd63770de1bb27f';
const options = { containerId: id, pid: 7, hostLinks: [], listeners: true };
const own = { '/proc/7/cgroup': `0::/docker/${id}\n` };
const dev = '    lo: 1 2 3 4 5 6 7 8 9 10 11 12\n  eth0: 1 2 3 4 5 6 7 8 9 10 11 12\n';

test('each part that cannot be read says why, and none is empty instead', async () => {
  const denied = new HostError('denied', 'permission denied');
  const host = textHost({
    uid: 1000,
    files: { ...own, '/proc/7/net/dev': dev, '/proc/7/mountinfo': mount('/sys', 'sysfs') },
    folders: {},
  });
  const { value, missing } = await readInside(
    { ...host, list: () => Promise.reject(denied) },
    { ...options, detail: true },
  );
  assert.deepEqual(
    { interfaces: value.interfaces, why: value.interfacesReason, listeners: value.listeners, netns: value.netns },
    { interfaces: undefined, why: 'needs root (CAP_SYS_PTRACE)', listeners: undefined, netns: undefined },
  );
  assert.ok(value.listenersReason);
  assert.match(missing!, /^interfaces: needs root \(CAP_SYS_PTRACE\); listeners: /);
  assert.deepEqual(host.asked, []);
});

test('falls back to ip in the netns when sysfs shows another one', async () => {
  const host = textHost({
    files: { ...own, '/proc/7/net/dev': dev, '/proc/7/mountinfo': mount('/sys', 'sysfs') },
    folders: { '/proc/7/root/sys/class/net': ['lo', 'eth0', 'docker0'] },
    tools: {
      'nsenter -t 7 -n ip -j -d addr': JSON.stringify([
        { ifindex: 2, ifname: 'eth0', link_index: 9, link_netnsid: 0, linkinfo: { info_kind: 'veth' } },
      ]),
    },
  });
  const { value } = await readInside(host, { ...options, listeners: false });
  assert.deepEqual(value.interfaces, [
    { name: 'eth0', ifindex: 2, iflink: 9, peerInside: false, kind: 'veth', addresses: [] },
  ]);
});

const net = '/proc/7/root/sys/class/net';
/** What the kernel tells of a netns with lo and eth0. */
const told = {
  ...own,
  '/proc/7/net/dev': dev,
  '/proc/7/net/igmp': '1\tlo        :     1      V3\n2\teth0      :     1      V3\n',
  '/proc/7/net/fib_trie': '|-- 172.17.0.2\n /32 host LOCAL\n|-- 127.0.0.1\n /32 host LOCAL\n',
  '/proc/7/net/route': 'Iface\neth0\t000011AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0\n',
  '/proc/7/mountinfo': mount('/sys', 'sysfs'),
  [`${net}/lo/ifindex`]: '1\n',
  [`${net}/lo/iflink`]: '1\n',
  [`${net}/lo/address`]: '00:00:00:00:00:00\n',
  [`${net}/eth0/ifindex`]: '2\n',
  [`${net}/eth0/iflink`]: '9\n',
  [`${net}/eth0/address`]: '02:42:ac:11:00:02\n',
};

test('takes sysfs where it agrees, and leaves IPv4 out only when it must', async () => {
  const folders = { [net]: ['lo', 'eth0'] };
  const { value, missing } = await readInside(textHost({ files: told, folders }), { ...options, listeners: false });
  assert.equal(missing, undefined);
  assert.deepEqual(value.interfaces, [
    {
      name: 'lo',
      ifindex: 1,
      iflink: 1,
      addresses: [{ family: 4, address: '127.0.0.1', prefixLength: 8, scope: 'host' }],
    },
    {
      name: 'eth0',
      ifindex: 2,
      iflink: 9,
      peerInside: false,
      mac: '02:42:ac:11:00:02',
      addresses: [{ family: 4, address: '172.17.0.2', prefixLength: 16, scope: 'global' }],
    },
  ]);
  // Indexes that the tables of the netns contradict, and a peer that could be in either netns: sysfs is not believed.
  for (const wrong of [
    { [`${net}/eth0/ifindex`]: '3\n' },
    { [`${net}/eth0/iflink`]: '1\n' },
    { [`${net}/eth0/iflink`]: '2\n' },
  ]) {
    const doubtful = textHost({ files: { ...told, ...wrong }, folders });
    const reading = await readInside(doubtful, { ...options, listeners: false });
    assert.deepEqual(doubtful.asked, ['nsenter -t 7 -n ip -j -d addr']);
    assert.equal(reading.value.interfaces, undefined);
  }
  // A route that holds no address of eth0: which interface it is on cannot be told without ip.
  const strange = textHost({ files: { ...told, '/proc/7/net/route': 'Iface\n' }, folders });
  const partial = await readInside(strange, { ...options, listeners: false });
  assert.match(partial.missing!, /^IPv4 addresses inside: nsenter not found/);
  assert.equal(partial.value.interfaces?.length, 2);
});

test('keeps listeners without the tables while whoever has them open still does', async () => {
  const socket = {
    proto: 'tcp' as const,
    family: 4 as const,
    address: '0.0.0.0',
    port: 80,
    state: 'LISTEN',
    inode: 4242,
    uid: 0,
    v6only: false,
  };
  const listeners = [{ ...socket, processes: [{ pid: 7, name: 'httpd', fd: 3 }] }];
  const previous = { containerId: id, pid: 7, netns: 99, listeners };
  const links = { '/proc/7/ns/net': 'net:[99]', '/proc/self/ns/net': 'net:[1]' };
  const read = async (more: Record<string, string>, before = previous) => {
    const host = textHost({ files: { ...own, '/proc/7/net/dev': dev }, links: { ...links, ...more }, uid: 0 });
    return (await readInside(host, { ...options, previous: before, keepListeners: true })).value;
  };
  assert.deepEqual((await read({ '/proc/7/fd/3': 'socket:[4242]' })).listeners, listeners);
  // It was closed: another may have taken its place, so the tables are read, which this host has not.
  assert.equal((await read({ '/proc/7/fd/3': 'socket:[4243]' })).listeners, undefined);
  // What was known of another netns is of no use.
  assert.equal((await read({ '/proc/7/fd/3': 'socket:[4242]' }, { ...previous, netns: 98 })).listeners, undefined);
});

test('a look that takes all again is the very one of before only while all that it looks at is', async () => {
  const socket = {
    proto: 'tcp',
    family: 4,
    address: '0.0.0.0',
    port: 80,
    state: 'LISTEN',
    inode: 4242,
    uid: 0,
  } as const;
  const previous: InsideReading = {
    containerId: id,
    pid: 7,
    netns: 99,
    interfaces: [inner(2, 11, false)],
    netnsId: 5,
    routes: [],
    listeners: [{ ...socket, v6only: false, processes: [{ pid: 7, name: 'httpd', fd: 3 }] }],
    openersSought: true,
  };
  const taken = { keepListeners: true, keepInterfaces: true, fruitless: new Map() };
  const same = { ...options, ...taken, previous, hostLinks: [link(11, 2, 5)] };
  const look = async (asked: Partial<Parameters<typeof readInside>[1]>, fd = 'socket:[4242]', group = id) => {
    const links = { '/proc/7/ns/net': 'net:[99]', '/proc/self/ns/net': 'net:[1]', '/proc/7/fd/3': fd };
    const host = textHost({ files: { '/proc/7/cgroup': `0::/docker/${group}\n` }, links, uid: 0 });
    return (await readInside(host, { ...same, ...asked })).value;
  };
  assert.equal(await look({}), previous);
  assert.equal((await look({}, 'socket:[4243]')).listeners, undefined, 'the tables are read, which this host has not');
  assert.equal((await look({ hostLinks: [link(11, 2, 6)] })).netnsId, 6);
  assert.equal((await look({ keepInterfaces: false })).interfaces, undefined);
  assert.equal((await look({ keepListeners: false })).listeners, undefined);
  assert.notEqual(await look({ detail: true }), previous);
  await assert.rejects(look({}, undefined, 'f'.repeat(64)), { code: 'gone' });
  const [listener] = previous.listeners!;
  const { processes: _, ...ownerless } = listener!;
  const unowned = { ...previous, listeners: [ownerless] };
  assert.equal(await look({ previous: unowned, fruitless: new Map([[4242, undefined]]) }), unowned);
  assert.notEqual(await look({ previous: unowned }), unowned, 'its openers are looked for');
  for (const left of [
    { processes: [] },
    { rulesReason: 'needs root' },
    { pid: 8 },
    { netns: 98 },
    { openersSought: undefined },
  ]) {
    const before = { ...previous, ...left };
    assert.notEqual(await look({ previous: before }), before, JSON.stringify(left));
  }
});

test('interfaces are the very ones of before only while the kernel tells the same of them', async () => {
  const links = { '/proc/7/ns/net': 'net:[99]', '/proc/self/ns/net': 'net:[1]' };
  const look = async (previous?: InsideReading, more: Record<string, string> = {}) => {
    const host = textHost({ files: { ...told, ...more }, folders: { [net]: ['lo', 'eth0'] }, links, uid: 0 });
    const again = previous && { previous, keepListeners: true };
    return (await readInside(host, { ...options, listeners: false, ...again })).value;
  };
  const first = await look();
  assert.equal(first.interfaces?.length, 2);
  const second = await look(first);
  assert.equal(second.interfaces, first.interfaces);
  const busier = dev.replaceAll(' 1 2 3 ', ' 9 9 9 ');
  const third = await look(second, { '/proc/7/net/dev': busier });
  assert.equal(third.interfaces, first.interfaces, 'its counters may move');
  const address = { '/proc/7/net/fib_trie': told['/proc/7/net/fib_trie'].replace('172.17.0.2', '172.17.0.3') };
  assert.equal((await look(third, address)).interfaces?.[1]?.addresses[0]?.address, '172.17.0.3');
  const gone = {
    '/proc/7/net/dev': dev.split('\n')[0]!,
    '/proc/7/net/igmp': told['/proc/7/net/igmp'].split('\n')[0]!,
  };
  await assert.rejects(look({ ...third, netns: 98 }, { '/proc/7/cgroup': '0::/docker/' + 'f'.repeat(64) + '\n' }), {
    code: 'gone',
  });
  const host = textHost({ files: { ...told, ...gone }, folders: { [net]: ['lo'] }, links, uid: 0 });
  const last = await readInside(host, { ...options, listeners: false, previous: third, keepListeners: true });
  assert.deepEqual(
    last.value.interfaces?.map(({ name }) => name),
    ['lo'],
  );
});
