/**
 * `node --import tsx bench/findings.ts`: what the findings that rest on the packet walk cost on a host with 200 containers and
 * 1,500 rules, made up, so that it needs no lab: when everything is new, when rules were read again and say the same, and when
 * one container was restarted. Prints ms.
 */
import type { Readings } from '../source/host/readings.ts';
import { detectors } from '../source/facts/findings/index.ts';
import { joinFacts } from '../source/facts/join.ts';
import type { Snapshot } from '../source/facts/schema.ts';
import { now } from '../test/facts/build.ts';
import { walkReadings } from '../test/facts/walk/host.ts';

const codes = new Set([
  'blocked',
  'foreign-forward-drop',
  'exposed-past-firewall',
  'loopback-exposed',
  'unpublished-exposed',
  'direct-access-blocked',
  'family-asymmetry',
]);
const walking = detectors.filter(({ code }) => codes.has(code));

const admin = Array.from(
  { length: 880 },
  (_, index) =>
    ['filter', 'DOCKER-USER', `-s 198.51.100.${index % 256}/32 -p tcp -m tcp --dport ${1000 + index} -j DROP`] as const,
);
const host = { kind: 'live' as const, name: 'host1', uid: 0, dockerEndpoint: 'unix:///var/run/docker.sock' };
const base = walkReadings({ containers: 200, rules: admin });

type Facts = Omit<Snapshot, 'findings'>;

const factsOf = (readings: Readings): Facts => ({ ...joinFacts(readings, { now, host }), portChanges: [] });

/** The rules as another reading of the same would have them: equal, and none of it the same object. */
const readAgain = (readings: Readings): Readings => ({ ...readings, netfilter: structuredClone(readings.netfilter) });

/** One container has another row and other rules. */
function restarted(facts: Facts, readings: Readings, which: number): [Facts, Readings] {
  const containers = facts.containers.map((row, index) =>
    index === which ? { ...row, restartCount: row.restartCount + 1 } : row,
  );
  const again = readAgain(readings);
  const chains = again.netfilter.value!.chains.map(chain =>
    chain.name === 'DOCKER' && chain.table === 'filter'
      ? {
          ...chain,
          rules: [...chain.rules.slice(1), ...chain.rules.slice(0, 1)].map((rule, at) => ({ ...rule, number: at + 1 })),
        }
      : chain,
  );
  return [
    { ...facts, containers },
    { ...again, netfilter: { ...again.netfilter, value: { ...again.netfilter.value!, chains } } },
  ];
}

function judge(facts: Facts, readings: Readings): number {
  const context = { readings, facts, now, previous: [] };
  const begun = performance.now();
  for (const detector of walking) detector.detect(context);
  return performance.now() - begun;
}

const median = (values: readonly number[]): string => {
  const sorted = values.toSorted((a, b) => a - b);
  return (sorted[sorted.length >> 1] ?? 0).toFixed(1);
};

const taken: Record<'new' | 'same' | 'restart', number[]> = { new: [], same: [], restart: [] };
for (let round = 0; round < 40; round += 1) {
  const readings = readAgain(base);
  const facts = factsOf(readings);
  const fresh = judge(facts, readings);
  const same = judge(facts, readAgain(readings));
  const restart = judge(...restarted(facts, readings, round % 200));
  // The first rounds are those of a program that is still being compiled.
  if (round >= 10) {
    taken.new.push(fresh);
    taken.same.push(same);
    taken.restart.push(restart);
  }
}
process.stdout.write(
  `findings by the packet walk, 200 containers: all new ${median(taken.new)} ms, the same rules read again ${median(taken.same)} ms, one container restarted ${median(taken.restart)} ms\n`,
);
