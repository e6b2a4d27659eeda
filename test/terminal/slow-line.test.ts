/** The dashboard on a line that is slow, far away or stuck. */
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import type { LogLine } from '../../source/host/debug-log.ts';
import { netdash } from '../e2e/netdash.ts';
import { SlowTerminal, type SlowTerminalOptions } from './slow-terminal.ts';

/** 9,600 baud, with a start and a stop bit to each byte. */
const modem = 960;

async function start(t: TestContext, args: string[], options: Partial<SlowTerminalOptions> = {}) {
  const folder = await mkdtemp(join(tmpdir(), 'netdash-slow-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const log = join(folder, 'log');
  const terminal = new SlowTerminal(netdash('--demo', '--debug-log', log, ...args), {
    columns: 120,
    rows: 30,
    ...options,
  });
  t.after(() => terminal.close());
  await terminal.shows(/1 Containers/);
  await terminal.shows(/docker ✓/);
  const readings = async (): Promise<number> =>
    (await readFile(log, 'utf8'))
      .trimEnd()
      .split('\n')
      .map(line => JSON.parse(line) as LogLine)
      .filter(({ ask, state }) => ask === undefined && state !== undefined).length;
  return { terminal, readings };
}

/** Frames among what was written: each is bracketed for terminals that show it at once (DEC 2026). */
const framesIn = (text: string): number => text.split('\u{1B}[?2026h').length - 1;

/** Waits until the program has read so many sources more: it runs, whatever its terminal does. */
async function untilRead(readings: () => Promise<number>, more: number): Promise<void> {
  const wanted = (await readings()) + more;
  const deadline = performance.now() + 60_000;
  while ((await readings()) < wanted) {
    assert.ok(performance.now() < deadline, 'the host is not read any more');
    await new Promise(resolve => setTimeout(resolve, 50));
  }
}

for (const answers of [true, false]) {
  const kind = answers ? 'a terminal that answers' : 'one that does not';
  test(`while the line is stuck the host is read, keys count, and frames are not queued: ${kind}`, async t => {
    const { terminal, readings } = await start(t, [], { answers });
    await untilRead(readings, 3);
    terminal.pace(0);
    const before = terminal.written.length;
    const keys = 60;
    for (let i = 0; i < keys; i += 1) {
      // Each shows another pane, most of which is new to the screen.
      terminal.type(String((i % 6) + 1));
      await new Promise(resolve => setTimeout(resolve, 20));
    }
    terminal.type('?');
    await untilRead(readings, 5);
    terminal.pace(-1);
    await terminal.shows(/these keys|Keys|Help/);
    const frames = framesIn(terminal.written.slice(before));
    assert.ok(frames <= (answers ? 4 : 20), `${frames} frames for ${keys} keys`);
    terminal.type('q');
    await terminal.until('ended', () => terminal.ended !== undefined);
    assert.equal(terminal.ended, 'exit 0');
  });
}

test('at 9,600 baud a key shows with the next frame, and quitting restores the terminal', async t => {
  const { terminal } = await start(t, []);
  terminal.pace(modem);
  const before = terminal.written.length;
  const keys = 40;
  for (let i = 0; i < keys; i += 1) {
    terminal.type('j');
    await new Promise(resolve => setTimeout(resolve, 25));
  }
  terminal.type('?');
  await terminal.shows(/these keys|Keys|Help/);
  const frames = framesIn(terminal.written.slice(before));
  assert.ok(frames < keys / 2, `${frames} frames for ${keys} keys`);
  terminal.type('q');
  await terminal.until('ended', () => terminal.ended !== undefined);
  assert.equal(terminal.ended, 'exit 0');
  await terminal.until('back on the shell’s screen', () => !terminal.isAlternate);
  assert.match(terminal.written, /\u{1B}\[\?1049l[^n]*$/u, 'no question, whose answer the shell would get, comes last');
});

test('200 ms away, what was typed last is on screen, and no frame is sent before the last has arrived', async t => {
  const { terminal } = await start(t, [], { delayMs: 100 });
  const before = terminal.written.length;
  const keys = 30;
  for (let i = 0; i < keys; i += 1) {
    terminal.type(i % 2 === 0 ? 'j' : 'k');
    await new Promise(resolve => setTimeout(resolve, 20));
  }
  terminal.type('?');
  await terminal.shows(/these keys|Keys|Help/);
  const frames = framesIn(terminal.written.slice(before));
  assert.ok(frames < keys / 2, `${frames} frames for ${keys} keys`);
});

test('on a line that takes nothing any more, quitting and SIGTERM end the program all the same', async t => {
  for (const end of ['q', 'SIGTERM'] as const) {
    const { terminal, readings } = await start(t, []);
    await untilRead(readings, 3);
    terminal.pace(0);
    for (const key of '123456') terminal.type(key);
    await untilRead(readings, 2);
    if (end === 'q') terminal.type('q');
    else process.kill(terminal.pid, end);
    await terminal.until('ended', () => terminal.ended !== undefined);
    assert.equal(terminal.ended, end === 'q' ? 'exit 0' : 'exit 143');
  }
});
