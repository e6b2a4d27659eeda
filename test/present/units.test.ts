import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addressKey, familyOf, isLoopback, isWildcard, socketAddress } from '../../source/present/addresses.ts';
import { age, ago, bytes, count, moment, plural, rate, shortMoment } from '../../source/present/units.ts';

test('bytes, rates and counts take three digits at most', () => {
  assert.deepEqual([0, 999, 1000, 1240, 9949, 9950, 83_000, 999_600, 1_240_000].map(bytes), [
    '0 B',
    '999 B',
    '1.0 kB',
    '1.2 kB',
    '9.9 kB',
    '10 kB',
    '83 kB',
    '1.0 MB',
    '1.2 MB',
  ]);
  assert.equal(rate(940), '940 B/s');
  assert.deepEqual([7, 1234, 12_345, 9e15].map(count), ['7', '1.2k', '12k', '9.0P']);
});

test('ages are in their largest unit, and never negative', () => {
  assert.deepEqual([-5000, 0, 59_999, 60_000, 3_599_000, 47 * 3_600_000, 49 * 3_600_000].map(age), [
    '0s',
    '0s',
    '59s',
    '1m',
    '59m',
    '47h',
    '2d',
  ]);
  assert.equal(ago('2026-11-21T09:40:00Z', Date.parse('2026-11-21T09:42:30Z')), '2m ago');
});

test('a moment of another day says which', () => {
  const now = new Date(2026, 10, 21, 9, 41, 30).getTime();
  assert.equal(moment(new Date(2026, 10, 21, 8, 5, 9).toISOString(), now), '08:05:09');
  assert.equal(moment(new Date(2026, 10, 20, 8, 5, 9).toISOString(), now), '2026-11-20 08:05:09');
  assert.equal(shortMoment(new Date(2026, 10, 20, 8, 5, 9).toISOString(), now), '11-20 08:05');
});

test('one thing is singular', () => {
  assert.deepEqual(
    [plural(1, 'error'), plural(0, 'error'), plural(2, 'entry', 'entries')],
    ['1 error', '0 errors', '2 entries'],
  );
});

test('addresses sort by number, IPv4 first', () => {
  const sorted = ['fd00::1', '172.17.0.10', '10.0.0.2', '172.17.0.9', 'lan', '::1', '172.17.0.0/16'].sort((a, b) =>
    addressKey(a) < addressKey(b) ? -1 : 1,
  );
  assert.deepEqual(sorted, ['10.0.0.2', '172.17.0.0/16', '172.17.0.9', '172.17.0.10', '::1', 'fd00::1', 'lan']);
});

test('what an address reaches', () => {
  assert.deepEqual(['', '0.0.0.0', '::', '127.0.0.1'].map(isWildcard), [true, true, true, false]);
  assert.deepEqual(['::ffff:0.0.0.0', '::ffff:10.0.0.1'].map(isWildcard), [true, false]);
  assert.deepEqual(['::ffff:10.0.0.1', '10.0.0.1', '', '::1'].map(familyOf), [4, 4, 4, 6]);
  assert.deepEqual(['127.3.2.1', '::1', '::ffff:127.0.0.1', '10.0.0.1'].map(isLoopback), [true, true, true, false]);
  assert.equal(socketAddress('::1', 80), '[::1]:80');
});
