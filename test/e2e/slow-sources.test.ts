/** A host whose daemon hangs and whose rules are ten thousand: the rest is on screen meanwhile, and the slow ones fill in. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { labTest } from '../lab/for-tests.ts';
import { netdash } from './netdash.ts';
import { Terminal } from './terminal.ts';

const rules = 10_000;

/** Addresses that an administrator drops, one rule each, in a chain that DOCKER-USER jumps to. */
const manyRules = (): string => {
  const blocked = Array.from({ length: rules }, (_, i) => `-A blocked -s 198.18.${i >> 8}.${i & 255}/32 -j DROP`);
  return ['*filter', ':blocked - [0:0]', '-I DOCKER-USER -j blocked', ...blocked, 'COMMIT', ''].join('\n');
};

labTest('a daemon that hangs and 10,000 rules fill in later, and say so meanwhile', {}, async lab => {
  await lab.run('web', { publish: ['8080:80'] });
  const file = join(lab.dir, 'many-rules');
  await writeFile(file, manyRules());
  const loaded = await lab.inHost(['iptables-restore', '--noflush', file]);
  assert.equal(loaded.code, 0, loaded.stderr);

  await lab.daemon.freeze(true);
  const terminal = await Terminal.open(lab, netdash(), { columns: 200, rows: 50 });
  try {
    await terminal.until(/docker: waiting [1-9]\d* s/);
    // What can be read is there: the port that Docker holds for the container, with its number and who has it open.
    await terminal.until(/sockets ✓[^]*8080/);
    await terminal.until(/netfilter ✓/);
    const meanwhile = terminal.text();
    assert.match(meanwhile, /Containers \?/, 'how many there are is not known');
    assert.doesNotMatch(meanwhile, /no Docker|no findings|No container/);
    // Keys come through while it waits.
    terminal.type('5z');
    await terminal.until(new RegExp(`5 Firewall (?:\\d+/)?1\\d{4}`));

    await lab.daemon.freeze(false);
    terminal.type('z1');
    await terminal.until(/docker ✓[^]*web +● running/);
    assert.ok(await lab.fetchFrom('lan', lab.addresses.host, 8080), 'none of the rules is about this neighbour');
    await terminal.until(/no findings/);
    await terminal.quit();
  } finally {
    await lab.daemon.freeze(false);
    await terminal.abandon();
  }
});
