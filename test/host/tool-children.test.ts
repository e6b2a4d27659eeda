/** Tools that start others in turn, which hold their pipes and outlive them: netdash must not wait for those. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { HostError } from '../../source/host/host.ts';
import { followTool, runTool } from '../../source/host/tools.ts';

const folder = mkdtempSync(join(tmpdir(), 'netdash-tool-children-'));
const pids = join(folder, 'pids');
const path = process.env['PATH'];

/** A process with the pipes of whoever starts it, whose PID is written down before it says that it is there. */
const sleeper = `sh -c 'echo $$ >>${pids}; echo begun; exec sleep 600'`;

/** A tool of this test's own, found before any that the machine has. */
function tool(name: string, script: string): void {
  const file = join(folder, name);
  writeFileSync(file, `#!/bin/sh\n${script}\n`);
  chmodSync(file, 0o755);
}

/** The sleepers that live, which are there to be waited for in error. */
const alive = (): number[] =>
  (existsSync(pids) ? readFileSync(pids, 'utf8').trim().split('\n') : [])
    .map(Number)
    .filter(pid => existsSync(`/proc/${pid}`));

before(() => {
  process.env['PATH'] = `${folder}:${path}`;
});
afterEach(() => {
  for (const pid of alive()) process.kill(pid, 'SIGKILL');
  rmSync(pids, { force: true });
});
after(() => {
  process.env['PATH'] = path;
  rmSync(folder, { recursive: true });
});

test('a run ends with its time, not with what the tool has started', async () => {
  tool('nft', `${sleeper}; true`);
  await assert.rejects(runTool('nft', [], { timeoutMs: 4000 }), (error: unknown) => {
    assert.ok(error instanceof HostError);
    assert.equal(error.message, 'nft did not end within 4 s');
    return true;
  });
  assert.equal(alive().length, 1);
});

test('a tool that has ended and left a process behind has said what it had to say', async () => {
  tool('nft', `${sleeper} & while [ ! -e ${pids} ]; do :; done; echo done; exit 3`);
  const { code, stdout } = await runTool('nft', [], { timeoutMs: 4000 });
  assert.equal(code, 3);
  assert.match(stdout, /^done$/m);
  assert.equal(alive().length, 1);
});

test('what is followed has ended once it is stopped', async () => {
  tool('ip', `${sleeper}; true`);
  const ended = await new Promise<HostError | undefined>(resolve => {
    const subscription = followTool('ip', ['monitor'], () => {
      subscription.stop();
      void subscription.ended.then(resolve);
    });
  });
  assert.equal(ended, undefined);
  assert.equal(alive().length, 1);
});

test('what is followed has ended when it ends by itself', async () => {
  tool('ip', `${sleeper} & while [ ! -e ${pids} ]; do :; done; echo oops >&2; exit 3`);
  const ended = await followTool('ip', ['monitor'], () => undefined).ended;
  assert.equal(ended?.message, 'ip monitor ended with status 3: oops');
  assert.equal(alive().length, 1);
});

test('nothing of it keeps Node alive', () => {
  tool('ip', `${sleeper}; true`);
  tool('nft', `${sleeper}; true`);
  const tools = new URL('../../source/host/tools.ts', import.meta.url).href;
  const program = `
    const { followTool, runTool } = await import(${JSON.stringify(tools)});
    await runTool('nft', [], { timeoutMs: 4000 }).catch(error => console.log(error.code));
    const followed = followTool('ip', [], () => followed.stop());
    await followed.ended;
    console.log('stopped');`;
  const { status, signal, stdout } = spawnSync(
    process.execPath,
    ['--import', 'tsx', '--input-type=module', '-e', program],
    { cwd: fileURLToPath(new URL('../..', import.meta.url)), encoding: 'utf8', timeout: 120_000 },
  );
  assert.deepEqual({ status, signal, stdout }, { status: 0, signal: null, stdout: 'timeout\nstopped\n' });
  assert.equal(alive().length, 2);
});
