/** Tables of which only what is described otherwise than before is read anew say what the whole tables say. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import type { ToolResult } from '../../source/host/host.ts';
import { ipArray, ipEntries, type KnownEntries } from '../../source/host/ip-entries.ts';
import { noTables, parseLinks, parseLinkTable, parseRoutes, parseRouteTable } from '../../source/host/ip-json.ts';
import { rounds } from '../rounds.ts';

const result = (stdout: string): ToolResult => ({ code: 0, stdout, stderr: '' }) as ToolResult;
const printed = (entries: readonly unknown[]): ToolResult => result(`${JSON.stringify(entries)}\n`);

const asItIs = (entry: unknown) => entry;

const veth = (ifindex: number, rest: object = {}) => ({
  ifindex,
  link_index: 2,
  ifname: `veth${ifindex}`,
  flags: ['UP'],
  mtu: 1500,
  link_netnsid: ifindex,
  linkinfo: { info_kind: 'veth' },
  addr_info: [
    { family: 'inet', local: '10.0.0.1', prefixlen: 24 },
    { family: 'inet6', local: 'fe80::1', prefixlen: 64 },
  ],
  ...rest,
});

test('an entry that is printed as before is not made again', () => {
  const known: KnownEntries<unknown> = new Map();
  let made = 0;
  const make = (entry: unknown) => {
    made += 1;
    return entry;
  };
  const first = ipEntries('ip', printed([veth(1), veth(2), veth(3)]), make, known);
  const second = ipEntries('ip', printed([veth(1), veth(2, { mtu: 9000 }), veth(3), veth(4)]), make, known);
  assert.equal(made, 5);
  assert.equal(second[0], first[0]);
  assert.deepEqual(second, [veth(1), veth(2, { mtu: 9000 }), veth(3), veth(4)]);
  ipEntries('ip', printed([veth(4)]), make, known);
  assert.deepEqual([...known.keys()].length, 1, 'what is printed no longer is forgotten');
});

test('a table that is printed as before is the very list of before, and another one is not', () => {
  const known: KnownEntries<unknown> = new Map();
  const live = (entries: readonly unknown[], code = 0): ToolResult => {
    const { stdout } = printed(entries);
    return { ...result(stdout), code, raw: Buffer.from(stdout) };
  };
  const first = ipEntries('ip', live([veth(1), veth(2)]), asItIs, known);
  assert.equal(ipEntries('ip', live([veth(1), veth(2)]), asItIs, known), first);
  assert.throws(() => ipEntries('ip', live([veth(1), veth(2)], 1), asItIs, known), { code: 'failed' });
  const other = ipEntries('ip', live([veth(1), veth(3)]), asItIs, known);
  assert.deepEqual(other, [veth(1), veth(3)]);
  assert.notEqual(ipEntries('ip', live([veth(1), veth(2)]), asItIs, known), first, 'only the last one is kept');
  // A recording has the text alone.
  assert.deepEqual(ipEntries('ip', printed([veth(4)]), asItIs, known), [veth(4)]);
  assert.deepEqual(ipEntries('ip', live([veth(1), veth(2)]), asItIs, known), [veth(1), veth(2)]);
});

test('one that is named by another is read with the names of now', () => {
  const tables = noTables();
  const pair = { ifindex: 8, ifname: 'a', link: 'b' };
  const peerOf = (...entries: object[]) =>
    parseLinkTable(printed([pair, ...entries]), tables).links.find(({ name }) => name === 'a')?.peerIfindex;
  assert.equal(peerOf({ ifindex: 9, ifname: 'b' }), 9);
  assert.equal(peerOf({ ifindex: 10, ifname: 'b' }), 10);
  assert.equal(peerOf(), undefined);
});

test('a border within an entry, and what is no table, is read as one', () => {
  for (const odd of [
    [{ ifindex: 1, inner: [{ a: 1 }, { ifindex: 5 }] }, veth(2)],
    [{ ifindex: 1 }, null, { ifindex: 2 }],
    [{ ifindex: 1, ifname: '},{"ifindex":2' }, veth(3)],
    [{}, {}, veth(1)],
    [],
    [7],
  ]) {
    const known: KnownEntries<unknown> = new Map();
    for (let time = 0; time < 2; time += 1) assert.deepEqual(ipEntries('ip', printed(odd), asItIs, known), odd);
  }
  assert.deepEqual(ipEntries('ip', result(''), asItIs, new Map()), []);
  assert.throws(() => ipEntries('ip', result('[{"ifindex":1},{"ifindex":}]'), asItIs, new Map()), {
    message: 'ip printed no valid JSON',
  });
  assert.throws(() => ipEntries('ip', { ...result('[]'), code: 1 }, asItIs, new Map()), { code: 'failed' });
});

test('tables that change say, entry by entry, what they say as a whole', () => {
  const address = fc.constantFrom('10.0.0.1', 'fe80::1', 'odd');
  const link = fc.record(
    {
      ifindex: fc.oneof(fc.integer({ min: 1, max: 9 }), fc.string()),
      ifname: fc.constantFrom('a', 'b', 'c', '},{"ifindex":1', '\u{1B}[2J'),
      link: fc.constantFrom('a', 'b', 'if7'),
      link_index: fc.integer({ min: 1, max: 9 }),
      addr_info: fc.array(fc.record({ family: fc.constantFrom('inet', 'inet6'), local: address })),
    },
    { requiredKeys: ['ifname'] },
  );
  const route = fc.record(
    {
      type: fc.constantFrom('local', 'unicast'),
      dst: fc.constantFrom('default', '10.0.0.0/24', 'fd00::/64', 'odd'),
      nexthops: fc.array(fc.record({ gateway: address })),
    },
    { requiredKeys: ['dst'] },
  );
  const entry = fc.oneof({ weight: 6, arbitrary: link }, { weight: 6, arbitrary: route }, fc.jsonValue());
  fc.assert(
    fc.property(fc.array(fc.array(entry), { maxLength: 5 }), sequence => {
      const tables = noTables();
      for (const entries of sequence) {
        const answer = printed(entries);
        const whole = ipArray('ip', answer);
        assert.deepEqual(parseLinkTable(answer, tables), parseLinks(whole));
        assert.deepEqual(parseRouteTable(answer, tables), parseRoutes(whole));
      }
    }),
    { numRuns: rounds(200) },
  );
});
