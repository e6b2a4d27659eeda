import assert from 'node:assert/strict';
import { isIP } from 'node:net';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { addressOfBytes, canonicalAddress, ipv4Number, procAddress } from '../../source/host/addresses.ts';
import { rounds } from '../rounds.ts';

test('writes addresses in one form', () => {
  for (const [given, expected] of [
    ['10.20.30.100', '10.20.30.100'],
    ['FD00:30:0:0:0:0:0:100', 'fd00:30::100'],
    ['::', '::'],
    ['::1', '::1'],
    ['fe80::1%eth0', 'fe80::1'],
    ['127.0.0.53%lo', '127.0.0.53'],
    ['::ffff:1.2.3.4', '::ffff:1.2.3.4'],
    ['::FFFF:0102:0304', '::ffff:1.2.3.4'],
    ['2001:db8:0:1:0:0:0:1', '2001:db8:0:1::1'],
  ] as const) {
    assert.equal(canonicalAddress(given), expected);
  }
  for (const none of ['', '*', 'localhost', '1.2.3', '0x7f.1', '1.2.3.4/8', '1.2.3.256', ':::', 'g::', '010.1.1.1.1']) {
    assert.equal(canonicalAddress(none), undefined, none);
  }
});

test('reads the kernel’s hex words in either byte order', () => {
  assert.equal(procAddress('0100007F', true), '127.0.0.1');
  assert.equal(procAddress('7F000001', false), '127.0.0.1');
  assert.equal(procAddress('00000000', true), '0.0.0.0');
  assert.equal(procAddress('00000000000000000000000001000000', true), '::1');
  assert.equal(procAddress('0000000000000000FFFF00000100007F', true), '::ffff:127.0.0.1');
  assert.equal(procAddress('300000FD000000000000000000010000', true), 'fd00:30::100');
  for (const none of ['', '0100007', '0100007G', '000000000000000000000000010000000', '0x00007F']) {
    assert.equal(procAddress(none, true), undefined, none);
  }
});

test('any 16 bytes make an address that node knows as IPv6, and that is canonical already', () => {
  fc.assert(
    fc.property(
      fc.array(fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 255 })), { minLength: 16, maxLength: 16 }),
      bytes => {
        const text = addressOfBytes(bytes)!;
        assert.equal(isIP(text), 6);
        assert.equal(canonicalAddress(text), text);
      },
    ),
    { numRuns: rounds(100) },
  );
});

test('numbers IPv4 addresses without a sign', () => {
  assert.equal(ipv4Number('255.255.255.255'), 4_294_967_295);
  assert.equal(ipv4Number('0.0.1.0'), 256);
  assert.equal(ipv4Number('::1'), undefined);
});
