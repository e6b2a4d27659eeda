import assert from 'node:assert/strict';
import { test } from 'node:test';
import { joinFacts } from '../../source/facts/join.ts';
import { finish } from '../../source/facts/snapshot.ts';
import { ScreenReach } from '../../source/live/screen-reach.ts';
import { now } from '../facts/build.ts';
import { walkReadings } from '../facts/walk/host.ts';

const host = { kind: 'live' as const, name: 'host1', uid: 0, dockerEndpoint: 'unix:///var/run/docker.sock' };

function moment(containers: number) {
  const readings = walkReadings({ containers });
  return { readings, facts: joinFacts(readings, { now, host }) };
}

const place = (port: number) => ({ address: '0.0.0.0', port, proto: 'tcp' as const });

test('until a moment is judged its exposures are those of the moment before, and unknown where nobody asked', () => {
  const [one, two] = [moment(2), moment(3)];
  const reach = new ScreenReach(one.readings, one.facts);
  const [first] = one.facts.containers.flatMap(({ publishedPorts }) => publishedPorts);
  assert.ok(first);
  const before = reach.shown.exposures.of(place(first.hostPort));
  assert.notEqual(before.word, 'unknown');

  reach.update(two.readings, two.facts);
  assert.equal(reach.shown.exposures.of(place(first.hostPort)), before);
  assert.deepEqual(reach.shown.exposures.of(place(9)), { word: 'unknown', answers: [], reason: 'not judged yet' });

  const shown = reach.shown.exposures;
  finish(reach.judge());
  assert.notEqual(reach.shown.exposures, shown);
  const after = reach.shown.exposures.of(place(first.hostPort));
  assert.notEqual(after, before);
  assert.equal(after.word, before.word);
  assert.notEqual(reach.shown.exposures.of(place(9)).reason, 'not judged yet');
});

test('facts that come amid the judgement are judged by the next', () => {
  const [one, two, three] = [moment(2), moment(3), moment(4)];
  const reach = new ScreenReach(one.readings, one.facts);
  reach.shown.exposures.of(place(8000));
  reach.update(two.readings, two.facts);
  const judging = reach.judge();
  judging.next();
  reach.update(three.readings, three.facts);
  finish(judging);
  assert.equal(reach.shown.exposures.of(place(9)).reason, 'not judged yet');
  finish(reach.judge());
  assert.notEqual(reach.shown.exposures.of(place(9)).reason, 'not judged yet');
});
