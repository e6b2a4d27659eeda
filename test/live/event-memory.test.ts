/** What is remembered of events is that of the last minutes, however many containers come and go. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DockerEvent } from '../../source/host/host.ts';
import { EventMemory } from '../../source/live/event-memory.ts';

const minuteMs = 60_000;
const event = (id: string, at: number): DockerEvent => ({ type: 'container', action: 'start', id, at, attributes: {} });

const ofNetwork = (action: string, attributes: Record<string, string>): DockerEvent => ({
  ...event('net', 100),
  type: 'network',
  action,
  attributes,
});

test('containers of which nothing was heard for ten minutes are forgotten', () => {
  const memory = new EventMemory();
  for (let minute = 0; minute < 60; minute += 1) {
    for (const name of ['job', 'other']) memory.add(event(`${name}-${minute}`, minute * minuteMs));
    memory.add(event('steady', minute * minuteMs));
  }
  const { events } = memory.hints(true);
  assert.deepEqual([...events.keys()].toSorted().slice(0, 2), ['job-49', 'job-50']);
  assert.equal(events.size, 23);
  assert.equal(events.get('steady')?.length, 11);
});

test('of very many at once those are forgotten that have been quiet for longest', () => {
  const memory = new EventMemory();
  for (let index = 0; index < 2500; index += 1) memory.add(event(`c-${index}`, index));
  const { events } = memory.hints(true);
  assert.equal(events.size, 2000);
  assert.ok(!events.has('c-0') && events.has('c-2499'));
});

test('where the stream was cut, the last event before that is known', () => {
  const memory = new EventMemory();
  memory.add(event('a', 100));
  memory.add(event('b', 50));
  assert.equal(memory.hints(true).cutAt, undefined);
  assert.equal(memory.hints(false).cutAt, 100);
  memory.streamIsBack();
  memory.add(event('a', 200));
  assert.equal(memory.hints(true).cutAt, 100);
});

test('events of networks are remembered, those that name a container as the container’s', () => {
  const memory = new EventMemory();
  memory.add(ofNetwork('create', { name: 'app' }));
  memory.add(ofNetwork('connect', { name: 'app', container: 'web' }));
  const { events } = memory.hints(true);
  assert.deepEqual(
    events.get('net')?.map(({ action }) => action),
    ['create'],
  );
  assert.deepEqual(
    events.get('web')?.map(({ action }) => action),
    ['connect'],
  );
});
