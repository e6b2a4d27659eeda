import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { ContainerReading, Readings, SocketReading } from '../../source/host/readings.ts';
import type { Exposure } from '../../source/facts/exposure.ts';
import { joinFacts } from '../../source/facts/join.ts';
import { reachability } from '../../source/facts/reachability.ts';
import { reuse } from '../../source/facts/sharing.ts';
import { finish } from '../../source/facts/pieces.ts';
import { emptyMemory, facts as factsOf } from '../../source/facts/snapshot.ts';
import { ScreenReach } from '../../source/live/screen-reach.ts';
import { now, port as binding } from '../facts/build.ts';
import { walkReadings, type HostOptions } from '../facts/walk/host.ts';
import { Random } from '../oracle/random.ts';

const host = { kind: 'live' as const, name: 'host1', uid: 0, dockerEndpoint: 'unix:///var/run/docker.sock' };

function moment(containers: number) {
  const readings = walkReadings({ containers });
  return { readings, facts: joinFacts(readings, { now, host }) };
}

const place = (port: number) => ({ address: '0.0.0.0', port, proto: 'tcp' as const });

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

const hints = { events: new Map(), daemonRestarts: [], following: false };

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
  finish(reach.judge(now));
  assert.notEqual(reach.shown.exposures, shown);
  const after = reach.shown.exposures.of(place(first.hostPort));
  assert.equal(after.word, before.word);
  assert.notEqual(reach.shown.exposures.of(place(9)).reason, 'not judged yet');
});

test('facts that come amid the judgement are judged by the next', () => {
  const [one, two, three] = [moment(2), moment(3), moment(4)];
  const reach = new ScreenReach(one.readings, one.facts);
  reach.shown.exposures.of(place(8000));
  reach.update(two.readings, two.facts);
  const judging = reach.judge(now);
  judging.next();
  reach.update(three.readings, three.facts);
  finish(judging);
  assert.equal(reach.shown.exposures.of(place(9)).reason, 'not judged yet');
  finish(reach.judge(now));
  assert.notEqual(reach.shown.exposures.of(place(9)).reason, 'not judged yet');
});

test('a screen that draws once in several judgements has an answer for what it drew, and in the end no more is worked out for nobody', () => {
  const moments = Array.from({ length: 12 }, (_, index) => moment(2 + (index % 2)));
  const [first] = moments;
  const reach = new ScreenReach(first!.readings, first!.facts);
  reach.shown.exposures.of(place(8000));
  const judged = (count: number): void => {
    for (const { readings, facts } of moments.slice(1, 1 + count)) {
      reach.update(readings, facts);
      finish(reach.judge(now));
    }
    reach.update(first!.readings, first!.facts);
  };
  judged(5);
  assert.notEqual(reach.shown.exposures.of(place(8000)).reason, 'not judged yet');
  judged(11);
  assert.equal(reach.shown.exposures.of(place(8000)).reason, 'not judged yet');
});

test('the exposures are the same object while all answers hold, and another one when one changes or is followed no longer', () => {
  const readings = walkReadings({ containers: 3 });
  let made = factsOf(emptyMemory(), readings, { now, host, hints });
  const reach = new ScreenReach(readings, made.snapshot);
  const [first, second] = made.snapshot.containers.flatMap(({ publishedPorts }) => publishedPorts);
  reach.shown.exposures.of(place(first!.hostPort));
  reach.shown.exposures.of(place(second!.hostPort));
  const next = (change: (each: Readings) => Readings): unknown => {
    const changed = reuse(readings, change(readings));
    made = factsOf(made.memory, changed, { now, host, hints });
    reach.update(changed, made.snapshot);
    finish(reach.judge(now));
    return reach.shown.exposures;
  };
  let turn = 0;
  const listeners = (each: Readings): Readings => withoutSockets(each, (turn += 1) % 2 === 0 ? 9 : 8002);
  // What answers rest on is first noted when they are judged.
  const before = next(listeners);
  // Other facts, of which these answers are not made.
  assert.equal(next(listeners), before);
  assert.notEqual(
    next(({ kernel, ...rest }) => ({ ...rest, kernel: { ...kernel, value: { ...kernel.value!, ipForward: false } } })),
    before,
  );
  const objects = new Set(Array.from({ length: 30 }, () => next(listeners)));
  assert.ok(objects.size > 1 && objects.size < 10, `${objects.size} objects in 30 judgements`);
});

/** What happens to a host from one moment to the next; each also is taken back. */
const happenings: readonly ((readings: Readings) => Readings)[] = [
  readings => readings,
  // A container pauses, or has another address, or listens elsewhere, or nothing is known of it.
  ...[0, 1, 2].flatMap(index => [
    (readings: Readings) => withContainer(readings, index, { state: 'paused' }),
    (readings: Readings) => withContainer(readings, index, { publishedPorts: [] }),
    (readings: Readings) => withListeners(readings, index, []),
    (readings: Readings) => withListeners(readings, index, undefined),
  ]),
  readings => withoutSockets(readings, 8001),
  readings => withoutSockets(readings, 8002),
  readings => ({ ...readings, kernel: { ...readings.kernel, value: { ...readings.kernel.value!, ipForward: false } } }),
];

function withContainer(readings: Readings, index: number, change: Partial<ContainerReading>): Readings {
  const value = readings.docker.value!;
  const containers = value.containers.map((each, at) => (at === index ? { ...each, ...change } : each));
  return { ...readings, docker: { ...readings.docker, value: { ...value, containers } } };
}

function withListeners(readings: Readings, index: number, listeners: SocketReading[] | undefined): Readings {
  const { id } = readings.docker.value!.containers[index]!;
  const reading = readings.inside[id]!;
  const { listeners: _, ...value } = reading.value!;
  const changed = { ...reading, value: { ...value, ...(listeners && { listeners }) } };
  return { ...readings, inside: { ...readings.inside, [id]: changed } };
}

function withoutSockets(readings: Readings, port: number): Readings {
  const listeners = readings.sockets.value!.listeners.filter(each => each.port !== port);
  return { ...readings, sockets: { ...readings.sockets, value: { ...readings.sockets.value!, listeners } } };
}

const hosts: readonly HostOptions[] = [
  {},
  { rules: [['filter', 'DOCKER-USER', '-i eth0 -p tcp -m tcp --dport 80 -j DROP']] },
  { rules: [['filter', 'DOCKER-USER', '-d 172.17.0.4/32 -j DROP']] },
  { rules: [['nat', 'PREROUTING', '-p tcp -m tcp --dport 8001 -j DNAT --to-destination 172.17.0.5:80']] },
  { rules: [['nat', 'PREROUTING', '-p tcp -m tcp --dport 9 -j REDIRECT --to-ports 8002']] },
  { rules: [['nat', 'PREROUTING', '-p tcp -m tcp --dport 8000:8001 -j DNAT --to-destination 172.17.0.5:80']] },
  { policies: { FORWARD: 'DROP' } },
  { rules: [['filter', 'INPUT', '-p tcp -m tcp --dport 8000 -j REJECT']] },
];

/** What an exposure says, but for objects that answer on demand. */
const said = (exposure: Exposure): unknown =>
  JSON.parse(JSON.stringify({ ...exposure, answers: exposure.answers.map(({ verdict }) => verdict) }));

/** Whether an answer is the very one of before. */
const sameAnswers = (a: Exposure, b: Exposure): boolean => a.answers[0]?.question === b.answers[0]?.question;

test('whatever happens to a host, answers that are kept are those that would be worked out anew', () => {
  const random = new Random(11);
  const base = walkReadings({ containers: 4 });
  let readings: Readings = base;
  let made = factsOf(emptyMemory(), readings, { now, host, hints });
  const reach = new ScreenReach(readings, made.snapshot);
  const ids = readings.docker.value!.containers.map(({ id }) => id);
  const places = [
    ...[9, 8000, 8001, 8002, 8003].map(place),
    { ...place(8001), address: '10.77.0.100' },
    ...ids.map(netns => ({ ...place(80), netns })),
  ];
  let kept = 0;
  for (let turn = 1; turn <= 80; turn += 1) {
    const before = places.map(each => reach.shown.exposures.of(each));
    // Only what happens is new, so that all else can be kept.
    const { netfilter } = walkReadings({ containers: 4, ...random.pick(hosts) });
    const next = random.pick(happenings)({ ...base, netfilter });
    readings = reuse(readings, turn % 3 === 0 ? readings : next);
    // All in less than a minute, so that nothing is worked out anew for its age alone.
    const at = now + turn * 100;
    made = factsOf(made.memory, readings, { now: at, host, hints });
    reach.update(readings, made.snapshot);
    finish(reach.judge(at));
    const { exposures } = reachability(readings, made.snapshot);
    places.forEach((each, index) => {
      const after = reach.shown.exposures.of(each);
      assert.deepEqual(said(after), said(exposures.of(each)), `turn ${turn}: ${JSON.stringify(each)}`);
      if (after.answers.length > 0 && sameAnswers(after, before[index]!)) kept += 1;
    });
  }
  assert.ok(kept > 100, `only ${kept} were kept`);
});

/** MB that are kept for a screen that shows every port of one container. */
const keptFor = (count: number): number => {
  const ports = Array.from({ length: count }, (_, index) => 20_000 + index);
  const address = '172.17.0.3';
  const published = ports.map(each => binding(String(each), each, { hostIp: '0.0.0.0' }));
  const rules = ports.flatMap(each => [
    [
      'nat',
      'DOCKER',
      `! -i docker0 -p tcp -m tcp --dport ${each} -j DNAT --to-destination ${address}:${each}`,
    ] as const,
    ['filter', 'DOCKER', `-d ${address}/32 ! -i docker0 -o docker0 -p tcp -m tcp --dport ${each} -j ACCEPT`] as const,
  ]);
  const base = walkReadings({ rules });
  const readings = withContainer(base, 0, { publishedPorts: published, requestedPorts: published });
  let made = factsOf(emptyMemory(), readings, { now, host, hints });
  const reach = new ScreenReach(readings, made.snapshot);
  for (const each of ports) reach.shown.exposures.of(place(each));
  collect();
  const before = process.memoryUsage().heapUsed;
  for (const gone of [22, 5432]) {
    const next = reuse(readings, withoutSockets(readings, gone));
    made = factsOf(made.memory, next, { now, host, hints });
    reach.update(next, made.snapshot);
    finish(reach.judge(now));
  }
  collect();
  const used = (process.memoryUsage().heapUsed - before) / 1e6;
  assert.equal(reach.shown.exposures.of(place(ports.at(-1)!)).word, 'nothing-listening');
  return used;
};

test('what is kept of a container that publishes hundreds of ports grows with them, and not with their square', () => {
  const few = keptFor(100);
  const many = keptFor(400);
  assert.ok(many < few * 8 + 10, `${few.toFixed(1)} MB for 100 ports, ${many.toFixed(1)} MB for 400`);
});
