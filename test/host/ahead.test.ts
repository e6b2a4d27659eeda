/** What a start asks ahead: each answer is taken, no answer is taken twice or late, and the lists miss nothing. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { askAhead, followedEvents } from '../../source/host/ahead.ts';
import { HostError, type DockerEvent, type Host, type ToolResult } from '../../source/host/host.ts';
import { startLive } from '../../source/live/start-live.ts';
import { fixtureHost } from '../fixtures/hosts.ts';
import { textHost } from './text-host.ts';

const printed: ToolResult = { code: 0, signal: null, stdout: '[]', stderr: '' };
const settled = (): Promise<void> => new Promise(resolve => setImmediate(resolve));

/** A host of which everything that it is asked is written down, and whose event stream is in the test's hands. */
function watched(base: Host): {
  host: Host;
  asked: string[];
  open: () => void;
  emit: (id: string) => void;
  end: () => void;
} {
  const asked: string[] = [];
  let listener: { onEvent(event: DockerEvent): void; onOpen?: () => void } | undefined;
  let over: (error?: HostError) => void;
  const ended = new Promise<HostError | undefined>(resolve => (over = resolve));
  const host: Host = {
    ...base,
    docker: {
      ...base.docker,
      get: path => {
        asked.push(path);
        return base.docker.get(path);
      },
      events: (_filters, onEvent, onOpen) => {
        asked.push('/events');
        listener = { onEvent, ...(onOpen && { onOpen }) };
        return { stop: () => over(), ended };
      },
    },
    run: (tool, args, options) => {
      asked.push([tool, ...args].join(' '));
      return base.run(tool, args, options);
    },
  };
  return {
    host,
    asked,
    open: () => listener?.onOpen?.(),
    emit: id => listener?.onEvent({ type: 'container', action: 'start', id, attributes: {}, at: 0 }),
    end: () => over(new HostError('refused', 'ended')),
  };
}

const answering = (): Host => {
  const host = textHost({});
  return {
    ...host,
    docker: { endpoint: 'unix:///test', get: path => Promise.resolve(path), events: () => assert.fail() },
    run: () => Promise.resolve(printed),
  };
};
const lists = ['/containers/json?all=1', '/networks'];

test('what is asked ahead is what a start asks: it takes every answer', async () => {
  const { host, open } = watched(await fixtureHost('20'));
  const { host: ahead, left } = askAhead(host);
  open();
  assert.equal(left().length, 11);
  const live = await startLive(ahead, { stateDir: null });
  for (let turn = 0; turn < 2000 && left().length > 0; turn += 1) await settled();
  await live.stop();
  assert.deepEqual(left(), []);
});

test('an answer is given once', async () => {
  const { host, asked } = watched(answering());
  const { host: ahead } = askAhead(host);
  const count = (what: string): number => asked.filter(each => each === what).length;
  await ahead.docker.get('/info');
  assert.equal(count('/info'), 1);
  await ahead.docker.get('/info');
  assert.equal(count('/info'), 2);
  await ahead.run('ip', ['-j', '-4', 'rule']);
  await ahead.run('ip', ['-j', '-4', 'rule']);
  assert.equal(count('ip -j -4 rule'), 2);
  await ahead.run('nft', ['-j', 'list', 'ruleset'], { timeoutMs: 1 });
  assert.equal(count('nft -j list ruleset'), 2, 'with other patience it is another question');
});

test('an answer that nobody came for in time is not given', async t => {
  const { host, asked } = watched(answering());
  const start = performance.now();
  const clock = t.mock.method(performance, 'now', () => start);
  const { host: ahead } = askAhead(host);
  clock.mock.mockImplementation(() => start + 1001);
  await ahead.docker.get('/info');
  assert.equal(asked.filter(each => each === '/info').length, 2);
});

test('lists are asked for when the event stream is open, not before', async () => {
  const { host, asked, open } = watched(answering());
  const { host: ahead } = askAhead(host);
  assert.deepEqual(
    asked.filter(each => lists.includes(each)),
    [],
  );
  open();
  assert.deepEqual(
    asked.filter(each => lists.includes(each)),
    lists,
  );
  let isOpen = 0;
  ahead.docker.events(
    followedEvents,
    () => undefined,
    () => (isOpen += 1),
  );
  await settled();
  assert.equal(isOpen, 1);
});

/** What a listener is told of the stream from now on: `open`, and the ids of events. */
function listenTo(host: Host): string[] {
  const told: string[] = [];
  host.docker.events(
    followedEvents,
    ({ id }) => told.push(id),
    () => told.push('open'),
  );
  return told;
}

test('who listens before the stream is open is told when it is, and asks for the lists himself', async () => {
  const { host, asked, open, emit } = watched(answering());
  const { host: ahead } = askAhead(host);
  const told = listenTo(ahead);
  await settled();
  assert.deepEqual(told, []);
  open();
  emit('a');
  assert.deepEqual(told, ['open', 'a']);
  assert.deepEqual(
    asked.filter(each => lists.includes(each)),
    [],
  );
});

test('an event before anybody listens is kept, and makes the lists be asked for anew', async () => {
  const { host, asked, open, emit } = watched(answering());
  const { host: ahead } = askAhead(host);
  open();
  emit('a');
  emit('b');
  const told = listenTo(ahead);
  await settled();
  emit('c');
  assert.deepEqual(told, ['open', 'a', 'b', 'c']);
  await ahead.docker.get(lists[0]!);
  assert.equal(asked.filter(each => each === lists[0]).length, 2);
});

test('a stream that is over is opened anew, and so is the second one', async () => {
  const { host, asked, end } = watched(answering());
  const { host: ahead } = askAhead(host);
  end();
  await settled();
  ahead.docker.events(followedEvents, () => undefined);
  assert.equal(asked.filter(each => each === '/events').length, 2);
  ahead.docker.events(followedEvents, () => undefined);
  assert.equal(asked.filter(each => each === '/events').length, 3);
});

test('what fails and is not asked for troubles nobody; who asks for it hears why', async () => {
  const failing = answering();
  const refused = new HostError('refused', 'nothing listens');
  const { host } = watched({
    ...failing,
    docker: { ...failing.docker, get: () => Promise.reject(refused) },
    run: () => Promise.reject(refused),
  });
  const { host: ahead } = askAhead(host);
  await settled();
  await assert.rejects(ahead.docker.get('/info'), refused);
  await assert.rejects(ahead.run('ip', ['-j', '-6', 'rule']), refused);
});
