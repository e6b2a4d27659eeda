/** Verdicts are kept from one moment to the next, as long as they hold; what they were worked out from is not. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { NetfilterReading, Readings } from '../../source/host/readings.ts';
import { reachesOf } from '../../source/facts/findings/reach.ts';
import { basisOf, surroundingsOf } from '../../source/facts/findings/reach-basis.ts';
import { joinFacts } from '../../source/facts/join.ts';
import { reachability } from '../../source/facts/reachability.ts';
import { emptyMemory, snapshot, type SnapshotContext, type SnapshotMemory } from '../../source/facts/snapshot.ts';
import { network, now } from './build.ts';
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

type Rules = Parameters<typeof walkReadings>[0]['rules'];

/** A host with two containers at 172.17.0.3 and .4, which are on the network `bridge`, and a macvlan network on its LAN. */
const plain = walkReadings({ containers: 2 });
const subnets = { docker0: '172.17.0.0/16', lan: '10.77.0.0/24' };
plain.docker.value!.networks = [
  network('bridge', {
    options: { 'com.docker.network.bridge.name': 'docker0' },
    ipam: [{ subnet: subnets.docker0, gateway: '172.17.0.1' }],
  }),
  network('lan', {
    driver: 'macvlan',
    ipam: [{ subnet: subnets.lan, gateway: '10.77.0.1' }],
  }),
];

/** That host with other rules; all else is the very same. */
const withRules = (rules: Rules = []): Readings => ({
  ...plain,
  netfilter: walkReadings({ containers: 2, rules }).netfilter,
});

/** How the LAN meets the port of the first container, as judged a second after these rules have taken the place of others. */
function wordAfter(before: Rules, after: Rules): { kept: string | undefined; anew: string | undefined } {
  const first = snapshot(emptyMemory(), withRules(before), context(0));
  const readings = withRules(after);
  const { memory } = snapshot(first.memory, readings, context(1000));
  const word = (of: SnapshotMemory): string | undefined => {
    const facts = of.snapshot!;
    const judged = { readings, facts, now: now + 1000, previous: [] };
    return reachesOf(facts.containers[0]!, judged)[0]?.verdict.verdict;
  };
  return { kept: word(memory), anew: word(snapshot(emptyMemory(), readings, context(1000)).memory) };
}

const user = (rule: string) => ['filter', 'DOCKER-USER', rule] as const;
const nat = (rule: string) => ['nat', 'PREROUTING', rule] as const;

test('a verdict is worked out anew when rules by which it may be another change', () => {
  const both = [user('-d 172.17.0.3/32 -j ACCEPT'), user('-p tcp -m tcp --dport 80 -j DROP')];
  const toOther = nat('-p tcp -m tcp --dport 8000 -j DNAT --to-destination 172.17.0.4:80');
  const toHost = nat('-p tcp -m tcp --dport 8000 -j REDIRECT --to-ports 9090');
  const cases: Record<string, [before: Rules, after: Rules, word: string]> = {
    'the order of two, one by address and one by port': [both, both.toReversed(), 'blocked'],
    'a whole subnet': [[], [user('-d 172.17.0.0/16 -j DROP')], 'blocked'],
    'an address that one of the LAN may have, though a Docker network has its subnet': [
      [],
      [user('-s 10.77.0.50/32 -j DROP')],
      'unknown',
    ],
    'the container to which another rule leads': [[toOther], [toOther, user('-d 172.17.0.4/32 -j DROP')], 'blocked'],
    'the port to which another rule leads': [
      [toHost],
      [toHost, ['filter', 'INPUT', '-p tcp -m tcp --dport 9090 -j DROP']],
      'blocked',
    ],
  };
  for (const [what, [before, after, word]] of Object.entries(cases)) {
    assert.deepEqual(wordAfter(before, after), { kept: word, anew: word }, what);
  }
});

test('the same rules let others through when a set that they ask for has changed', () => {
  const rules = [user('-m set --match-set closed dst -j DROP')];
  const of = withRules(rules);
  const having = (elements: string[]): Readings => {
    const ipsets = { closed: { type: 'hash:ip', elements, exceptions: [] } };
    return { ...of, netfilter: { ...of.netfilter, value: { ...of.netfilter.value!, ipsets } } };
  };
  const facts = joinFacts(of, context(0));
  const open = reachability(having([]), facts);
  const place = { address: '0.0.0.0', port: 8000, proto: 'tcp' } as const;
  const word = ({ exposures }: typeof open) => exposures.of(place).answers.map(({ verdict }) => verdict.verdict);
  assert.deepEqual(word(open), ['reachable']);
  assert.deepEqual(word(reachability(having(['172.17.0.3']), facts, open)), ['blocked']);
});

test('what verdicts rest on is surveyed anew for what is new, and grows old only while something has changed', () => {
  const { snapshot: facts } = snapshot(emptyMemory(), plain, context(0));
  const [container] = facts.containers;
  assert.ok(container);
  const at = (readings: Readings, ms: number) => ({ readings: { ...readings }, facts, now: now + ms, previous: [] });
  const first = basisOf(container, at(plain, 0));
  const { surroundings, later } = { surroundings: surroundingsOf(at(plain, 0)), later: at(plain, 600_000) };
  assert.equal(surroundingsOf(later), surroundings);
  assert.equal(basisOf(container, later), first, 'nothing has changed for ten minutes');

  const other = withRules([user('-s 192.0.2.9/32 -d 172.17.0.4/32 -j DROP')]);
  assert.notEqual(surroundingsOf(at(other, 601_000)), surroundings);
  assert.equal(basisOf(container, at(other, 601_000)), first, 'a rule for another one');
  assert.equal(basisOf(container, at(other, 650_000)), first, 'for some time');
  assert.notEqual(basisOf(container, at(other, 661_000)), first, 'looked at anew, in case it rests on the other one');
});
