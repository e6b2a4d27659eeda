/** Recorded hosts with two sources taken away at once: verdicts may only turn unknown, findings only stale. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { sourceNames, type Readings, type SourceName } from '../../source/host/readings.ts';
import { judge } from '../../source/facts/findings/index.ts';
import { joinFacts, type JoinedFacts } from '../../source/facts/join.ts';
import type { Finding } from '../../source/facts/schema.ts';
import { questionsAbout } from '../../source/facts/walk/subjects.ts';
import { makeWorld, walk, type Question } from '../../source/facts/walk/walk.ts';
import { fixtureHost, hostFixtures, type HostFixture } from '../fixtures/hosts.ts';
import { readOnce } from './read-once.ts';

/** `value`: what the source said last is kept, as when a tool crashes; `nothing`: it was never read, as without rights. */
type Left = 'value' | 'nothing';

function losing(readings: Readings, lost: readonly SourceName[], left: Left): Readings {
  const after = { ...readings };
  for (const name of lost) {
    const { at, value } = readings[name];
    const kept = left === 'value' ? { at, value } : {};
    Object.assign(after, { [name]: { state: 'failed', reason: `lost ${name}`, ...kept } });
  }
  return after;
}

/** The insides of all containers, which hang on rights of their own. */
function losingInsides(readings: Readings): Readings {
  const inside = Object.fromEntries(
    Object.keys(readings.inside).map(id => [id, { state: 'failed' as const, reason: 'lost the inside' }]),
  );
  return { ...readings, inside };
}

const pairs: SourceName[][] = sourceNames.flatMap((one, i) => [
  [one],
  ...sourceNames.slice(i + 1).map(other => [one, other]),
]);

interface Known {
  readings: Readings;
  facts: JoinedFacts & { portChanges: [] };
  findings: Finding[];
  questions: Question[];
}

const context = (name: HostFixture, readings: Readings) => ({
  now: readings.docker.at ?? 0,
  host: { kind: 'recording' as const, name, uid: 0, dockerEndpoint: 'recording' },
});

function conclude(name: HostFixture, readings: Readings, now: number, previous: readonly Finding[]): Known {
  const facts = { ...joinFacts(readings, { ...context(name, readings), now }), portChanges: [] as [] };
  const findings = judge({ readings, facts, now, previous }, new Set());
  return { readings, facts, findings, questions: [] };
}

const running = new Map<HostFixture, Promise<Known>>();
function whole(name: HostFixture): Promise<Known> {
  const known =
    running.get(name) ??
    (async () => {
      const readings = await readOnce(await fixtureHost(name));
      const full = conclude(name, readings, readings.docker.at ?? 0, []);
      const ports = [
        ...new Set(full.facts.containers.flatMap(each => each.publishedPorts.map(({ hostPort }) => hostPort))),
      ];
      const questions = [...ports.slice(0, 12), 9090, 9091].flatMap(port =>
        questionsAbout({ kind: 'port', port }, undefined, full.facts),
      );
      return { ...full, questions };
    })();
  running.set(name, known);
  return known;
}

/** Two that ask for one port are rivals; where somebody holds it, that is told instead. */
function isSuperseded({ code, ports }: Finding, full: readonly Finding[]): boolean {
  const pending = full.filter(each => each.code === 'port-conflict-pending');
  return (
    code === 'port-conflict-rivals' &&
    ports.every(({ port }) => pending.some(each => each.ports.some(other => other.port === port)))
  );
}

for (const name of hostFixtures) {
  describe(`Docker ${name}`, () => {
    it('keeps every finding, and brings none that is not there', async () => {
      const full = await whole(name);
      const now = full.readings.docker.at ?? 0;
      const ids = full.findings.map(({ id }) => id).sort();
      assert.ok(ids.length > 5);
      for (const lost of pairs) {
        for (const left of ['value', 'nothing'] as const) {
          for (const insides of lost.length === 1 ? [false, true] : [false]) {
            const less = losing(insides ? losingInsides(full.readings) : full.readings, lost, left);
            const what = `without ${lost.join(' and ')} (${left}${insides ? ', nor insides' : ''})`;
            const after = conclude(name, less, now, full.findings);
            const kept = new Set(after.findings.map(({ id }) => id));
            assert.deepEqual(
              ids.filter(id => !kept.has(id)),
              [],
              `gone ${what}`,
            );
            // Judged afresh with less, nothing may be found that is not so.
            const fresh = conclude(name, less, now, []).findings.filter(each => !isSuperseded(each, full.findings));
            const madeUp = fresh.filter(({ id }) => !ids.includes(id)).map(({ id }) => id);
            assert.deepEqual(madeUp, [], `made up ${what}`);
            // And when all is back, all is as it was.
            const back = conclude(name, full.readings, now, after.findings);
            assert.deepEqual(
              back.findings.map(({ id, stale }) => `${id} ${stale ?? false}`).sort(),
              ids.map(id => `${id} false`),
              `back from ${what}`,
            );
          }
        }
      }
    });

    it('turns a verdict into nothing but unknown', async () => {
      const full = await whole(name);
      const before = makeWorld(full.readings, full.facts);
      const verdicts = full.questions.map(question => walk(before, question).verdict);
      assert.ok(verdicts.length > 20 && new Set(verdicts).size > 1);
      let unknown = 0;
      for (const lost of pairs) {
        const less = losing(full.readings, lost, 'nothing');
        const world = makeWorld(less, conclude(name, less, full.readings.docker.at ?? 0, []).facts);
        for (const [i, question] of full.questions.entries()) {
          const { verdict, decidedBy } = walk(world, question);
          if (verdict === 'unknown') {
            unknown += 1;
            assert.ok(decidedBy?.detail, 'unknown says what it hangs on');
          } else
            assert.equal(
              verdict,
              verdicts[i],
              `${JSON.stringify(question)} without ${lost.join(' and ')}: ${decidedBy?.detail}`,
            );
        }
      }
      assert.ok(unknown > 100);
    });
  });
}
