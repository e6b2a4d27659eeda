// Runs the program in dist/netdash.mjs for a moment and keeps what V8 has made of it, for the next starts: dist/netdash.cache. Run by
// scripts/build.mjs as a process of its own, with the file as its argument. It shows the demo recording on a terminal that is none, then a
// host of which no tool answers and whose Docker daemon is one of ours with nothing to tell. Nothing is run, and nothing is
// written but the cache.
import childProcess from 'node:child_process';
import { EventEmitter } from 'node:events';
import { createServer } from 'node:http';
import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import v8 from 'node:v8';
import vm from 'node:vm';
import { cacheFile, flags, unpacked } from './program-file.mjs';

const path = process.argv[2];
const cache = path.replace(/\.mjs$/, '.cache');
const { program, id } = unpacked(readFileSync(path, 'latin1'));

// V8 takes a cache only with the flags with which it was made: the program must not set its own. What is not run for a while would be forgotten.
const setFlags = v8.setFlagsFromString;
for (const flag of flags) setFlags(flag);
setFlags('--no-flush-bytecode');
v8.setFlagsFromString = () => undefined;

const folder = mkdtempSync(join(tmpdir(), 'netdash-build-'));
process.env.XDG_STATE_HOME = folder;
process.env.TERM = 'xterm-256color';
process.env.LANG = 'C.UTF-8';

const refuse = () => Object.assign(new Error('not run'), { code: 'EACCES' });
childProcess.execFile = (_file, _args, _options, callback) => {
  queueMicrotask(() => callback(refuse(), '', ''));
  return { stdin: { end: () => undefined }, kill: () => true };
};
childProcess.spawn = () => {
  const child = Object.assign(new EventEmitter(), {
    stdout: new PassThrough(),
    stderr: new PassThrough(),
    kill: () => true,
  });
  queueMicrotask(() => child.emit('error', refuse()));
  return child;
};

const socket = join(folder, 'docker.sock');
const server = createServer((request, response) => {
  const [url] = request.url.replace(/^\/v[\d.]+/, '').split('?');
  response.setHeader('content-type', 'application/json');
  if (url === '/events') response.flushHeaders();
  else response.end(url === '/containers/json' || url === '/networks' ? '[]' : '{}');
});
await new Promise(resolve => server.listen(socket, resolve));

class Screen extends Writable {
  isTTY = true;
  columns = 200;
  rows = 50;
  _write(chunk, _encoding, done) {
    // The terminal is well.
    if (String(chunk).includes('\u001B[5n')) keyboard.write('\u001B[0n');
    done();
  }
  hasColors() {
    return true;
  }
  getColorDepth() {
    return 8;
  }
}
let keyboard;

const scripts = program.parts.map(({ text }) => new vm.Script(text, { filename: path }));
const { exit } = process;
/** The program's modules, anew for each run, and Node's own. */
const loader = () => {
  const modules = new Map();
  const require = name => {
    const part = program.parts.findIndex(({ names }) => names.includes(name));
    if (part < 0) return process.getBuiltinModule(name);
    if (!modules.has(name)) {
      const module = { exports: {} };
      modules.set(name, module);
      scripts[part].runInThisContext()[name](require, module, module.exports, path);
    }
    return modules.get(name).exports;
  };
  return require;
};

/** Runs it with these arguments, types these keys, and waits until it wants to end. */
const run = async (args, keys) => {
  keyboard = Object.assign(new PassThrough(), {
    isTTY: true,
    setRawMode: () => keyboard,
    ref: () => keyboard,
    unref: () => keyboard,
  });
  Object.defineProperty(process, 'stdin', { value: keyboard, configurable: true });
  Object.defineProperty(process, 'stdout', { value: new Screen(), configurable: true });
  process.argv = [process.execPath, path, ...args];
  const ended = new Promise(resolve => {
    process.exit = () => resolve(undefined);
  });
  loader()(program.main);
  for (const key of keys) {
    await sleep(250);
    keyboard.write(key);
  }
  await Promise.race([ended, sleep(5000)]);
};

await run(['--demo'], ['', '', '', 'j', '\r', '2', '\u001B', '3', 'q']);
await run(['--host', `unix://${socket}`], ['', '', 'q']);
setFlags('--flush-bytecode');
const datas = scripts.map(script => script.createCachedData());
rmSync(folder, { recursive: true, force: true });
writeFileSync(`${cache}.new`, cacheFile(id, datas), { mode: 0o644 });
renameSync(`${cache}.new`, cache);
exit(0);
