// The floor of a steady minute: asks of the machine what netdash asked of it, call by call and at the same times, and throws every answer away.
//   node bare-readings.mjs CALLS SOCKET [TIMES]     CALLS: what call-recorder.cjs wrote
// With TIMES it asks Docker alone, everything so many times as often: the gap to the next request in so many parts, and one in each.
// It goes round and round. After each round it prints, as a line of JSON, how many calls of each kind were made and how many of them failed.
import { execFile, spawn } from 'node:child_process';
import { closeSync, constants, openSync, readFileSync, readlinkSync, readSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { Agent, get } from 'node:http';

const [callsFile, socketPath, manyTimes] = process.argv.slice(2);
const { forMs, calls: recorded } = JSON.parse(readFileSync(callsFile, 'utf8'));
/** Each request spread over the time until the next one. */
const spread = times => {
  const requests = recorded.filter(({ kind }) => kind === 'docker');
  return requests.flatMap((call, index) => {
    const gap = (requests[index + 1]?.at ?? forMs) - call.at;
    return Array.from({ length: times }, (_, part) => ({ ...call, at: call.at + (gap * part) / times }));
  });
};
const calls = manyTimes === undefined ? recorded : spread(Number(manyTimes));
const chunk = Buffer.allocUnsafe(256 * 1024);
const agent = new Agent({ keepAlive: true });
const env = { LC_ALL: 'C', PATH: process.env.PATH };
const counts = {};
const count = kind => (counts[kind] = (counts[kind] ?? 0) + 1);

const acts = {
  file: path => {
    const file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      while (readSync(file, chunk, 0, chunk.length, null) > 0);
    } finally {
      closeSync(file);
    }
  },
  link: path => readlinkSync(path),
  text: path => readFile(path, 'utf8'),
  folder: path => readdir(path),
  run: ([file, ...args]) =>
    new Promise((done, fail) => {
      const child = execFile(file, args, { env, maxBuffer: 64 << 20, encoding: 'utf8' }, error =>
        error ? fail(error) : done(),
      );
      child.stdin.end();
    }),
  docker: path =>
    new Promise((done, fail) => {
      get({ socketPath, path, agent }, answer => {
        answer.on('data', () => undefined).on('end', done);
      }).on('error', fail);
    }),
};

const make = ({ kind, what }) => {
  count(kind);
  try {
    acts[kind](what)?.catch?.(() => count('failed'));
  } catch {
    count('failed');
  }
};

// What netdash follows all the time.
get({ socketPath, path: '/events?filters=%7B%22type%22%3A%5B%22container%22%5D%7D' }, answer => answer.resume());
const ip = ['monitor', 'link', 'address', 'route', 'rule'];
const monitors = manyTimes === undefined ? [spawn('ip', ip, { env }), spawn('nft', ['monitor'], { env })] : [];
for (const child of monitors) {
  child.stdout.resume();
  child.stderr.resume();
  process.on('exit', () => child.kill('SIGKILL'));
}
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) process.on(signal, () => process.exit(0));

const begun = performance.now();
let [round, next] = [0, 0];
const work = () => {
  const now = performance.now() - begun - round * forMs;
  for (; next < calls.length && calls[next].at <= now; next += 1) make(calls[next]);
  if (next === calls.length && now >= forMs) {
    process.stdout.write(`${JSON.stringify(counts)}\n`);
    for (const kind of Object.keys(counts)) delete counts[kind];
    round += 1;
    next = 0;
  }
  const at = next < calls.length ? calls[next].at : forMs;
  setTimeout(work, Math.max(0, begun + round * forMs + at - performance.now()));
};
work();
