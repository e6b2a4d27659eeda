// Runs the tests with node's own runner; the runner's summary is the last thing printed.
//   node scripts/test.mjs [--versions] [FILE…]   (no FILE: every test/**/*.test.ts(x); --versions: also the newer Docker releases)
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const args = process.argv.slice(2);
const named = args.filter(argument => !argument.startsWith('--'));
const all = readdirSync(join(root, 'test'), { recursive: true, withFileTypes: true })
  .filter(entry => entry.isFile() && /\.test\.tsx?$/.test(entry.name))
  .map(entry => relative(root, join(entry.parentPath, entry.name)))
  .sort();

// Most of the long ones wait for Docker or for time to pass: more of them at once than there are CPUs.
const atOnce = `--test-concurrency=${availableParallelism() + 2}`;

const run = spawnSync(
  process.execPath,
  ['--import', 'tsx', '--test', atOnce, '--test-reporter=spec', ...(named.length > 0 ? named : all)],
  {
    cwd: root,
    stdio: 'inherit',
    env: {
      ...process.env,
      NODE_ENV: 'production',
      ...(args.includes('--versions') ? { LAB_VERSIONS: '20,26,28' } : {}),
    },
  },
);
process.exit(run.status ?? 1);
