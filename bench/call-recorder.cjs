// Loaded into netdash by NODE_OPTIONS: between two SIGUSR2, or with BENCH_FROM_START from the start to the first, it notes what netdash asks of the
// machine, and when; then it writes that to the file BENCH_CALLS, for asking.mjs to ask the same. `origin` is the start of its process, ms since the epoch.
const { writeFileSync } = require('node:fs');
const { syncBuiltinESMExports } = require('node:module');
const fs = require('node:fs');
const promises = require('node:fs/promises');
const http = require('node:http');
const { ChildProcess } = require('node:child_process');

let calls = process.env.BENCH_FROM_START ? [] : undefined;
let begun = 0;
const note = (kind, what) => calls?.push({ at: performance.now() - begun, kind, what });
const noted = (object, name, kind, whatOf) => {
  const original = object[name];
  object[name] = function call(...args) {
    const what = whatOf(...args);
    if (what !== undefined) note(kind, what);
    return original.apply(this, args);
  };
};

const ofMachine = path => (/^\/(?:proc|sys|etc|usr\/lib)\//.test(String(path)) ? String(path) : undefined);
noted(fs, 'openSync', 'file', ofMachine);
noted(fs, 'readlinkSync', 'link', ofMachine);
noted(promises, 'readFile', 'text', ofMachine);
noted(promises, 'readdir', 'folder', ofMachine);
noted(http, 'request', 'docker', ({ method, path }) => (method === 'GET' ? path : undefined));
noted(ChildProcess.prototype, 'spawn', 'run', ({ file, args }) => [file, ...args.slice(1)]);
syncBuiltinESMExports();

process.on('SIGUSR2', () => {
  if (calls) {
    const said = JSON.stringify({ origin: performance.timeOrigin, forMs: performance.now() - begun, calls });
    calls = undefined;
    writeFileSync(process.env.BENCH_CALLS, said);
  } else {
    calls = [];
    begun = performance.now();
  }
});
