// The form of dist/netdash.mjs: a few lines that start, in a comment, the program as one script. So V8 need not compile the program when
// it is given what it made of it before (scripts/warm-up.mjs): `netdash.cache` beside the file. Without that, or with
// another Node, the file runs as well, and starts more slowly.

import { crc32 } from 'node:zlib';

const opening = '\n/*netdash\n';
const closing = '\n*/\n';
// No comment may hold the end of one. The program holds no such control character.
const [comment, inside] = ['*/', '*\u0001/'];

/**
 * Starts the program in the file `path`; its source text is the head of that file, so it names nothing outside of itself.
 * The cache is taken only from a file that nobody can have written but who can write the program too: V8 believes what is in it.
 */
function start(path, id) {
  const { getBuiltinModule: node } = process;
  const { readFileSync, openSync, closeSync, fstatSync, statSync, constants } = node('node:fs');
  const { Script } = node('node:vm');
  const file = readFileSync(path, 'latin1');
  const from = file.indexOf('\n/*netdash\n') + 11;
  const text = file.slice(from, -4).replaceAll('*\u0001/', '*/');
  const readCache = () => {
    let handle;
    try {
      handle = openSync(
        path.replace(/(\.mjs)?$/, '.cache'),
        constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK,
      );
      const [program, cache] = [statSync(path), fstatSync(handle)];
      const isOpen = (cache.mode & ~program.mode & 0o022) !== 0;
      if (!cache.isFile() || cache.uid !== program.uid || isOpen) return undefined;
      const bytes = readFileSync(handle);
      const head = `${id} ${process.version} ${process.arch}\n`;
      if (bytes.latin1Slice(0, head.length) !== head) return undefined;
      // V8 does not check what it is given, and dies of a byte that a disk or an interrupted copy has changed.
      const data = bytes.subarray(head.length + 9);
      const sum = node('node:zlib').crc32(data).toString(16).padStart(8, '0');
      return data.length > 0 && bytes.latin1Slice(head.length, head.length + 9) === `${sum}\n` ? data : undefined;
    } catch {
      return undefined;
    } finally {
      if (handle !== undefined) closeSync(handle);
    }
  };
  const cachedData = readCache();
  const script = new Script(text, { filename: path, ...(cachedData && { cachedData }) });
  const require = name => {
    const found = node(name);
    if (found === undefined) throw Object.assign(new Error(`no module ${name}`), { code: 'MODULE_NOT_FOUND' });
    return found;
  };
  script.runInThisContext()(require, { exports: {} }, {}, path);
}

/** What esbuild is to put around a program in CommonJS. */
export const around = { banner: '(function(require,module,exports,__filename){', footer: '})' };

/**
 * The shell starts Node, for a setting that a process cannot make for itself: without it glibc raises the size from which on
 * it takes memory from the kernel by the piece (mallopt(3)), and then keeps much of what it was given back, a tenth of all that
 * netdash takes at 200 containers. To Node the line is a text and a comment.
 */
const launcher = [
  '#!/bin/sh',
  `':' //; export MALLOC_MMAP_THRESHOLD_="\${MALLOC_MMAP_THRESHOLD_:-131072}"; exec node "$0" "$@"`,
].join('\n');

/** The file's text of a program in ASCII that is wrapped in `around`; `id` names the program and is the same for no other one. */
export function packed(program, id) {
  if (program.includes(inside)) throw new Error('the program holds what stands for the end of a comment');
  const head = `${launcher}\n;(${start.toString()})(import.meta.filename,${JSON.stringify(id)});`;
  return `${head}${opening}${program.trimEnd().replaceAll(comment, inside)}${closing}`;
}

/** The program in such a file's text, and its id. */
export function unpacked(file) {
  const id = /import\.meta\.filename,"(\w+)"/.exec(file)?.[1];
  const program = file.slice(file.indexOf(opening) + opening.length, -closing.length).replaceAll(inside, comment);
  return { program, id };
}

/** What the cache begins with. */
export const cacheHead = id => `${id} ${process.version} ${process.arch}\n`;

/** The whole of it: the head, the checksum of V8's data in a line of its own, the data. */
export const cacheFile = (id, data) =>
  Buffer.concat([Buffer.from(`${cacheHead(id)}${crc32(data).toString(16).padStart(8, '0')}\n`, 'latin1'), data]);
