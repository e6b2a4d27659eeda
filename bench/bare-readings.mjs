// The floor of a steady minute: asks of the machine what netdash asked of it, call by call and at the same times, and throws every answer away.
//   node bare-readings.mjs CALLS SOCKET [TIMES]     CALLS: what call-recorder.cjs wrote
// With TIMES it asks Docker alone, everything so many times as often: the gap to the next request in so many parts, and one in each.
// It goes round and round. After each round it prints, as a line of JSON, how many calls of each kind were made and how many of them failed.
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { get } from 'node:http';
import { ask, env } from './asking.mjs';

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
const counts = {};
const count = kind => (counts[kind] = (counts[kind] ?? 0) + 1);

const make = call => {
  count(call.kind);
  void ask(call, socketPath).then(isAnswered => isAnswered || count('failed'));
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
