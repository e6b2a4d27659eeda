/** Verdicts are kept from one moment to the next; what they were worked out from is not. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { NetfilterReading, Readings } from '../../source/host/readings.ts';
import { reachesOf } from '../../source/facts/findings/reach.ts';
import { emptyMemory, snapshot, type SnapshotContext, type SnapshotMemory } from '../../source/facts/snapshot.ts';
import { now } from './build.ts';
import { walkReadings } from './walk/host.ts';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

const context = (ms: number): SnapshotContext => ({
  now: now + ms,
  host: { kind: 'live', name: 'host1', uid: 0, dockerEndpoint: 'unix:///x' },
  hints: { events: new Map(), daemonRestarts: [], following: false },
});

/** The rules once more, in objects of their own: counters have moved, and what one of three containers is reached by is written otherwise. */
function changed(readings: Readings, turn: number): Readings {
  const value = structuredClone(readings.netfilter.value!);
  for (const chain of value.chains) {
    for (const rule of chain.rules) {
      Object.assign(rule, { packets: turn, bytes: 60 * turn });
      if (rule.text.includes(`--dport ${8000 + (turn % 3)} `)) rule.text += ` -m comment --comment turn${turn}`;
    }
  }
  return { ...readings, netfilter: { ...readings.netfilter, value } };
}

/** Judges a host again and again, each time another of its containers anew; gives what is remembered, and the rules of each time. */
function judgeOften(times: number): { memory: SnapshotMemory; last: Readings; rules: WeakRef<NetfilterReading>[] } {
  let readings = walkReadings({ containers: 3 });
  let memory = emptyMemory();
  const rules: WeakRef<NetfilterReading>[] = [];
  for (let turn = 0; turn < times; turn += 1) {
    readings = changed(readings, turn);
    rules.push(new WeakRef(readings.netfilter.value!));
    ({ memory } = snapshot(memory, readings, context(turn * 1000)));
  }
  return { memory, last: readings, rules };
}

test('a verdict that stands keeps no older reading of the rules alive, and still tells by which rules a hook was passed', async () => {
  const { memory, last, rules } = judgeOften(6);
  await setImmediate();
  collect();
  // The newest is asked for its verdicts below, and the one before it is compared with.
  const alive = rules.slice(0, -2).filter(each => each.deref() !== undefined);
  assert.equal(alive.length, 0);
  const facts = memory.snapshot!;
  const of = { readings: last, facts, now: now + 6000, previous: [] };
  const hops = facts.containers.flatMap(container => reachesOf(container, of).flatMap(({ verdict }) => verdict.path));
  const passed = hops.filter(({ hop }) => hop === 'FORWARD').map(({ passedBy }) => passedBy?.() ?? []);
  assert.equal(passed.length, 3);
  for (const by of passed) assert.ok(by.some(({ text }) => text?.includes('-j ACCEPT')));
});
