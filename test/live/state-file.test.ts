import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { StateFile, stateFolder, type StateFormat } from '../../source/live/state-file.ts';

const numbers: StateFormat<number[]> = {
  parse: json => {
    if (!Array.isArray(json)) throw new Error('it is damaged');
    return json.map(Number);
  },
  merge: (own, other) => [...new Set([...own, ...other])].sort((a, b) => a - b),
};

function folder(context: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'netdash-state-'));
  context.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

const mode = (path: string): string => (statSync(path).mode & 0o777).toString(8);

test('the folder is as XDG says', () => {
  assert.equal(stateFolder({ XDG_STATE_HOME: '/var/lib/x', HOME: '/home/u' }), '/var/lib/x/netdash');
  assert.equal(stateFolder({ HOME: '/home/u' }), '/home/u/.local/state/netdash');
  // "All paths … must be absolute. If … relative, … consider the path invalid and ignore it."
  assert.equal(stateFolder({ XDG_STATE_HOME: 'here', HOME: '/home/u' }), '/home/u/.local/state/netdash');
  // A HOME that is none is not taken for a folder below the working one.
  const own = join(userInfo().homedir, '.local', 'state', 'netdash');
  for (const env of [{}, { HOME: '' }, { HOME: 'here' }]) assert.equal(stateFolder(env), own);
});

test('a user without a home folder is told so, and nothing is written anywhere', async () => {
  const file = new StateFile('', 'ports.json', numbers);
  await assert.rejects(file.load(), /no home folder is known, set XDG_STATE_HOME/);
  await assert.rejects(file.save([1]), /no home folder is known, set XDG_STATE_HOME/);
  assert.ok(!existsSync('ports.json'));
});

test('what is saved is loaded; the folder is 0700, the file 0600, and nothing else is left', async context => {
  const base = folder(context);
  const file = new StateFile(join(base, 'a', 'netdash'), 'ports.json', numbers);
  assert.equal(await file.load(), undefined);
  await file.save([2, 1]);
  assert.deepEqual(await file.load(), [2, 1]);
  assert.equal(mode(join(base, 'a', 'netdash')), '700');
  assert.equal(mode(file.path), '600');
  assert.deepEqual(readdirSync(join(base, 'a', 'netdash')), ['ports.json']);
});

test('two that write side by side lose nothing', async context => {
  const base = folder(context);
  const module = new URL('../../source/live/state-file.ts', import.meta.url).href;
  const program = `
    import { StateFile } from ${JSON.stringify(module)};
    const format = { parse: json => json, merge: (own, other) => [...new Set([...own, ...other])] };
    const first = Number(process.argv[1]);
    const file = new StateFile(${JSON.stringify(join(base, 'netdash'))}, 'ports.json', format);
    // On a slow machine one may wait for the others longer than netdash waits at a time: what is not written is tried again.
    const save = value => file.save(value).catch(error => {
      if (!/for too long/.test(error.message)) throw error;
      return save(value);
    });
    for (let n = 0; n < 25; n += 1) await save([first + n]);
  `;
  const writers = [0, 100, 200].map(first =>
    spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', program, String(first)], {
      stdio: ['ignore', 'ignore', 'inherit'],
    }),
  );
  for (const [code] of await Promise.all(writers.map(writer => once(writer, 'close')))) assert.equal(code, 0);
  const saved = await new StateFile(join(base, 'netdash'), 'ports.json', numbers).load();
  assert.equal(saved?.length, 75);
});

test('a lock that a dead one left is broken, a fresh one is not', async context => {
  const base = folder(context);
  const file = new StateFile(base, 'ports.json', numbers);
  const lock = `${file.path}.lock`;
  writeFileSync(lock, '');
  await assert.rejects(file.save([1]), /another netdash has held/);
  assert.ok(existsSync(lock));
  const longAgo = Date.now() / 1000 - 60;
  utimesSync(lock, longAgo, longAgo);
  await file.save([1]);
  assert.deepEqual(readdirSync(base), ['ports.json']);
});

test('what is damaged, planted or no file is told in one line and never followed', async context => {
  const base = folder(context);
  const file = new StateFile(base, 'ports.json', numbers);
  writeFileSync(file.path, '{"cut off');
  await assert.rejects(file.load(), /^Error: \S+ is ignored: it is damaged$/);
  await file.save([7]);
  assert.deepEqual(await file.load(), [7]);

  const victim = join(base, 'victim');
  writeFileSync(victim, '[1]');
  const linked = new StateFile(base, 'linked.json', numbers);
  symlinkSync(victim, linked.path);
  await assert.rejects(linked.load(), /is a symbolic link/);
  await linked.save([9]);
  assert.equal(readFileSync(victim, 'utf8'), '[1]');
  assert.deepEqual(await linked.load(), [9]);

  const planted = join(base, 'planted');
  symlinkSync(base, planted);
  await assert.rejects(new StateFile(planted, 'ports.json', numbers).save([1]), /symbolic link/);

  mkdirSync(join(base, 'dir.json'));
  await assert.rejects(new StateFile(base, 'dir.json', numbers).load(), /it is no file|cannot be read/);
  await assert.rejects(new StateFile(join(victim, 'netdash'), 'ports.json', numbers).save([1]), /cannot be written/);
});

test(
  'what root makes in the home of another belongs to that other',
  { skip: process.getuid?.() === 0 ? false : 'needs root' },
  async context => {
    const home = folder(context);
    chownSync(home, 1234, 2345);
    const file = new StateFile(join(home, '.local', 'state', 'netdash'), 'ports.json', numbers);
    await file.save([1]);
    for (const path of [join(home, '.local'), join(home, '.local', 'state', 'netdash'), file.path]) {
      const { uid, gid } = statSync(path);
      assert.deepEqual([uid, gid], [1234, 2345], path);
    }
  },
);
