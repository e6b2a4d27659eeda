/** The dashboard on a host of hostile names: every pane, every tab, what is copied, and every byte that reaches the terminal. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { replayHost } from '../../source/host/recording/replay-host.ts';
import { startLive } from '../../source/live/start-live.ts';
import { renderDashboard } from '../../source/ui/dashboard.tsx';
import { VirtualTerminal } from '../ui/virtual-terminal.ts';
import { demo } from './demo.ts';
import { hostileRecording } from './hostile-recording.ts';
import { assertPlain, sequencesOf } from './judge.ts';
import { payloads } from './payloads.ts';

process.env['FORCE_COLOR'] = '2';

/** All that netdash may send: colours, positions, erasing, its own screen, the cursor, pasting, frames whole, the clipboard, and whether it was all read. */
const allowed = new Set([
  ...['m', 'A', 'B', 'C', 'D', 'E', 'G', 'H', 'J', 'K', 'n', 'X'].map(final => `CSI ${final}`),
  ...['7', '25', '1049', '2004', '2026'].flatMap(mode => [`CSI ?${mode}h`, `CSI ?${mode}l`]),
  'OSC 52',
  JSON.stringify('\r'),
  JSON.stringify('\n'),
]);

function assertWhole(terminal: VirtualTerminal, rows: number, where: string): void {
  const lines = terminal.lines();
  assert.equal(lines.length, rows, where);
  assert.match(lines[0]!, /RECORDING|Docker/, `${where}: the header is on the first line:\n${terminal.text()}`);
  assert.match(
    lines.at(-1)!,
    /quit|Esc|copied|read|clipboard|copy/,
    `${where}: the footer is on the last line:\n${terminal.text()}`,
  );
  assertPlain(terminal.text(), where);
}

for (const [title, payload] of Object.entries(payloads)) {
  const isAll = title === 'everything';
  const panes = isAll ? ['1', '2', '3', '4', '5', '6', 'f'] : ['1', '5', 'f'];
  const tabs = isAll ? ['1', '2', '3', '4', '5', '6', '7', '8'] : ['1', '4', '8'];
  for (const [columns, rows] of isAll
    ? ([
        [200, 50],
        [80, 24],
      ] as const)
    : ([[160, 45]] as const)) {
    test(`${title}, ${columns}x${rows}`, async () => {
      const live = await startLive(replayHost(hostileRecording(demo(), payload)));
      const terminal = new VirtualTerminal(columns, rows);
      const env = { TERM: 'xterm-256color', LANG: 'C.UTF-8' };
      const done = renderDashboard({
        live,
        title: `${payload}~title`,
        terminal: { stdin: terminal.stdin, stdout: terminal.stdout, env },
      });
      try {
        await terminal.until(/quit/);
        await terminal.until(/running/);
        const press = async (keys: string) => {
          await terminal.type(keys);
          assertWhole(terminal, rows, JSON.stringify(keys));
        };
        for (const pane of panes) for (const keys of [pane, 'c', '\r', 'c', '\u{1B}']) await press(keys);
        await press('1');
        await press('\r');
        for (const tab of tabs) for (const keys of [tab, 'G', 'c']) await press(keys);
        await press('\u{1B}');
        await press('/');
        await terminal.type(`\u{1B}[200~${payload.replaceAll('\u{1B}', '')}\u{1B}[201~`);
        assertPlain(terminal.text(), 'a filter that was pasted');
      } finally {
        await terminal.type('\u{3}');
        await done;
        await live.stop();
      }
      const { shapes, text, clipboard } = sequencesOf(terminal.written);
      assert.deepEqual(
        [...shapes].filter(shape => !allowed.has(shape)),
        [],
      );
      assertPlain(text.replaceAll('\n', ' '), 'what was written');
      assert.ok(clipboard.length > 4, `only ${clipboard.length} things were copied`);
      for (const copied of clipboard) {
        assertPlain(copied, 'the clipboard');
        assert.ok(!copied.endsWith('\n'), 'a shell would run what is pasted');
      }
      assert.equal(terminal.isAlternate, false);
      terminal.dispose();
    });
  }
}
