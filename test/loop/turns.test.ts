/** Between any two pieces of work there is a round of the event loop, in which Node looks for input. */
import assert from 'node:assert/strict';
import { createServer, connect } from 'node:net';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { inTurn, turn } from '../../source/loop/turns.ts';

const rounds = (): { count: () => number; stop: () => void } => {
  let count = 0;
  let isOver = false;
  const next = (): void => {
    count += 1;
    if (!isOver) setImmediate(next);
  };
  setImmediate(next);
  return { count: () => count, stop: () => (isOver = true) };
};

test('one piece of work is begun in each round, whoever asked for it', async () => {
  const { count, stop } = rounds();
  const at: number[] = [];
  const patiently = async (): Promise<void> => {
    for (let piece = 0; piece < 5; piece += 1) {
      await turn();
      at.push(count());
    }
  };
  const done = [patiently(), patiently()];
  for (let piece = 0; piece < 5; piece += 1) inTurn(() => at.push(count()));
  await Promise.all(done);
  stop();
  assert.equal(at.length, 15);
  assert.equal(new Set(at).size, 15, at.join(' '));
});

test('what is urgent comes before what waits patiently, in the order in which it came', async () => {
  const order: string[] = [];
  const patient = [turn().then(() => order.push('patient 1')), turn().then(() => order.push('patient 2'))];
  inTurn(() => order.push('urgent 1'));
  inTurn(() => order.push('urgent 2'));
  await Promise.all(patient);
  assert.deepEqual(order, ['urgent 1', 'urgent 2', 'patient 1', 'patient 2']);
});

test('a byte that arrives during a piece of work is there before the next but one', async t => {
  const folder = await mkdtemp(join(tmpdir(), 'netdash-turns-'));
  const order: string[] = [];
  const server = createServer(socket => socket.on('data', () => order.push('key')));
  await new Promise<void>(resolve => server.listen(join(folder, 'socket'), resolve));
  const client = connect(join(folder, 'socket'));
  await new Promise(resolve => client.once('connect', resolve));
  t.after(async () => {
    client.destroy();
    server.close();
    await rm(folder, { recursive: true });
  });
  const work = (name: string) => (): void => {
    const end = performance.now() + 20;
    while (performance.now() < end);
    order.push(name);
  };
  client.write('j');
  for (const name of ['1', '2', '3', '4', '5', '6', '7', '8']) inTurn(work(name));
  for (let piece = 0; piece < 12; piece += 1) await turn();
  assert.ok(order.indexOf('key') <= 3, order.join(' '));
});
