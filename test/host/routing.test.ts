/** Routing rules and the routes inside a container. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseRoutes4, parseRoutes6, readInsideRoutes } from '../../source/host/inside-routes.ts';
import { parseRoutingRules } from '../../source/host/ip-rules.ts';
import { needsNetns, runInNetns } from './netfilter/netns.ts';
import { textHost } from './text-host.ts';

test('reads the rules that ip prints: selectors, actions, and what is more than netdash reads', needsNetns(), () => {
  const script = `
    ip rule add not from all fwmark 0xca6c lookup 51820
    ip rule add from all lookup main suppress_prefixlength 0
    ip rule add from 10.0.0.0/8 to 10.1.2.3 lookup 100
    ip rule add fwmark 1/0xff lookup 101
    ip rule add iif lo blackhole
    ip rule add ipproto tcp dport 80 lookup 102
    ip -j rule`;
  const { stdout: printed } = runInNetns(`set -e\n${script}`);
  const rules = parseRoutingRules(JSON.parse(printed) as unknown[], 4);
  const told = new Set(['family', 'priority', 'text']);
  const brief = rules.map(rule => Object.fromEntries(Object.entries(rule).filter(([key]) => !told.has(key))));
  assert.deepEqual(brief, [
    { plain: true, table: 'local' },
    { plain: false, table: '102' },
    { plain: false, iif: 'lo' },
    { plain: true, table: '101', mark: { value: 1, mask: 0xff } },
    { plain: true, table: '100', from: '10.0.0.0/8', to: '10.1.2.3/32' },
    { plain: true, table: 'main', suppressPrefix: 0 },
    { plain: true, table: '51820', mark: { value: 0xca6c, mask: 0xffffffff }, negate: true },
    { plain: true, table: 'main' },
    { plain: true, table: 'default' },
  ]);
  assert.match(rules[4]?.text ?? '', /^\d+: from 10\.0\.0\.0\/8 to 10\.1\.2\.3 lookup 100$/);
});

test('a rule that is not understood may apply to anything', () => {
  const [rule, more] = parseRoutingRules([{ priority: 'first' }, {}], 6);
  assert.equal(more, undefined);
  assert.equal(rule?.plain, false);
  assert.equal(rule.table, undefined);
});

test('reads a netns’ own routes, IPv4', () => {
  const table = `Iface	Destination	Gateway 	Flags	RefCnt	Use	Metric	Mask		MTU	Window	IRTT
eth0	00000000	010011AC	0003	0	0	0	00000000	0	0	0
eth0	000011AC	00000000	0001	0	0	100	0000FFFF	0	0	0
*	0000A8C0	00000000	0200	0	0	0	0000FFFF	0	0	0
lost line
`;
  assert.deepEqual(
    parseRoutes4(table).map(({ destination, gateway, device, metric }) => [destination, gateway, device, metric]),
    [
      ['default', '172.17.0.1', 'eth0', undefined],
      ['172.17.0.0/16', undefined, 'eth0', 100],
    ],
  );
});

test('reads a netns’ own routes, IPv6, without those to its own addresses', () => {
  const none = '0'.repeat(32);
  const table = `fd000030000200000000000000000000 40 ${none} 00 ${none} 00000100 00000001 00000000 00000001     eth0
${none} 00 ${none} 00 fd000030000200000000000000000001 00000400 00000002 00000000 00000003     eth0
fd000030000200000000000000000002 80 ${none} 00 ${none} 00000000 00000002 00000000 80200001     eth0
ff000000000000000000000000000000 08 ${none} 00 ${none} 00000100 00000003 00000000 00000001     eth0
${none} 00 ${none} 00 ${none} ffffffff 00000001 00000000 00200200       lo
`;
  assert.deepEqual(
    parseRoutes6(table).map(({ destination, gateway, device, metric }) => [destination, gateway, device, metric]),
    [
      ['fd00:30:2::/64', undefined, 'eth0', 256],
      ['default', 'fd00:30:2::1', 'eth0', 1024],
    ],
  );
});

const read = (files: Record<string, string>, previous?: ReturnType<typeof readInsideRoutes>) =>
  readInsideRoutes(textHost({ files }), 7, previous);

test('routes are those of before while the kernel says what it said, of either family', () => {
  const none = '0'.repeat(32);
  const heading = 'Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n';
  const said = {
    '/proc/7/net/route': `${heading}eth0\t00000000\t010011AC\t0003\t0\t0\t0\t00000000\t0\t0\t0\n`,
    '/proc/7/net/ipv6_route': `fd000030000200000000000000000000 40 ${none} 00 ${none} 00000100 00000001 00000000 00000001 eth0\n`,
  };
  const before = read(said);
  assert.equal(before?.length, 2);
  assert.equal(read({ ...said }, before), before);
  const without6 = read({ '/proc/7/net/route': said['/proc/7/net/route'] }, before);
  assert.deepEqual(
    without6?.map(({ destination }) => destination),
    ['default'],
  );
  const moved = read(
    { ...said, '/proc/7/net/route': said['/proc/7/net/route'].replace('010011AC', '020011AC') },
    before,
  );
  assert.equal(moved?.[0]?.gateway, '172.17.0.2');
  assert.equal(before[0]?.gateway, '172.17.0.1');
  assert.equal(read({}, before), undefined);
});
