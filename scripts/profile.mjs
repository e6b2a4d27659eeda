// `npm run profile`: the program, built with names that can be read, under Node's profiler. `--heap` profiles allocations instead of CPU time; everything
// else, or all after `--`, goes to netdash.
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const scripts = dirname(fileURLToPath(import.meta.url));
const bundle = join(scripts, '..', 'dist', 'readable.mjs');
execFileSync(process.execPath, [join(scripts, 'build.mjs'), '--readable', '--if-stale'], { stdio: 'inherit' });
const [first, ...rest] = process.argv.slice(2);
const kind = first === '--heap' ? 'heap' : 'cpu';
const given = kind === 'heap' ? rest : process.argv.slice(2);
const args = given[0] === '--' ? given.slice(1) : given;

const folder = mkdtempSync(join(tmpdir(), 'netdash-profile-'));
const child = spawn(process.execPath, [`--${kind}-prof`, `--${kind}-prof-dir=${folder}`, bundle, ...args], {
  stdio: 'inherit',
});
// What ends netdash is for netdash to deal with; it writes the profile as it exits.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
child.on('error', error => {
  process.stderr.write(`profile: ${error.message}\n`);
  process.exitCode = 1;
});
child.on('close', (code, signal) => {
  const files = readdirSync(folder).map(name => join(folder, name));
  if (files.length === 0) rmdirSync(folder);
  process.stderr.write(`profile: ${files.join('\nprofile: ') || `none: netdash was ended by ${signal ?? code}`}\n`);
  process.exitCode = files.length === 0 ? 1 : (code ?? 1);
});
