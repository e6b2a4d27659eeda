/** What is sent from one line to the next must leave the screen as the whole next line would: a terminal is the witness. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import xterm from '@xterm/headless';
import * as fc from 'fast-check';
import lineUpdate from '../../source/terminal/line-update.ts';

const columns = 24;

/** The cells of a terminal's first line with their attributes, after these bytes. */
async function drawn(...writes: string[]): Promise<string[]> {
  const terminal = new xterm.Terminal({ cols: columns, rows: 3, allowProposedApi: true });
  for (const write of writes) await new Promise<void>(resolve => terminal.write(write, resolve));
  const buffer = terminal.buffer.active;
  const line = buffer.getLine(0)!;
  const cells = Array.from({ length: columns }, (_, x) => {
    const cell = line.getCell(x)!;
    const blank = cell.getChars() === '' && cell.getWidth() === 1;
    const look = [cell.isBold(), cell.isDim(), cell.isInverse(), cell.getFgColorMode(), cell.getFgColor()].join(' ');
    return `${blank ? ' ' : cell.getChars()}|${cell.getWidth()}|${look}`;
  });
  terminal.dispose();
  return [...cells, `cursor line ${buffer.cursorY}`];
}

const style = fc.constantFrom(
  ['', ''],
  ['\u001B[2m', '\u001B[22m'],
  ['\u001B[31m', '\u001B[39m'],
  ['\u001B[1m\u001B[31m', '\u001B[39m\u001B[22m'],
  ['\u001B[7m\u001B[1m\u001B[35m', '\u001B[39m\u001B[22m\u001B[27m'],
);
const piece = fc.tuple(style, fc.array(fc.constantFrom('a', 'b', ' ', '0', '→', '●', '資', '…'), { maxLength: 8 }));
/** At most as wide as the terminal. */
const line = fc.array(piece, { maxLength: 5 }).map(pieces => {
  let left = columns;
  return pieces
    .map(([[on, off], characters]) => {
      const fitting = characters.filter(character => (left -= character === '資' ? 2 : 1) >= 0);
      return fitting.length === 0 ? '' : `${on}${fitting.join('')}${off}`;
    })
    .join('');
});

test('the update leaves what the whole line would', async () => {
  await fc.assert(
    fc.asyncProperty(line, line, async (previous, next) => {
      const updated = await drawn(previous, lineUpdate(previous, next, columns));
      assert.deepEqual(updated, await drawn(next));
    }),
    { numRuns: 300 },
  );
});

const row = (rate: string): string =>
  `web-001  \u001B[32m● running\u001B[39m  ${rate} kB   \u001B[2m${'x'.repeat(100)}\u001B[22m`;

test('a number that moved costs its digits, not the rest of the line', () => {
  const update = lineUpdate(row(' 12'), row(' 47'), 200);
  assert.equal(update, '\u001B[22G47');
});

test('nothing is sent for a line that is the same', () => {
  assert.equal(lineUpdate('a\u001B[1mb\u001B[22m', 'a\u001B[1mb\u001B[22m', 80), '');
});

test('what is not understood is written whole', () => {
  for (const next of ['a\u001B]8;;x\u0007b', 'a\tb', '\u001B[38;5;1mx\u001B[39m']) {
    assert.equal(lineUpdate('ab', next, 80), `\u001B[1G\u001B[K${next}`);
    assert.equal(lineUpdate(next, 'ab', 80), `\u001B[1G\u001B[Kab`);
  }
  assert.equal(lineUpdate('ab', 'ac', undefined), '\u001B[1G\u001B[Kac');
});
