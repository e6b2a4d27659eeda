import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { ipArray } from '../../source/host/ip-entries.ts';
import { parseLinks, parseRoutes } from '../../source/host/ip-json.ts';
import { rounds } from '../rounds.ts';

const result = (stdout: string, code: number | null = 0, stderr = '', signal: string | null = null) => ({
  code,
  signal,
  stdout,
  stderr,
});

test('reads a bridge port whose peer is in another netns (iproute2 6.1)', () => {
  const { links, skipped } = parseLinks(
    JSON.parse(
      `[{"ifindex":11,"link_index":10,"ifname":"veth6ba4bc2","flags":["BROADCAST","MULTICAST","UP","LOWER_UP"],"mtu":1500,"qdisc":"noqueue","master":"docker0","operstate":"UP","group":"default","link_type":"ether","address":"2A:58:04:b7:f2:14","broadcast":"ff:ff:ff:ff:ff:ff","link_netnsid":1,"promiscuity":1,"linkinfo":{"info_kind":"veth","info_slave_kind":"bridge","info_slave_data":{"state":"forwarding","priority":32,"cost":2,"hairpin":false,"isolated":true}},"addr_info":[{"family":"inet6","local":"fe80::2858:4ff:feb7:f214","prefixlen":64,"scope":"link","valid_life_time":4294967295}]}]`,
    ) as unknown[],
  );
  assert.equal(skipped, 0);
  assert.deepEqual(links, [
    {
      ifindex: 11,
      name: 'veth6ba4bc2',
      kind: 'veth',
      peerIfindex: 10,
      peerNetnsId: 1,
      master: 'docker0',
      mac: '2a:58:04:b7:f2:14',
      mtu: 1500,
      up: true,
      operstate: 'UP',
      addresses: [{ family: 6, address: 'fe80::2858:4ff:feb7:f214', prefixLength: 64, scope: 'link' }],
      bridgePort: { state: 'forwarding', hairpin: false, isolated: true },
    },
  ]);
});

test('finds a peer in this netns by its name, and one whose name is not known here by the index in it', () => {
  const { links } = parseLinks([
    { ifindex: 5, ifname: 'a', link: 'b@c', flags: [] },
    { ifindex: 6, ifname: 'b@c', link: 'a' },
    { ifindex: 7, ifname: 'eth0.5', link: 'if99' },
    { ifindex: 8, ifname: 'x', link: 'nowhere' },
    { ifindex: 9, ifname: 'y', link: null },
  ]);
  assert.deepEqual(
    links.map(({ peerIfindex, up }) => [peerIfindex, up]),
    [
      [6, false],
      [5, false],
      [99, false],
      [undefined, false],
      [undefined, false],
    ],
  );
});

test('reads the peer of an address, which iproute2 calls its address', () => {
  const { links } = parseLinks([
    {
      ifindex: 5,
      ifname: 'wg0',
      addr_info: [
        { family: 'inet', local: '192.168.55.1', address: '10.9.0.2', prefixlen: 24, scope: 'global' },
        { family: 'inet6', local: 'fd00::1', address: 'FD00:0::2', prefixlen: 128, scope: 'global' },
        { family: 'inet', local: '10.0.0.1', prefixlen: 8, scope: 'global' },
      ],
    },
  ]);
  assert.deepEqual(
    links[0]?.addresses.map(({ address, peer, prefixLength }) => [address, peer, prefixLength]),
    [
      ['192.168.55.1', '10.9.0.2', 24],
      ['fd00::1', 'fd00::2', 128],
      ['10.0.0.1', undefined, 8],
    ],
  );
});

const hairpin = (value: unknown) =>
  parseLinks([
    { ifindex: 1, ifname: 'v', linkinfo: { info_slave_kind: 'bridge', info_slave_data: { hairpin: value } } },
  ]).links[0]?.bridgePort?.hairpin;

test('takes flags of bridge ports as every release of iproute2 prints them', () => {
  assert.deepEqual([true, 'on', 1, false, 'off', 0, undefined].map(hairpin), [
    true,
    true,
    true,
    false,
    false,
    false,
    false,
  ]);
});

test('has no MAC for lo and for links that are no Ethernet, and leaves out what is not understood', () => {
  const { links, skipped } = parseLinks([
    { ifindex: 1, ifname: 'lo', link_type: 'loopback', address: '00:00:00:00:00:00', flags: ['LOOPBACK', 'UP'] },
    { ifindex: 2, ifname: 'tun0', link_type: 'none' },
    { ifindex: 3, ifname: 'sit0', link_type: 'sit', address: '0.0.0.0' },
    {},
    { ifname: 'no index' },
    'text',
  ]);
  assert.deepEqual(
    links.map(({ name, mac }) => [name, mac]),
    [
      ['lo', undefined],
      ['tun0', undefined],
      ['sit0', undefined],
    ],
  );
  assert.equal(skipped, 2);
});

test('reads routes of both families, one for each next hop', () => {
  const { routes, skipped } = parseRoutes([
    { dst: 'default', gateway: '10.20.30.1', dev: 'eth0', flags: [] },
    { dst: 'default', dev: 'wg0', protocol: 'static', metric: 1024, flags: [], pref: 'medium' },
    { dst: 'default', via: { family: 'inet6', host: 'FE80::1' }, dev: 'eth0', flags: ['onlink'] },
    {
      type: 'local',
      dst: '10.20.30.100',
      dev: 'eth0',
      table: 'local',
      protocol: 'kernel',
      prefsrc: '10.20.30.100',
      flags: [],
    },
    { type: 'blackhole', dst: '9.9.9.0/24', flags: [] },
    {
      dst: '8.8.8.0/24',
      flags: [],
      nexthops: [
        { dev: 'lo', weight: 1, flags: [] },
        { gateway: '127.0.0.1', dev: 'lo', weight: 1, flags: ['linkdown'] },
      ],
    },
    { dst: 'fd00:0:1::/64', dev: 'br0', protocol: 'kernel', metric: 256, flags: [], pref: 'medium' },
    { dst: 'garbage/x', flags: [] },
  ]);
  assert.equal(skipped, 1);
  assert.deepEqual(
    routes.map(({ family, destination, gateway, device, type, table, metric }) => [
      family,
      destination,
      gateway,
      device,
      type,
      table,
      metric,
    ]),
    [
      [4, 'default', '10.20.30.1', 'eth0', 'unicast', 'main', undefined],
      [6, 'default', undefined, 'wg0', 'unicast', 'main', 1024],
      [6, 'default', 'fe80::1', 'eth0', 'unicast', 'main', undefined],
      [4, '10.20.30.100/32', undefined, 'eth0', 'local', 'local', undefined],
      [4, '9.9.9.0/24', undefined, undefined, 'blackhole', 'main', undefined],
      [4, '8.8.8.0/24', undefined, 'lo', 'unicast', 'main', undefined],
      [4, '8.8.8.0/24', '127.0.0.1', 'lo', 'unicast', 'main', undefined],
      [6, 'fd00:0:1::/64', undefined, 'br0', 'unicast', 'main', 256],
    ],
  );
});

test('says what is wrong with an answer that is no list', () => {
  assert.deepEqual(ipArray('ip', result('')), []);
  assert.throws(() => ipArray('ip -j addr', result('[{"ifindex":1,')), {
    code: 'failed',
    message: 'ip -j addr printed no valid JSON',
  });
  assert.throws(() => ipArray('ip', result('{}')), { code: 'failed', message: 'ip printed no JSON array' });
  assert.throws(() => ipArray('ip', result('', 1, 'Cannot open netlink socket: Operation not permitted\n')), {
    code: 'denied',
  });
  assert.throws(() => ipArray('ip', result('[]', null, '', 'SIGSEGV')), { message: 'ip was ended by SIGSEGV' });
});

test('takes interface names with control characters, which iproute2 prints as they are', () => {
  const name = '\u{1B}[2J\u{7}\u{1}';
  const { links } = parseLinks(ipArray('ip', result(`[{"ifindex":7,"ifname":"${name}","mtu":1500}]\n`)));
  assert.deepEqual(
    links.map(link => link.name),
    [name],
  );
});

test('survives any JSON', () => {
  const anything = fc.array(
    fc.oneof(
      fc.jsonValue(),
      fc.record({ ifindex: fc.integer(), ifname: fc.string(), link: fc.string(), address: fc.string() }),
      fc.record({ dst: fc.string(), nexthops: fc.array(fc.record({ gateway: fc.string() })) }),
    ),
  );
  fc.assert(
    fc.property(anything, entries => {
      const { links, skipped } = parseLinks(entries);
      assert.ok(links.length + skipped <= entries.length);
      parseRoutes(entries);
    }),
    { numRuns: rounds(100) },
  );
});
