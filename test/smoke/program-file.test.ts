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
import { setFlagsFromString } from 'node:v8';
import { Script } from 'node:vm';
import { cacheFile, cacheHead, flags, packed, partsOf, unpacked, type Program } from '../../scripts/program-file.mjs';
import { bundle } from '../e2e/netdash.ts';

const id = '0123456789abcdef';
const moduleOf = (code: string): string => `function(require,module,exports,__filename){${code}\n}`;
/** Of two parts: the second one is loaded by the first. */
const programOf = (code: string): Program => ({
  main: './main.js',
  parts: partsOf(
    new Map([
      ['./main.js', moduleOf(`require('./other.js').say()`)],
      ['./other.js', moduleOf(`exports.say=()=>{${code}}`)],
    ]),
    [['./main.js']],
  ),
});
const program = (word: string): Program => programOf(`require('node:fs').writeSync(1,'${word} */ '+/a*/.test('a'))`);
type Factory = (require: () => unknown, module: object, exports: { say?: () => void }) => void;
/** What V8 makes of a program that has run; it tells two programs apart by their length alone. */
const made = ({ parts }: Program): Buffer[] => {
  for (const flag of flags) setFlagsFromString(flag);
  return parts.map(({ text }) => {
    const script = new Script(text);
    for (const factory of Object.values(script.runInThisContext() as Record<string, Factory>)) {
      const exports: { say?: () => void } = {};
      factory(() => ({ say: () => undefined, writeSync: () => undefined }), {}, exports);
      exports.say?.();
    }
    return script.createCachedData();
  });
};

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
  assert.throws(() => packed(programOf('*\u0001/'), id));
});

test('each module is in one part, in the first group that names it, and what no group names is in the last', () => {
  const modules = new Map(['a', 'b', 'c'].map(name => [name, moduleOf(name)]));
  const names = (groups: string[][]): string[][] => partsOf(modules, groups).map(part => part.names);
  assert.deepEqual(names([['b'], ['b', 'c']]), [['b'], ['c'], ['a']]);
  assert.deepEqual(names([['c', 'b', 'a']]), [['c', 'b', 'a']]);
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
  const head = cacheHead(id).length;
  const { at: first, length } = (
    JSON.parse(whole.toString('latin1', head, whole.indexOf('\n', head))) as { at: number; length: number }[]
  )[1]!;
  for (const at of [head + 8, first, first + 8, first + 40, first + (length >> 1), first + length - 1]) {
    const damaged = Buffer.from(whole);
    damaged[at]! ^= 0xff;
    writeFileSync(cache, damaged);
    assert.equal(run(), 'right */ true', String(at));
  }
  writeFileSync(cache, Buffer.concat([whole.subarray(0, first + length - 200), Buffer.alloc(200)]));
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
  const index = JSON.parse(bytes.toString('latin1', head.length, bytes.indexOf('\n', head.length))) as {
    at: number;
    length: number;
  }[];
  const datas = index.map(({ at, length }) => bytes.subarray(at, at + length));
  assert.deepEqual(cacheFile(name, datas), bytes);
  for (const flag of flags) setFlagsFromString(flag);
  text.parts.forEach((part, at) => {
    assert.equal(new Script(part.text, { cachedData: datas[at] }).cachedDataRejected, false, `part ${at}`);
  });
});

test('the bundle alone, copied elsewhere, is the whole program', () => {
  copyFileSync(bundle, file);
  assert.match(run('--version'), /^netdash \d+\./);
});

test('run by itself it is started with what memory needs, its arguments as they are', () => {
  const words = 'JSON.stringify([process.argv.slice(2),process.env.MALLOC_MMAP_THRESHOLD_])';
  writeFileSync(file, packed(programOf(`require('node:fs').writeSync(1,${words})`), id));
  chmodSync(file, 0o755);
  const start = (env: Record<string, string>): unknown => {
    const PATH = `${dirname(process.execPath)}:/usr/bin:/bin`;
    return JSON.parse(execFileSync(file, ['a b', '$HOME', '"', ''], { encoding: 'utf8', env: { PATH, ...env } }));
  };
  assert.deepEqual(start({}), [['a b', '$HOME', '"', ''], '131072']);
  assert.deepEqual(start({ MALLOC_MMAP_THRESHOLD_: '65536' }), [['a b', '$HOME', '"', ''], '65536']);
});
