/** The form of the bundle: it runs with what V8 made of it at the build, and without; and believes no such file that another may have written. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  copyFileSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { Script } from 'node:vm';
import { cacheFile, cacheHead, packed, unpacked } from '../../scripts/program-file.mjs';
import { bundle } from '../e2e/netdash.ts';

const id = '0123456789abcdef';
const program = (word: string): string =>
  `(function(require){require('node:fs').writeSync(1,'${word} */ '+/a*/.test('a'))\n})`;
/** What V8 makes of a program; it tells two programs apart by their length alone. */
const made = (text: string): Buffer => new Script(text).createCachedData();

let folder: string;
let file: string;
let cache: string;
const run = (...args: string[]): string => execFileSync(process.execPath, [file, ...args], { encoding: 'utf8' });

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'netdash-program-'));
  file = join(folder, 'some.mjs');
  cache = join(folder, 'some.cache');
  writeFileSync(file, packed(program('right'), id));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** A cache of another program, which shows whether it is taken. */
const plant = (head = cacheHead(id)): void => {
  const whole = cacheFile(id, made(program('other')));
  writeFileSync(cache, Buffer.concat([Buffer.from(head), whole.subarray(cacheHead(id).length)]), { mode: 0o644 });
};

test('a program is packed and unpacked as it is', () => {
  assert.deepEqual(unpacked(readFileSync(file, 'utf8')), { program: program('right'), id });
  assert.throws(() => packed('(function(){*\u0001/})', id));
});

test('runs without a cache, and with one that is empty, cut off or of nothing', () => {
  assert.equal(run(), 'right */ true');
  const whole = cacheFile(id, made(program('right')));
  for (const bytes of ['', 'x', cacheHead(id), `${cacheHead(id)}nothing`, whole.subarray(0, whole.length / 2), whole]) {
    writeFileSync(cache, bytes);
    assert.equal(run(), 'right */ true');
  }
});

test('a cache in which a byte has changed is none: V8 would die of it', () => {
  plant();
  const whole = readFileSync(cache);
  const first = cacheHead(id).length;
  for (const at of [first, first + 8, first + 9, first + 40, (first + whole.length) >> 1, whole.length - 1]) {
    const damaged = Buffer.from(whole);
    damaged[at]! ^= 0xff;
    writeFileSync(cache, damaged);
    assert.equal(run(), 'right */ true', String(at));
  }
  writeFileSync(cache, Buffer.concat([whole.subarray(0, -200), Buffer.alloc(200)]));
  assert.equal(run(), 'right */ true', 'zeros at the end');
});

test('takes the cache that its builder made, and none of another program or Node', () => {
  plant();
  assert.equal(run(), 'other */ true', 'the cache beside it is taken');
  plant(cacheHead('another'));
  assert.equal(run(), 'right */ true');
  plant(`${id} v0.0.0 ${process.arch}\n`);
  assert.equal(run(), 'right */ true');
});

test('takes no cache that others could have written', () => {
  plant();
  for (const mode of [0o664, 0o646, 0o666]) {
    chmodSync(cache, mode);
    assert.equal(run(), 'right */ true', mode.toString(8));
  }
  chmodSync(cache, 0o644);
  renameSync(cache, `${cache}.there`);
  symlinkSync(`${cache}.there`, cache);
  assert.equal(run(), 'right */ true', 'a link');
});

test(
  'takes no cache of another user',
  { skip: process.getuid?.() === 0 ? false : 'only root can give files away' },
  () => {
    plant();
    chownSync(cache, 65_534, 65_534);
    assert.equal(run(), 'right */ true');
  },
);

test('this Node takes the cache that the build made', () => {
  const { program: text, id: name } = unpacked(readFileSync(bundle, 'latin1'));
  const bytes = readFileSync(bundle.replace(/mjs$/, 'cache'));
  const head = cacheHead(name);
  assert.equal(bytes.subarray(0, head.length).toString('latin1'), head);
  const data = bytes.subarray(head.length + 9);
  assert.deepEqual(cacheFile(name, data), bytes);
  assert.equal(new Script(text, { cachedData: data }).cachedDataRejected, false);
});

test('the bundle alone, copied elsewhere, is the whole program', () => {
  copyFileSync(bundle, file);
  assert.match(run('--version'), /^netdash \d+\./);
});

test('run by itself it is started with what memory needs, its arguments as they are', () => {
  const words = 'JSON.stringify([process.argv.slice(2),process.env.MALLOC_MMAP_THRESHOLD_])';
  writeFileSync(file, packed(`(function(require){require('node:fs').writeSync(1,${words})\n})`, id));
  chmodSync(file, 0o755);
  const start = (env: Record<string, string>): unknown => {
    const PATH = `${dirname(process.execPath)}:/usr/bin:/bin`;
    return JSON.parse(execFileSync(file, ['a b', '$HOME', '"', ''], { encoding: 'utf8', env: { PATH, ...env } }));
  };
  assert.deepEqual(start({}), [['a b', '$HOME', '"', ''], '131072']);
  assert.deepEqual(start({ MALLOC_MMAP_THRESHOLD_: '65536' }), [['a b', '$HOME', '"', ''], '65536']);
});
