/** The screen is there before the slowest source is, and says what it waits for. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { netdash } from '../e2e/netdash.ts';
import { SlowTerminal } from '../terminal/slow-terminal.ts';

for (const target of [[], ['web']]) {
  const what = target.length === 0 ? 'the dashboard' : 'the page of a container';
  test(`a socket that accepts and never answers does not keep ${what} from the screen`, async t => {
    const folder = await mkdtemp(join(tmpdir(), 'netdash-silent-'));
    const server = createServer(() => undefined);
    await new Promise<void>(resolve => server.listen(join(folder, 'docker.sock'), resolve));
    const terminal = new SlowTerminal(netdash('-H', `unix://${join(folder, 'docker.sock')}`, ...target), {
      columns: 200,
      rows: 30,
    });
    t.after(async () => {
      await terminal.close();
      server.close();
      await rm(folder, { recursive: true });
    });
    await terminal.shows(/docker: (?:reading…|waiting \d+ s)/);
    await terminal.shows(/kernel ✓/);
    await terminal.shows(/docker: waiting [1-9]\d* s/);
    assert.match(terminal.text(), /Containers \?/, 'how many there are is not known');
    assert.doesNotMatch(terminal.text(), /no Docker|no findings|No container/);
    terminal.type('q');
    await terminal.until('ended', () => terminal.ended !== undefined);
    assert.equal(terminal.ended, 'exit 0');
  });
}
