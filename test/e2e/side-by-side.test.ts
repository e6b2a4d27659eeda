/** Two dashboards on one host, as two operators have them: both right, one state file, and the end of one is not the other's. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { PortChange } from '../../source/facts/schema.ts';
import { labTest } from '../lab/for-tests.ts';
import { changes, text, told, type Told } from '../live/told-changes.ts';
import { netdash } from './netdash.ts';
import { Terminal } from './terminal.ts';

/** `0.0.0.0 32768, :: 32768` as the Events pane has it: `32768`, or each side where they differ. */
function sidesOnScreen(sides: string): string {
  const list = sides.split(', ').map(side => side.split(' ') as [string, string]);
  if (new Set(list.map(([, port]) => port)).size === 1) return list[0]![1];
  return list.map(([ip, port]) => `${ip.includes(':') ? `[${ip}]` : ip}:${port}`).join(' ');
}

const onScreen = ({ name, port, from, to }: Told): string =>
  `${name} ${port}: ${sidesOnScreen(from)} → ${sidesOnScreen(to)}`;

/** The changes that a dashboard shows not once but otherwise. */
const notOnce = (terminal: Terminal, expected: readonly Told[]): string[] => {
  const screen = terminal.text();
  return expected.map(onScreen).filter(line => screen.split(line).length !== 2);
};

labTest('two dashboards side by side tell each change once each, and share one state file', {}, async lab => {
  const folder = join(lab.dir, 'shared-state');
  const files = () => readdirSync(join(folder, 'netdash')).sort();
  const kept = () => {
    const [name = ''] = files().filter(file => file.endsWith('.json'));
    return JSON.parse(readFileSync(join(folder, 'netdash', name), 'utf8')) as { portChanges: PortChange[] };
  };
  for (const name of ['one', 'two']) await lab.run(name, { publish: ['80'] });
  const open = async (): Promise<Terminal> => {
    const terminal = await Terminal.open(lab, netdash(), {
      columns: 160,
      rows: 50,
      env: { XDG_STATE_HOME: folder },
    });
    await terminal.until(/vitals ✓[^]*one +● running/);
    terminal.type('6z/port-changed\r');
    await terminal.until(/f findings|Enter keep/);
    return terminal;
  };
  const [first, second] = [await open(), await open()];
  const expected: Told[] = [];
  const restarts = async (rounds: number): Promise<void> => {
    for (let round = 0; round < rounds; round += 1) {
      for (const name of ['one', 'two']) {
        expected.push(...(await changes(lab, [name], 'restart', () => lab.restart(name))));
      }
    }
  };
  const watching = new AbortController();
  // Whoever reads the file at any time finds it whole.
  const watcher = (async () => {
    let seen = 0;
    for (; !watching.signal.aborted; await sleep(15)) {
      if (statSync(join(folder, 'netdash'), { throwIfNoEntry: false }) === undefined) continue;
      if (!files().some(file => file.endsWith('.json'))) continue;
      kept();
      seen += 1;
    }
    return seen;
  })();
  try {
    await restarts(8);
    assert.equal(expected.length, 16);
    for (const terminal of [first, second]) await terminal.until(() => notOnce(terminal, expected).length === 0);

    // One is killed while it writes: its lock stays behind.
    await second.signal('SIGKILL');
    const [name = ''] = files().filter(file => file.endsWith('.json'));
    const lock = `${name}.lock`;
    writeFileSync(join(folder, 'netdash', lock), '');
    await restarts(3);
    await first.until(() => notOnce(first, expected).length === 0);
    const deadline = performance.now() + 60_000;
    while (files().includes(lock) || kept().portChanges.length < expected.length) {
      assert.ok(performance.now() < deadline, `never written again: ${files().join(' ')}`);
      await sleep(50);
    }
    await first.untilGone(/state !/);
    assert.deepEqual(notOnce(first, expected), []);
    watching.abort();
    assert.ok((await watcher) > 50);
    await first.quit();
    // The one that was killed leaves at most what it was writing beside the file.
    assert.deepEqual(
      files().filter(file => !file.endsWith('.tmp')),
      [name],
    );
    const events = kept().portChanges.map(portChange => ({
      at: '',
      type: 'port-changed' as const,
      text: '',
      portChange,
    }));
    assert.deepEqual(text(told({ events })), text(expected));
  } finally {
    watching.abort();
    for (const terminal of [first, second]) await terminal.abandon();
  }
});
