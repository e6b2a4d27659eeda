// Loaded into netdash by NODE_OPTIONS: between two SIGUSR2 it notes what netdash asks of the machine, and when; at the second it writes that to
// the file BENCH_CALLS, for bare-readings.mjs to ask the same.
const { writeFileSync } = require('node:fs');
const { syncBuiltinESMExports } = require('node:module');
const fs = require('node:fs');
const promises = require('node:fs/promises');
const http = require('node:http');
const { ChildProcess } = require('node:child_process');

let calls;
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
    writeFileSync(process.env.BENCH_CALLS, JSON.stringify({ forMs: performance.now() - begun, calls }));
    calls = undefined;
  } else {
    calls = [];
    begun = performance.now();
  }
});
