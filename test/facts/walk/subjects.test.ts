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
