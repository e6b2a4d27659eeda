import assert from 'node:assert/strict';
import { PassThrough, Writable } from 'node:stream';
import { mock, test } from 'node:test';
import { TerminalInput } from '../../source/terminal/input.ts';
import { statusAnswer, TerminalOutput } from '../../source/terminal/output.ts';

/** A terminal that takes a chunk only when told to. */
class SlowTerminal extends Writable {
  columns = 0;
  rows = 0;
  readonly chunks: string[] = [];
  #go: (() => void) | undefined;

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: () => void): void {
    this.chunks.push(chunk.toString());
    this.#go = callback;
  }

  async drain(): Promise<void> {
    this.#go?.();
    await new Promise(resolve => setImmediate(resolve));
  }
}

const wrap = (stream: Writable) => new TerminalOutput(stream as unknown as NodeJS.WriteStream);

test('it is busy until all was taken, and says when', async () => {
  const slow = new SlowTerminal();
  const output = wrap(slow);
  let calls = 0;
  output.write('one');
  output.write('two');
  assert.equal(output.busy, true);
  output.whenIdle(() => (calls += 1));
  await slow.drain();
  assert.equal(output.busy, true);
  assert.equal(calls, 0);
  await slow.drain();
  assert.equal(output.busy, false);
  assert.equal(calls, 1);
  assert.deepEqual(slow.chunks, ['one', 'two']);
  output.whenIdle(() => (calls += 1));
  assert.equal(calls, 2);
});

test('a size of 0x0 reads as 80x24 and resizes are passed on', () => {
  const slow = new SlowTerminal();
  const output = wrap(slow);
  assert.deepEqual([output.columns, output.rows], [80, 24]);
  let resizes = 0;
  output.on('resize', () => (resizes += 1));
  slow.emit('resize');
  output.release();
  slow.emit('resize');
  assert.equal(resizes, 1);
});

test('a reader that went away closes it, without an uncaught error', async () => {
  const broken = new Writable({
    write(_chunk, _encoding, callback) {
      callback(Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }));
    },
  });
  const output = wrap(broken);
  const closed = new Promise<void>(resolve => output.once('close', resolve));
  output.write('frame');
  await closed;
  assert.equal(output.destroyed, true);
});

const question = '\u{1B}[5n';
const turn = () => new Promise(resolve => setImmediate(resolve));

test('a terminal that answers is busy until it has answered what was asked after the frame', async () => {
  const taken: string[] = [];
  const output = wrap(
    new Writable({
      decodeStrings: false,
      write(chunk: string, _encoding, callback) {
        taken.push(chunk);
        callback();
      },
    }),
  );
  output.startAsking();
  output.write('first');
  await turn();
  assert.equal(output.busy, false, 'whether it answers is not known yet');
  assert.deepEqual(taken, [question, 'first']);
  output.answered();
  assert.equal(output.busy, true, 'the first frame came after the question');
  await turn();
  assert.deepEqual(taken, [question, 'first', question]);
  output.answered();
  assert.equal(output.busy, false);
  let calls = 0;
  output.write('begin');
  output.write('end');
  output.whenIdle(() => (calls += 1));
  await turn();
  await turn();
  assert.deepEqual(taken.slice(3), ['begin', 'end', question], 'one question for all of a frame');
  assert.equal(calls, 0);
  output.answered();
  assert.equal(calls, 1);
  await output.stopAsking();
  output.write('goodbye');
  await turn();
  assert.equal(taken.at(-1), 'goodbye');
  assert.equal(output.busy, false);
});

test('an answer that does not come is not waited for for ever; when it comes after all, the next ones are', async t => {
  mock.timers.enable({ apis: ['setTimeout'] });
  t.after(() => mock.timers.reset());
  const output = wrap(new Writable({ write: (_chunk, _encoding, callback) => callback() }));
  output.startAsking();
  await turn();
  output.answered();
  output.write('frame');
  await turn();
  await turn();
  assert.equal(output.busy, true);
  mock.timers.tick(6000);
  assert.equal(output.busy, false);
  output.write('another');
  await turn();
  await turn();
  assert.equal(output.busy, false);
  output.answered();
  output.write('third');
  assert.equal(output.busy, true);
  output.release();
});

test('answers do not reach the program as keys, wherever the input is cut; all else does', async () => {
  const keyboard = new PassThrough();
  let answers = 0;
  const input = new TerminalInput(keyboard as unknown as NodeJS.ReadStream, () => (answers += 1));
  let typed = '';
  input.setEncoding('utf8').on('data', (text: string) => (typed += text));
  const bytes = Buffer.from('é');
  for (const piece of [`j${statusAnswer}k`, statusAnswer, '\u{1B}[A', bytes.subarray(0, 1), bytes.subarray(1)]) {
    keyboard.write(piece);
    await turn();
  }
  assert.equal(typed, 'jk\u{1B}[Aé');
  assert.equal(answers, 2);
  keyboard.write('\u{1B}[');
  await turn();
  keyboard.write('0nq');
  await turn();
  assert.equal(answers, 3);
  assert.ok(typed.endsWith('q'));
  input.release();
});
