/** Which addresses a port of the host is asked at. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Listener, Snapshot } from '../../../source/facts/schema.ts';
import { questionsAbout } from '../../../source/facts/walk/subjects.ts';

const listening = (...addresses: string[]): Pick<Snapshot, 'containers' | 'listeners' | 'interfaces' | 'networks'> => ({
  containers: [],
  interfaces: [],
  networks: [],
  listeners: addresses.map(address => ({ proto: 'tcp', address, port: 53, v6only: true }) as Listener),
});

const asked = (...addresses: string[]): string[] =>
  questionsAbout({ kind: 'port', port: 53 }, { kind: 'loopback' }, listening(...addresses)).map(({ to }) => to.address);

test('on the host itself a port is asked at the loopback addresses that somebody listens on', () => {
  assert.deepEqual(asked('127.0.0.53'), ['127.0.0.53']);
  assert.deepEqual(asked('127.0.0.53', '127.0.0.54'), ['127.0.0.53', '127.0.0.54']);
  assert.deepEqual(asked('0.0.0.0', '127.0.0.53'), ['127.0.0.1', '127.0.0.53']);
  assert.deepEqual(asked('127.0.0.1'), ['127.0.0.1']);
  assert.deepEqual(asked('::', '::1'), ['::1']);
  assert.deepEqual(asked('0.0.0.0', '::'), ['127.0.0.1', '::1']);
  assert.deepEqual(asked(), ['127.0.0.1'], 'with nothing there the question is still answered');
  assert.deepEqual(asked('10.0.0.5'), ['10.0.0.5']);
});

/** An interface with these addresses that leads off the host. */
const addressed = (name: string, ...addresses: string[]) =>
  ({
    name,
    kind: 'ether',
    up: true,
    state: 'UP',
    addresses: addresses.map(address => ({ address, family: address.includes(':') ? 6 : 4, prefixLength: 64 })),
  }) as unknown as Snapshot['interfaces'][number];

/** From where and at which address a port is asked when this listener has it. */
const askedFor = (listener: Partial<Listener>, ...interfaces: Snapshot['interfaces']) =>
  questionsAbout({ kind: 'port', port: 53 }, undefined, {
    ...listening(),
    interfaces,
    listeners: [{ proto: 'tcp', port: 53, v6only: true, ...listener } as Listener],
  }).map(({ from, to }) => `${from.kind === 'lan' ? from.interface : from.kind} ${to.address}`);

test('a link-local address is asked at from the interface that it is bound to, and on the host where only one has it', () => {
  const [eth0, eth1] = [addressed('eth0', '10.0.0.5', 'fe80::5'), addressed('eth1', '10.1.0.5', 'fe80::5')];
  assert.deepEqual(askedFor({ address: 'fe80::5', device: 'eth0' }, eth0), ['loopback fe80::5', 'eth0 fe80::5']);
  assert.deepEqual(askedFor({ address: 'fe80::5', device: 'eth0' }, eth0, eth1), ['eth0 fe80::5', 'eth1 10.1.0.5']);
  assert.deepEqual(askedFor({ address: '::' }, eth0), ['loopback ::1', 'eth0 fe80::5']);
});
