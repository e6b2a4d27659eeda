import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PublishedPort, RequestedPort } from '../../source/facts/schema.ts';
import { publishedTexts, requestedTexts } from '../../source/present/published.ts';

const published = (hostPort: number, containerPort: number, rest: Partial<PublishedPort> = {}): PublishedPort => ({
  proto: 'tcp',
  hostIp: '0.0.0.0',
  hostPort,
  containerPort,
  ephemeral: false,
  ...rest,
});
const asked = (
  hostPort: RequestedPort['hostPort'],
  containerPort: number,
  rest: Partial<RequestedPort> = {},
): RequestedPort => ({ proto: 'tcp', hostIp: '', hostPort, containerPort, ...rest });

test('ports in a row are one range, in both families', () => {
  const ports = [9998, 9999, 10_000, 10_001];
  const both = ports.flatMap(each => [published(each, each), published(each, each, { hostIp: '::' })]);
  assert.deepEqual(publishedTexts(both.toReversed()), ['9998-10001→9998-10001']);
  // As Docker's JSON has them: in order of their names.
  assert.deepEqual(requestedTexts([10_000, 10_001, 9998, 9999].map(each => asked(each, each))), [
    '9998-10001→9998-10001',
  ]);
});

test('what is not in a row on both sides, at one address and of one protocol is told apart', () => {
  assert.deepEqual(publishedTexts([published(8080, 80), published(8082, 81), published(8083, 443)]), [
    '8080→80',
    '8082→81',
    '8083→443',
  ]);
  assert.deepEqual(
    publishedTexts([
      published(5000, 5000),
      published(5001, 5001, { proto: 'udp' }),
      published(5001, 5001, { hostIp: '127.0.0.1' }),
      published(5002, 5002, { hostIp: '127.0.0.1' }),
      published(0, 5003),
      published(0, 5004),
    ]),
    ['5000→5000', '5001→5001/udp', '127.0.0.1:5001-5002→5001-5002', 'routed→5003', 'routed→5004'],
  );
  assert.deepEqual(publishedTexts([published(1, 1, { hostIp: 'fd00::1' }), published(2, 2, { hostIp: 'fd00::1' })]), [
    '[fd00::1]:1-2→1-2',
  ]);
  assert.deepEqual(requestedTexts([asked(null, 80), asked({ from: 8000, to: 8010 }, 81), asked(8080, 82)]), [
    'ephemeral→80',
    '8000-8010→81',
    '8080→82',
  ]);
});
