// Runs the tests with node's own runner; the runner's summary is the last thing printed.
//   node scripts/test.mjs [--versions] [FILE…]   (no FILE: every test/**/*.test.ts(x); --versions: also the newer Docker releases)
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const args = process.argv.slice(2);
const named = args.filter(argument => !argument.startsWith('--'));
const all = readdirSync(join(root, 'test'), { recursive: true, withFileTypes: true })
  .filter(entry => entry.isFile() && /\.test\.tsx?$/.test(entry.name))
  .map(entry => relative(root, join(entry.parentPath, entry.name)))
  .sort();

// Most of the long ones wait for Docker or for time to pass: more of them at once than there are CPUs.
const atOnce = availableParallelism() + 2;

/** What a test must not do, nor anything but the program that it imports, to share a process with others: change it, or wait for programs. */
const needsItsOwn =
  /process\.(?:env\S* = |on\(|exit|chdir)|delete process\.env|globalThis,|\bmock\b|from 'node:child_process'/;
const runsOthers = ['lab', 'e2e', 'oracle', 'soak'].map(folder => join(root, 'test', folder));
const known = new Map();

/** Whether a test file can do without a process of its own, which costs more than half a second. */
function isPure(file) {
  const seen = known.get(file);
  if (seen !== undefined) return seen;
  known.set(file, true);
  const text = readFileSync(file, 'utf8');
  const imports = [...text.matchAll(/^(?:import|export)[^;]*? from '(\.[^']*)'/gms)].map(([, path]) =>
    resolve(dirname(file), path),
  );
  const ofTests = imports.filter(path => !path.startsWith(join(root, 'source')) && existsSync(path));
  const isBusy = runsOthers.some(path => file.startsWith(path));
  const pure = !isBusy && !needsItsOwn.test(text) && ofTests.every(isPure);
  known.set(file, pure);
  return pure;
}

const groupsIn = join(root, 'node_modules', '.cache', 'netdash-tests');

/** Files that import, each, some of the test files. */
function grouped(files) {
  mkdirSync(groupsIn, { recursive: true });
  const groups = [];
  const size = 12;
  for (let from = 0; from < files.length; from += size) {
    const group = join(groupsIn, `group-${groups.length + 1}.mjs`);
    const imports = files.slice(from, from + size).map(file => `import '${pathToFileURL(join(root, file))}';\n`);
    writeFileSync(group, imports.join(''));
    groups.push(group);
  }
  return groups;
}

const isAlone = file => !isPure(join(root, file));
// The longest first, so that none of them is left alone at the end.
const longestFirst = ['test/e2e/churn', 'test/oracle/', 'test/e2e/', 'test/ui/', 'test/live/', 'test/commands/'];
const rank = file => longestFirst.findIndex(path => file.startsWith(path)) + 1 || longestFirst.length + 1;
const inOrder = all.filter(isAlone).sort((a, b) => rank(a) - rank(b));
const files = named.length > 0 ? named : [...inOrder, ...grouped(all.filter(file => !isAlone(file)))];

const run = spawnSync(
  process.execPath,
  ['--import', 'tsx', '--test', `--test-concurrency=${atOnce}`, '--test-reporter=spec', ...files],
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
