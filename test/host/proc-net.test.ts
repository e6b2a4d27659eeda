import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import {
  interfaceNames,
  parseConnectedRoutes,
  parseFibLocals,
  parseIfindexes,
  parseIfInet6,
  parseNetDev,
} from '../../source/host/proc-net.ts';
import { rounds } from '../rounds.ts';

const dev = `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:       0       0    0    0    0     0          0         0        0       0    0    0    0     0       0          0
  eth0:18446744     119    1    2    3     4          5         6     1402      16    7    8    9    10      11         12
a:b.5:1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16
`;

test('reads counters by interface', () => {
  const traffic = parseNetDev(dev);
  assert.deepEqual(Object.keys(traffic), ['lo', 'eth0', 'a:b.5']);
  assert.deepEqual(traffic['eth0'], {
    rxBytes: 18446744,
    rxPackets: 119,
    rxDropped: 2,
    txBytes: 1402,
    txPackets: 16,
    txDropped: 8,
  });
});

test('names the interfaces that it reads counters of', () => {
  for (const table of [dev, ['__proto__', 'constructor'].map(name => `${name}: ${'1 '.repeat(16)}`).join('\n'), '']) {
    assert.deepEqual(interfaceNames(table), Object.keys(parseNetDev(table)));
  }
});

test('finds interface indexes in every table that has them', () => {
  const indexes = parseIfindexes({
    igmp: 'Idx\tDevice    : Count Querier\tGroup    Users Timer\tReporter\n1\tlo        :     1      V3\n\t\t\t\t010000E0     1 0:00000000\t\t0\n24\teth0      :     1      V3\n',
    devMcast: '2    eth1            1     0     333300000001\n2    eth1            1     0     01005e000001\n',
    ifInet6:
      '00000000000000000000000000000001 01 80 10 80       lo\nfe800000000000000000000000000001 1f 40 20 80   v6only\n',
  });
  assert.deepEqual(
    [...indexes],
    [
      ['lo', 1],
      ['eth0', 24],
      ['eth1', 2],
      ['v6only', 31],
    ],
  );
});

test('reads IPv6 addresses with their scope', () => {
  assert.deepEqual(parseIfInet6('fd000030000000000000000000000100 02 40 00 82     eth0\nbroken\n'), [
    { name: 'eth0', ifindex: 2, address: { family: 6, address: 'fd00:30::100', prefixLength: 64, scope: 'global' } },
  ]);
});

const fibTrie = `Main:
  +-- 0.0.0.0/0 3 0 5
     |-- 0.0.0.0
        /0 universe UNICAST
     +-- 172.17.0.0/16 2 0 2
        +-- 172.17.0.0/30 2 0 2
           |-- 172.17.0.0
              /16 link UNICAST
           |-- 172.17.0.2
              /32 host LOCAL
        |-- 172.17.255.255
           /32 link BROADCAST
Local:
     +-- 127.0.0.0/8 2 0 2
           |-- 127.0.0.0
              /8 host LOCAL
           |-- 127.0.0.1
              /32 host LOCAL
           |-- 172.17.0.2
              /32 host LOCAL
`;

test('finds the local addresses in the routing trie, each once', () => {
  assert.deepEqual(parseFibLocals(fibTrie), ['172.17.0.2', '127.0.0.1']);
});

test('finds the subnets that hang on an interface, not those behind a gateway', () => {
  const route = `Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t00000000\t010011AC\t0003\t0\t0\t0\t00000000\t0\t0\t0
eth0\t000011AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0
eth1\t0100000A\t00000000\t0005\t0\t0\t0\tFFFFFFFF\t0\t0\t0
tun0\t00000000\t00000000\t0001\t0\t0\t0\t00000000\t0\t0\t0
`;
  assert.deepEqual(
    parseConnectedRoutes(route).map(({ device, prefixLength }) => [device, prefixLength]),
    [
      ['eth0', 16],
      ['eth1', 32],
    ],
  );
});

test('counts interfaces that are called like members of every object', () => {
  const traffic = parseNetDev(['__proto__', 'constructor'].map(name => `${name}: ${'1 '.repeat(16)}`).join('\n'));
  assert.deepEqual(Object.keys(traffic), ['__proto__', 'constructor']);
});

test('survives any text', () => {
  fc.assert(
    fc.property(
      fc.array(fc.oneof(fc.constantFrom(dev, fibTrie, '\n', ':', '|-- 1.2.3.4\n', '0001'), fc.string())),
      parts => {
        const text = parts.join('');
        parseNetDev(text);
        parseIfindexes({ igmp: text, devMcast: text, ifInet6: text });
        parseFibLocals(text);
        parseConnectedRoutes(text);
      },
    ),
    { numRuns: rounds(100) },
  );
});
