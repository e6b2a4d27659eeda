/** What is kept from one dump to the next must not keep the dumps. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { reuse } from '../../source/facts/sharing.ts';
import { parseSave } from '../../source/host/netfilter/xtables.ts';
import { ssLines } from '../../source/host/ss.ts';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

const dumps = 100;
const lines = 500;

/** What is in use once `dumps` readings were taken, each with one line that is new and the others as they were; bytes a dump. */
function keptPerDump(dumpOf: (line: (index: number) => number) => string, read: (text: string) => unknown): number {
  let kept: unknown;
  const take = (turn: number): string => dumpOf(index => 20_000 + index * 20 + (index < turn ? 1 : 0));
  kept = read(take(0));
  collect();
  const before = process.memoryUsage().heapUsed;
  // As it comes from a pipe: a text that V8 has put together itself is another matter.
  for (let turn = 1; turn <= dumps; turn += 1) kept = reuse(kept, read(Buffer.from(take(turn)).toString('utf8')));
  collect();
  const gained = process.memoryUsage().heapUsed - before;
  assert.ok(kept);
  return gained / dumps;
}

const all = (line: (index: number) => string): string =>
  Array.from({ length: lines }, (_, index) => line(index)).join('\n');

const rule = (port: number): string =>
  `[0:0] -A DOCKER ! -i br-0123456789ab -p tcp -m tcp --dport ${port} -j DNAT --to-destination 172.17.0.2:80`;

const socketLine = (port: number): string =>
  `tcp LISTEN 0 128 127.0.0.1:${port} 0.0.0.0:* users:(("a-long-name-of-it",pid=7,fd=3)) ino:${port} sk:1 cgroup:/system.slice/unit-${port}.service v6only:0 <->`;

const ruleDump = (port: (index: number) => number): string =>
  `*nat\n:DOCKER - [0:0]\n${all(index => rule(port(index)))}\nCOMMIT\n`;

const socketDump = (port: (index: number) => number): string => `${all(index => socketLine(port(index)))}\n`;

test('rules that stay do not keep the dumps in which they were first read', () => {
  const size = ruleDump(() => 20_000).length;
  const kept = keptPerDump(ruleDump, text => {
    const { chains } = parseSave(text, 'ip');
    assert.equal(chains[0]?.rules.length, lines);
    return chains;
  });
  assert.ok(kept < size / 4, `${Math.round(kept)} bytes are kept of each dump of ${size}`);
});

test('nor do sockets', () => {
  const size = socketDump(() => 20_000).length;
  const kept = keptPerDump(socketDump, stdout => {
    const sockets = ssLines('ss', { code: 0, signal: null, stdout, stderr: '' });
    assert.equal(sockets.length, lines);
    return sockets;
  });
  assert.ok(kept < size / 4, `${Math.round(kept)} bytes are kept of each dump of ${size}`);
});
