// Loaded into netdash by NODE_OPTIONS: appends a line to the file BENCH_SPAWNS for each process that it starts.
const { appendFileSync } = require('node:fs');
const { syncBuiltinESMExports } = require('node:module');
const children = require('node:child_process');

const note = words => appendFileSync(process.env.BENCH_SPAWNS, `${words}\n`);
// Every way to start a process without waiting for it ends in this method.
const { spawn } = children.ChildProcess.prototype;
children.ChildProcess.prototype.spawn = function counted(options) {
  note(options.args.join(' '));
  return spawn.call(this, options);
};
for (const name of ['spawnSync', 'execSync', 'execFileSync']) {
  const original = children[name];
  children[name] = (...args) => {
    note(`${name} ${String(args[0])}`);
    return original(...args);
  };
}
syncBuiltinESMExports();
