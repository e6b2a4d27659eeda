/** Docker's event stream, as bytes cut anywhere. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { eventReader, parseEvent } from '../../source/host/docker-events.ts';
import type { DockerEvent } from '../../source/host/host.ts';
import { rounds } from '../rounds.ts';

// valibot leaves members of these names out of records, for good reason.
const unsafe = ['__proto__', 'prototype', 'constructor'];
const name = fc.string({ unit: 'grapheme', maxLength: 20 }).filter(text => !unsafe.includes(text));
const message = fc.record({
  Type: fc.constantFrom('container', 'network', 'daemon', 'service'),
  Action: fc.constantFrom('start', 'die', 'exec_create: sh -c "a:b"', 'health_status: healthy'),
  Actor: fc.record({ ID: fc.string(), Attributes: fc.dictionary(name, name, { noNullPrototype: true }) }),
  timeNano: fc.integer({ min: 1, max: 2_000_000_000 }).map(seconds => seconds * 1e9),
});

/** The bytes, cut after the given fractions of their length. */
function cut(bytes: Buffer, fractions: readonly number[]): Buffer[] {
  const ends = [...fractions.map(fraction => Math.floor(fraction * bytes.length)), bytes.length].sort((a, b) => a - b);
  return ends.map((end, index) => bytes.subarray(ends[index - 1] ?? 0, end));
}

test('the same events come out however the stream is cut', () => {
  fc.assert(
    fc.property(
      fc.array(message, { maxLength: 8 }),
      fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 30 }),
      (messages, fractions) => {
        const bytes = Buffer.from(messages.map(each => `${JSON.stringify(each)}\n`).join(''));
        const events: DockerEvent[] = [];
        const read = eventReader(event => events.push(event));
        for (const chunk of cut(bytes, fractions)) read(chunk);
        assert.deepEqual(
          events,
          messages.map(each => ({
            type: each.Type,
            action: each.Action.split(':')[0],
            id: each.Actor.ID,
            attributes: each.Actor.Attributes,
            at: each.timeNano / 1e6,
          })),
        );
      },
    ),
    { numRuns: rounds(100) },
  );
});

test('lines that are no events are passed over, whatever they are', () => {
  const good = '{"Type":"container","Action":"start","Actor":{"ID":"a","Attributes":{}},"time":5}';
  fc.assert(
    fc.property(fc.array(fc.oneof(fc.json(), fc.string()), { maxLength: 6 }), junk => {
      const events: DockerEvent[] = [];
      const read = eventReader(event => events.push(event));
      for (const line of junk) read(Buffer.from(`${line.replaceAll('\n', ' ')}\n`));
      read(Buffer.from(`${good}\n`));
      assert.deepEqual(events, [{ type: 'container', action: 'start', id: 'a', attributes: {}, at: 5000 }]);
    }),
    { numRuns: rounds(100) },
  );
});

test('a line without end is given up, the one after it is read', () => {
  const events: DockerEvent[] = [];
  const read = eventReader(event => events.push(event));
  for (let count = 0; count < 5; count += 1) read(Buffer.alloc(512 * 1024, 'x'));
  read(Buffer.from('"}\n{"Type":"network","Action":"connect","Actor":{"ID":"n"},"time":1}\n'));
  assert.deepEqual(
    events.map(({ type, id }) => [type, id]),
    [['network', 'n']],
  );
});

test('messages of Docker 20.10 and 29 are understood', () => {
  const attributes = { image: 'web:1', name: 'myapp2', signal: '15' };
  const actor = { ID: 'd65cf302a211', Attributes: attributes };
  const time = { scope: 'local', time: 1795221665, timeNano: 1795221665799732000 };
  const expected = { type: 'container', action: 'kill', id: 'd65cf302a211', attributes, at: 1795221665799 };
  const old = { status: 'kill', id: 'd65cf302a211', from: 'web:1', Type: 'container', Action: 'kill', Actor: actor };
  assert.deepEqual(parseEvent(JSON.stringify({ ...old, ...time })), expected);
  assert.deepEqual(parseEvent(JSON.stringify({ Type: 'container', Action: 'kill', Actor: actor, ...time })), expected);
});
