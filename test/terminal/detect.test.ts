import assert from 'node:assert/strict';
import { test } from 'node:test';
import { announceColour, detectTerminal, sizeOf } from '../../source/terminal/detect.ts';

const tty = { isTTY: true, columns: 100, rows: 30 };

test('a terminal without a size counts as 80x24', () => {
  assert.deepEqual(sizeOf({ columns: 0, rows: 0 }), { columns: 80, rows: 24 });
  assert.deepEqual(sizeOf({}), { columns: 80, rows: 24 });
});

test('only two terminals that can move the cursor are interactive', () => {
  assert.equal(detectTerminal({ TERM: 'xterm' }, tty, tty).interactive, true);
  assert.equal(detectTerminal({ TERM: 'dumb' }, tty, tty).interactive, false);
  assert.equal(detectTerminal({ TERM: 'xterm' }, { columns: 80 }, tty).interactive, false);
  assert.equal(detectTerminal({ TERM: 'xterm' }, tty, {}).interactive, false);
});

test('NO_COLOR wins over FORCE_COLOR; an empty one says nothing', () => {
  const colour = (env: Record<string, string>) => detectTerminal(env, tty, tty).colour;
  assert.equal(colour({ NO_COLOR: '1', FORCE_COLOR: '3' }), false);
  assert.equal(colour({ NO_COLOR: '', TERM: 'xterm' }), true);
  assert.equal(colour({ FORCE_COLOR: '0' }), false);
  const env: Record<string, string> = { NO_COLOR: '1' };
  announceColour(detectTerminal(env, tty, tty), env);
  assert.equal(env['FORCE_COLOR'], '0');
});

const charset = (env: Record<string, string>) => detectTerminal(env, tty, tty).charset;

test('the charset follows the locale by POSIX precedence, and the Linux console is ASCII', () => {
  assert.equal(charset({ LANG: 'de_DE.UTF-8' }), 'unicode');
  assert.equal(charset({ LANG: 'de_DE.UTF-8', LC_ALL: 'C' }), 'ascii');
  assert.equal(charset({ LANG: 'C', LC_CTYPE: 'C.utf8' }), 'unicode');
  assert.equal(charset({}), 'ascii');
  assert.equal(charset({ LANG: 'C.UTF-8', TERM: 'linux' }), 'ascii');
});

test('COLORFGBG tells a light background', () => {
  assert.equal(detectTerminal({ COLORFGBG: '0;15' }, tty, tty).light, true);
  assert.equal(detectTerminal({ COLORFGBG: '15;0' }, tty, tty).light, false);
  assert.equal(detectTerminal({}, tty, tty).light, false);
});
