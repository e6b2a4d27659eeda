import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import type { Ledger } from '../../source/facts/port-changes.ts';
import type { PortChange } from '../../source/facts/schema.ts';
import { mergeChanges, portStateFormat, PortState } from '../../source/live/state-ports.ts';

const side = (hostPort: number) => [{ hostIp: '0.0.0.0', hostPort }];

const change = (at: string, from: number, to: number, cause: PortChange['cause'] = 'restart'): PortChange => ({
  at: `2026-01-01T${at}.000Z`,
  containerId: 'a'.repeat(64),
  containerName: 'web',
  proto: 'tcp',
  containerPort: 80,
  from: side(from),
  to: side(to),
  cause,
});

const ledger = (...entries: [id: string, inspectedAt: number, hostPort: number][]): Ledger => ({
  version: 1,
  pending: [],
  containers: Object.fromEntries(
    entries.map(([id, inspectedAt, hostPort]) => [
      id,
      {
        name: id,
        startedAt: inspectedAt,
        restartCount: 0,
        inspectedAt,
        bindings: [{ proto: 'tcp' as const, containerPort: 80, hostIp: '', request: '', sides: side(hostPort) }],
      },
    ]),
  ),
});

function folder(context: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'netdash-state-'));
  context.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

test('a change that two netdash saw is one change; the same change later is another', () => {
  const own = [change('10:05:00', 2, 1), change('10:00:00', 1, 2, 'unknown')];
  const other = [change('10:00:01', 1, 2, 'crash'), change('09:00:00', 1, 2)];
  assert.deepEqual(
    mergeChanges(own, other).map(({ at, cause }) => [at.slice(11, 19), cause]),
    [
      ['10:05:00', 'restart'],
      ['10:00:00', 'crash'],
      ['09:00:00', 'restart'],
    ],
  );
  assert.equal(mergeChanges(own, other).length, 3);
  const many = Array.from({ length: 300 }, (_, n) => change(`10:${String(n % 60).padStart(2, '0')}:00`, n, n + 1));
  assert.equal(mergeChanges(many, []).length, 200);
});

const state = (value: Ledger) => ({ netdashState: 1 as const, daemonId: 'D', ledger: value, portChanges: [] });

test('of two ledgers the newer word on each container counts', () => {
  const merged = portStateFormat.merge(
    state(ledger(['a', 10, 1000], ['b', 30, 1001])),
    state(ledger(['a', 20, 2000], ['b', 20, 2001], ['c', 5, 2002])),
  );
  const ports = Object.entries(merged.ledger.containers).map(([id, { bindings }]) => [
    id,
    bindings[0]?.sides[0]?.hostPort,
  ]);
  assert.deepEqual(Object.fromEntries(ports), { a: 2000, b: 1001, c: 2002 });
});

test('what one netdash wrote the next one finds, as something that may have changed meanwhile', async context => {
  const base = folder(context);
  const first = new PortState(base, 'DAEMON', () => assert.fail());
  assert.deepEqual(await first.load(), { ledger: undefined, portChanges: [] });
  first.update({ ledger: ledger(['a', 10, 1000]), portChanges: [change('10:00:00', 1, 2)] });
  await first.stop();
  const second = new PortState(base, 'DAEMON', () => assert.fail());
  const kept = await second.load();
  assert.deepEqual(kept.portChanges, [change('10:00:00', 1, 2)]);
  assert.equal(kept.ledger?.containers['a']?.away, true);
  const other = new PortState(base, 'ANOTHER', () => assert.fail());
  assert.equal((await other.load()).ledger, undefined);
  await second.stop();
  await other.stop();
  assert.equal(readdirSync(base).length, 1);
});

test('a file of another version, or a damaged one, is told of and does not stop anything', async context => {
  const base = folder(context);
  const first = new PortState(base, 'D', () => undefined);
  first.update({ ledger: ledger(), portChanges: [] });
  await first.stop();
  const path = join(base, readdirSync(base)[0]!);
  for (const [content, words] of [
    ['{"netdashState":2}', /another version of netdash wrote it/],
    ['{}', /it is damaged/],
    ['{"netdashState":1,"daemonId":"D","ledger":{"version":7},"portChanges":[]}', /it is damaged/],
  ] as const) {
    writeFileSync(path, content);
    let told = 0;
    const kept = new PortState(base, 'D', () => (told += 1));
    assert.deepEqual(await kept.load(), { ledger: undefined, portChanges: [] });
    assert.match(kept.problem ?? '', words);
    assert.equal(told, 1);
    kept.update({ ledger: ledger(['a', 1, 5]), portChanges: [] });
    await kept.stop();
    assert.equal(kept.problem, undefined);
    assert.match(readFileSync(path, 'utf8'), /"netdashState":1/);

    writeFileSync(path, content);
    const once = new PortState(base, 'D', () => undefined, undefined, true);
    await once.load();
    once.update({ ledger: ledger(['a', 1, 5]), portChanges: [] });
    await once.stop();
    assert.match(readFileSync(path, 'utf8'), /"netdashState":1/);
    assert.match(once.problem ?? '', words, 'who looks once is told though it is mended by then');
  }
});

test('where nothing can be written, that is said', async () => {
  const kept = new PortState('/proc/netdash', 'D', () => undefined);
  kept.update({ ledger: ledger(['a', 1, 5]), portChanges: [] });
  await kept.stop();
  assert.match(kept.problem ?? '', /^\/proc\/netdash\/ports-\w+\.json cannot be written: /);
});

test('what could not be written is tried again by itself', async context => {
  const base = folder(context);
  const place = join(base, 'netdash');
  writeFileSync(place, 'in the way');
  const problems: (string | undefined)[] = [];
  const done = new Promise<void>(resolve => {
    const kept: PortState = new PortState(
      place,
      'D',
      () => {
        problems.push(kept.problem);
        if (kept.problem === undefined) void kept.stop().then(resolve);
        else rmSync(place);
      },
      50,
    );
    kept.update({ ledger: ledger(['a', 1, 5]), portChanges: [] });
  });
  await done;
  assert.equal(problems.length, 2);
  assert.match(problems[0] ?? '', /is no folder/);
  assert.equal(readdirSync(place).length, 1);
});
