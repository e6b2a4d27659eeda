/** Whether listeners are the same is told without the tables only where nothing else could be. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SocketReading } from '../../source/host/readings.ts';
import { isProvable, readConnections, stillOpen } from '../../source/host/socket-proof.ts';
import { textHost } from './text-host.ts';

const snmp = (established: number, opened = 5): string =>
  [
    'Ip: Forwarding DefaultTTL',
    'Ip: 1 64',
    'Tcp: RtoAlgorithm RtoMin RtoMax MaxConn ActiveOpens PassiveOpens AttemptFails EstabResets CurrEstab InSegs OutSegs',
    `Tcp: 1 200 120000 -1 ${opened} 7 0 1 ${established} 900 901`,
    'Udp: InDatagrams',
    'Udp: 3',
  ].join('\n');

const connectionsOf = (file: string) => readConnections(textHost({ files: { '/proc/7/net/snmp': file } }), 7);

test('connections are counted as the kernel does', () => {
  assert.equal(connectionsOf(snmp(3))?.established, 3);
  assert.equal(connectionsOf(snmp(3))?.text, connectionsOf(snmp(3).replace('900 901', '950 960'))?.text);
  assert.notEqual(connectionsOf(snmp(3))?.text, connectionsOf(snmp(2))?.text);
  assert.notEqual(connectionsOf(snmp(3))?.text, connectionsOf(snmp(3, 6))?.text, 'one ended, and another began');
  assert.equal(connectionsOf('Tcp: CurrEstab\nTcp: torn'), undefined);
  assert.equal(connectionsOf(''), undefined);
  assert.equal(readConnections(textHost({}), 'self'), undefined);
});

const listener = (more: Partial<SocketReading> = {}): SocketReading => ({
  proto: 'tcp',
  family: 4,
  address: '0.0.0.0',
  port: 80,
  state: 'LISTEN',
  inode: 11,
  uid: 0,
  processes: [{ pid: 5, name: 'web', fd: 3 }],
  ...more,
});

test('nothing is proven where the kernel counts a socket that is neither a connection nor a listener with an owner', () => {
  const counts = 'TCP: inuse 2 UDP: inuse 1 TCP6: inuse 1 UDP6: inuse 0';
  const connections = { established: 1, text: '' };
  const listeners = [
    listener(),
    listener({ inode: 12, family: 6, address: '::' }),
    listener({ inode: 13, proto: 'udp' }),
  ];
  assert.ok(isProvable(counts, connections, listeners));
  assert.ok(!isProvable(counts, undefined, listeners));
  assert.ok(!isProvable(undefined, connections, listeners));
  assert.ok(!isProvable(counts.replace('TCP: inuse 2', 'TCP: inuse 3'), connections, listeners), 'one that is closing');
  assert.ok(!isProvable(counts.replace('UDP6: inuse 0', 'UDP6: inuse 1'), connections, listeners), 'connected UDP');
  const replaced = (more: Partial<SocketReading>) => listeners.with(2, listener({ inode: 13, proto: 'udp', ...more }));
  assert.ok(!isProvable(counts, connections, replaced({ inode: 0 })), 'the kernel’s own');
  assert.ok(!isProvable(counts, connections, replaced({ processes: [] })));
  assert.ok(!isProvable(counts, connections, replaced({ processes: undefined })));
  assert.ok(
    isProvable(counts, connections, replaced({ processes: undefined }), ({ inode }) => inode === 13),
    'lasts',
  );
  assert.ok(!isProvable(counts, connections, replaced({ processes: [{ pid: 5, name: 'x' }] })));
});

test('a listener is still there while all that had it open have it open', () => {
  const links = { '/proc/5/fd/3': 'socket:[11]', '/proc/6/fd/3': 'socket:[11]' };
  const shared = listener({
    processes: [
      { pid: 5, name: 'web', fd: 3 },
      { pid: 6, name: 'web', fd: 3 },
    ],
  });
  assert.ok(stillOpen(textHost({ links }), [shared]));
  assert.ok(!stillOpen(textHost({ links: { ...links, '/proc/5/fd/3': 'socket:[99]' } }), [shared]), 'opened anew');
  assert.ok(!stillOpen(textHost({ links: { '/proc/5/fd/3': 'socket:[11]' } }), [shared]), 'one of two has ended');
});
