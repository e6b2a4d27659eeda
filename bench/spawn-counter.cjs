// Loaded into netdash by NODE_OPTIONS: appends a line to the file BENCH_SPAWNS for each process that it starts.
const { appendFileSync } = require('node:fs');
const children = require('node:child_process');

const file = process.env.BENCH_SPAWNS;
// Every asynchronous way to start a process ends in this method.
const { spawn } = children.ChildProcess.prototype;
children.ChildProcess.prototype.spawn = function counted(options) {
  appendFileSync(file, `${options.args.join(' ')}\n`);
  return spawn.call(this, options);
};
