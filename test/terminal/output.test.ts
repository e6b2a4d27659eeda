import assert from 'node:assert/strict';
import { Writable } from 'node:stream';
import { test } from 'node:test';
import { TerminalOutput } from '../../source/terminal/output.ts';

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
