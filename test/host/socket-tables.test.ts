import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { parseSocketTable, readSocketCounts, readSocketTables } from '../../source/host/socket-tables.ts';
import { textHost } from './text-host.ts';
import { rounds } from '../rounds.ts';

const heading = '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode';
const tcp = `${heading}
   0: 0100007F:1F94 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 29245 1 0000000051b7a1b4 100 0 0 10 0
   1: 00000000:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 23877 1 00000000cafe0000 100 0 0 10 0
   2: 641E140A:1F90 011E140A:C350 01 00000000:00000000 02:000000A0 00000000     0        0 30001 2 00000000cafe0001 20 4 30 10 -1
   3: 641E140A:8000 011E140A:0050 06 00000000:00000000 03:00000D0A 00000000     0        0 0 3 00000000cafe0002
   4: 641E140A:8001 011E140A:0050 03 00000000:00000000 00:00000000 00000000     0        0 0 1 00000000cafe0003
`;

test('tells listeners from the sockets that merely hold a wanted port', () => {
  const all = parseSocketTable(tcp, 'tcp', 4, new Set([8080, 32768]));
  assert.equal(all.skipped, 0);
  assert.deepEqual(all.listeners, [
    { proto: 'tcp', family: 4, address: '127.0.0.1', port: 8084, state: 'LISTEN', inode: 29245, uid: 1000 },
    { proto: 'tcp', family: 4, address: '0.0.0.0', port: 8080, state: 'LISTEN', inode: 23877, uid: 0 },
  ]);
  assert.deepEqual(all.holding, [
    { proto: 'tcp', family: 4, address: '10.20.30.100', port: 8080, state: 'ESTAB', inode: 30001, uid: 0 },
    { proto: 'tcp', family: 4, address: '10.20.30.100', port: 32768, state: 'TIME-WAIT', inode: 0, uid: 0 },
  ]);
  assert.deepEqual(parseSocketTable(tcp, 'tcp', 4).holding, []);
});

test('takes unconnected UDP sockets for listeners, connected ones not', () => {
  const udp6 = `${heading}
  533: 00000000000000000000000000000000:1388 00000000000000000000000000000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 24465 2 000000002d0e5b2a 0
  600: 000080FE00000000FF00000001000000:0222 000080FE00000000FF00000002000000:0223 01 00000000:00000000 00:00000000 00000000   101        0 24466 2 000000002d0e5b2b 0
`;
  const { listeners, holding } = parseSocketTable(udp6, 'udp', 6, new Set([546]));
  assert.deepEqual(
    listeners.map(({ address, port, state, inode }) => ({ address, port, state, inode })),
    [{ address: '::', port: 5000, state: 'UNCONN', inode: 24465 }],
  );
  assert.deepEqual(
    holding.map(({ address, port, state, uid }) => ({ address, port, state, uid })),
    [{ address: 'fe80::ff:0:1', port: 546, state: 'ESTAB', uid: 101 }],
  );
});

const row = (inode: number) =>
  `   1: 00000000:1F90 00000000:0000 0A 0:0 00:0 0     0        0 ${inode} 1 0 100 0 0 10 0`;

test('keeps two sockets of one address apart and a row that is shown twice together', () => {
  const { listeners } = parseSocketTable([heading, row(7), row(8), row(7), ''].join('\n'), 'tcp', 4);
  assert.deepEqual(
    listeners.map(({ inode }) => inode),
    [7, 8],
  );
});

test('counts what it does not understand and keeps the rest', () => {
  const torn = tcp
    .replace('0100007F:1F94', '0100007:1F94')
    .replace('00000000:1F90 00000000:0000 0A', '00000000:1F90 LISTEN');
  const { listeners, skipped } = parseSocketTable(torn, 'tcp', 4);
  assert.deepEqual([listeners.length, skipped], [0, 2]);
  // An IPv6 row in the IPv4 table is no row of it.
  const mixed = `${heading}\n   0: 00000000000000000000000000000000:0050 0:0 0A 0:0 00:0 0 0 0 5 1`;
  assert.equal(parseSocketTable(mixed, 'tcp', 4).skipped, 1);
});

test('survives any text', () => {
  const part = fc.constantFrom('0A', '07', '01', '00000000', '0100007F:1F90', ':', '0', '\n', ' ', '-1', '4294967296');
  fc.assert(
    fc.property(fc.array(fc.oneof(part, fc.string())), fc.constantFrom<4 | 6>(4, 6), (parts, family) => {
      const { listeners } = parseSocketTable(`${heading}\n${parts.join(' ')}`, 'tcp', family);
      for (const { port, inode } of listeners) assert.ok(port > 0 && port < 65_536 && Number.isInteger(inode));
    }),
    { numRuns: rounds(100) },
  );
});

test('counts sockets by kind and family, on request those that only wait', () => {
  const host = textHost({
    files: {
      '/proc/7/net/sockstat': `sockets: used 23
TCP: inuse 5 orphan 1 tw 12 alloc 253 mem 235
UDP: inuse 2 mem 0
UDPLITE: inuse 9
RAW: inuse 8
FRAG: inuse 0 memory 0
`,
      '/proc/7/net/sockstat6': 'TCP6: inuse 3\nUDP6: inuse 1\nUDPLITE6: inuse 0\nRAW6: inuse 0\n',
    },
  });
  assert.equal(readSocketCounts(host, 7, false), 'TCP: inuse 5 UDP: inuse 2 TCP6: inuse 3 UDP6: inuse 1');
  assert.equal(readSocketCounts(host, 7, true), 'TCP: inuse 5  tw 12 UDP: inuse 2 TCP6: inuse 3 UDP6: inuse 1');
  assert.equal(readSocketCounts(host, 8, true), undefined);
});

const counts = (tcp4: number, tcp6: number) => ({
  '/proc/7/net/sockstat': `TCP: inuse ${tcp4} orphan 0 tw 0 alloc 0 mem 0\nUDP: inuse 0 mem 0\n`,
  '/proc/7/net/sockstat6': `TCP6: inuse ${tcp6}\nUDP6: inuse 0\n`,
});
const ports = async (files: Record<string, string>, wanted?: Set<number>) =>
  (await readSocketTables(textHost({ files }), 7, wanted)).listeners.map(({ port }) => port);

test('walks no table of which the counts say that it is empty, unless waiting sockets are wanted', async () => {
  assert.deepEqual(await ports({ ...counts(2, 0), '/proc/7/net/tcp': tcp }), [8080, 8084]);
  assert.deepEqual(await ports(counts(0, 0)), []);
  await assert.rejects(ports(counts(0, 0), new Set([80])));
  await assert.rejects(ports({}));
  const unread = await readSocketTables(textHost({ files: { ...counts(10, 0), '/proc/7/net/tcp6': heading } }), 7);
  assert.match(unread.missing ?? '', /tcp/);
});
