// The form of dist/netdash.mjs: a few lines that start, in a comment, the program, in parts of which each is one script. So V8 need not compile a part when
// it is given what it made of it before (scripts/warm-up.mjs): `netdash.cache` beside the file. Without that, or with
// another Node, the file runs as well, and starts more slowly.

import { crc32 } from 'node:zlib';

const opening = '\n/*netdash\n';
const closing = '\n*/\n';
// No comment may hold the end of one. The program holds no such control character.
const [comment, inside] = ['*/', '*\u0001/'];

/**
 * Starts the program in the file `path`; its source text is the head of that file, so it names nothing outside of itself.
 * A part is compiled when the first of its modules is asked for.
 * The cache is taken only from a file that nobody can have written but who can write the program too: V8 believes what is in it.
 */
function start(path, id, settings, main, parts) {
  const { getBuiltinModule: node } = process;
  if (!node) {
    process.stderr.write(`netdash: needs Node 20.19 or later, or 22.3 or later; this is Node ${process.version}\n`);
    process.exit(4);
  }
  const { setFlagsFromString } = node('node:v8');
  const { readFileSync, openSync, closeSync, fstatSync, readSync, statSync, constants } = node('node:fs');
  const { Script } = node('node:vm');
  const file = readFileSync(path, 'latin1');
  const readCache = part => {
    let handle;
    try {
      handle = openSync(
        path.replace(/(\.mjs)?$/, '.cache'),
        constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK,
      );
      const [program, cache] = [statSync(path), fstatSync(handle)];
      const isOpen = (cache.mode & ~program.mode & 0o022) !== 0;
      if (!cache.isFile() || cache.uid !== program.uid || isOpen) return undefined;
      const head = Buffer.alloc(1024);
      const [said, index] = head.latin1Slice(0, readSync(handle, head, 0, 1024, 0)).split('\n');
      if (said !== `${id} ${process.version} ${process.arch}`) return undefined;
      const { at, length, sum } = JSON.parse(index)[part];
      if (!(length > 0 && at + length <= cache.size)) return undefined;
      const data = Buffer.allocUnsafeSlow(length);
      if (readSync(handle, data, 0, length, at) !== length) return undefined;
      // V8 does not check what it is given, and dies of a byte that a disk or an interrupted copy has changed.
      return node('node:zlib').crc32(data) === sum ? data : undefined;
    } catch {
      return undefined;
    } finally {
      if (handle !== undefined) closeSync(handle);
    }
  };
  let from = file.indexOf('\n/*netdash\n') + 11;
  const places = parts.map(({ length }) => (from += length) - length);
  const compile = part => {
    const text = file.slice(places[part], places[part] + parts[part].length).replaceAll('*\u0001/', '*/');
    const cachedData = readCache(part);
    return new Script(text, { filename: path, ...(cachedData && { cachedData }) }).runInThisContext();
  };
  const byRelease = settings[process.versions.v8.split('.', 1)[0]] ?? [];
  for (const setting of [...settings.all, ...byRelease]) setFlagsFromString(setting);
  const compiled = [];
  const modules = {};
  const require = name => {
    if (Object.hasOwn(modules, name)) return modules[name].exports;
    const part = parts.findIndex(({ names }) => names.includes(name));
    if (part < 0) {
      const found = node(name);
      if (found === undefined) throw Object.assign(new Error(`no module ${name}`), { code: 'MODULE_NOT_FOUND' });
      return found;
    }
    const module = (modules[name] = { exports: {} });
    (compiled[part] ??= compile(part))[name](require, module, module.exports, path);
    return module.exports;
  };
  require(main);
}

/**
 * What V8 is told before anything is compiled, also when the cache is made: every release, and those of one major version, since V8 complains of
 * a setting that it does not know. The reasons for the first two are in source/commands/small-heap.ts.
 *
 * The others have a function optimized only after many times as much of it has run as V8 waits for by default. Without that, other
 * threads compile for as long as the program runs, since what runs once in seconds is found worth it at last: with 200 containers that was a
 * third of all CPU time, in a steady minute (0.38 of 1.14 s) as under churn (15 of 43 s).
 */
const settings = {
  all: ['--heap-growing-percent=25', '--no-parallel-scavenge'],
  11: ['--interrupt-budget=1000000'],
};

/** The settings of this release of V8. */
export const flags = [...settings.all, ...(settings[process.versions.v8.split('.', 1)[0]] ?? [])];

/**
 * The shell starts Node, for a setting that a process cannot make for itself: without it glibc raises the size from which on
 * it takes memory from the kernel by the piece (mallopt(3)), and then keeps much of what it was given back, a tenth of all that
 * netdash takes at 200 containers. To Node the line is a text and a comment.
 */
const launcher = [
  '#!/bin/sh',
  `':' //; export MALLOC_MMAP_THRESHOLD_="\${MALLOC_MMAP_THRESHOLD_:-131072}"; exec node "$0" "$@"`,
].join('\n');

/**
 * Modules as parts of a program: each part is one script, which gives functions of CommonJS by name.
 * @param modules the text of a function by the module's name, in ASCII
 * @param groups the names of modules that are loaded together, in the order in which they are; what is in none makes the last part
 */
export function partsOf(modules, groups) {
  const left = new Map(modules);
  const take = names => {
    const taken = names.filter(name => left.has(name)).map(name => [name, left.get(name)]);
    for (const [name] of taken) left.delete(name);
    const text = taken.map(([name, code]) => `${JSON.stringify(name)}:${code}`).join(',\n');
    return { names: taken.map(([name]) => name), text: `({${text}})\n` };
  };
  return [...groups.map(take), take([...left.keys()])].filter(({ names }) => names.length > 0);
}

/** The file's text of a program, `{ main, parts }`; `id` names the program and is the same for no other one. */
export function packed({ main, parts }, id) {
  if (parts.some(({ text }) => text.includes(inside)))
    throw new Error('the program holds what stands for the end of a comment');
  const texts = parts.map(({ text }) => text.replaceAll(comment, inside));
  const table = parts.map(({ names }, index) => ({ names, length: texts[index].length }));
  const given = [id, settings, main, table].map(each => JSON.stringify(each)).join(',');
  return `${launcher}\n;(${start.toString()})(import.meta.filename,${given});${opening}${texts.join('')}${closing}`;
}

/** The program in such a file's text, and its id. */
export function unpacked(file) {
  const [, given] = /\(import\.meta\.filename,(".+)\);\n\/\*netdash\n/.exec(file) ?? [];
  const [id, , main, table] = JSON.parse(`[${given}]`);
  let from = file.indexOf(opening) + opening.length;
  const parts = table.map(({ names, length }) => {
    from += length;
    return { names, text: file.slice(from - length, from).replaceAll(inside, comment) };
  });
  return { program: { main, parts }, id };
}

/** What the cache begins with. */
export const cacheHead = id => `${id} ${process.version} ${process.arch}\n`;

/** The head and the index have this much room. */
const headBytes = 1024;
/** V8 takes data from where a multiple of this is; elsewhere it copies it. */
const alignment = 16;

/** The whole of it: the head, in a line of JSON where the data of each part is and its checksum, the data. */
export function cacheFile(id, datas) {
  let at = headBytes;
  const index = datas.map(data => {
    const place = { at, length: data.length, sum: crc32(data) };
    at += Math.ceil(data.length / alignment) * alignment;
    return place;
  });
  const head = `${cacheHead(id)}${JSON.stringify(index)}\n`;
  if (head.length > headBytes) throw new Error('too many parts');
  const whole = Buffer.alloc(at, '\n');
  whole.write(head, 'latin1');
  datas.forEach((data, part) => data.copy(whole, index[part].at));
  return whole;
}
