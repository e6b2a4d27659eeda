/** Port changes, case by case. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ContainerReading, PortBindingReading } from '../../source/host/readings.ts';
import { emptyLedger, openLedger } from '../../source/facts/port-changes.ts';
import { container, now, port } from './build.ts';
import { both, myapp2, short, Tracker } from './port-tracker.ts';

const rangePorts = (inRange: number, one: number, two: number) => [
  ...both(inRange),
  ...both(one),
  ...both(two),
  ...both(9000),
];
const udpPort = (hostPort: number) => [port(String(hostPort), 53, { proto: 'udp', hostIp: '0.0.0.0' })];
const addressPorts = (all: number, local: number) => [...both(all), port(String(local), 80, { hostIp: '127.0.0.1' })];

describe('trackPorts', () => {
  it('reports docker restart once, with both families in one record', () => {
    const tracker = new Tracker();
    const before = myapp2(both(32768), { startedAt: now });
    assert.deepEqual(tracker.see([before]), []);
    tracker.tell(
      before.id,
      ['kill', now + 10],
      ['die', now + 20],
      ['stop', now + 21],
      ['start', now + 50],
      ['restart', now + 50],
    );
    const after = myapp2(both(32769), { startedAt: now + 49 });
    const changes = tracker.see([after], now + 55);
    assert.equal(changes.length, 1);
    assert.deepEqual(changes[0], {
      at: new Date(now + 55).toISOString(),
      containerId: before.id,
      containerName: 'myapp2',
      proto: 'tcp',
      containerPort: 80,
      from: [
        { hostIp: '0.0.0.0', hostPort: 32768 },
        { hostIp: '::', hostPort: 32768 },
      ],
      to: [
        { hostIp: '0.0.0.0', hostPort: 32769 },
        { hostIp: '::', hostPort: 32769 },
      ],
      cause: 'restart',
    });
    assert.deepEqual(tracker.see([after]), []);
  });

  for (const [version, order] of [
    ['20.10', ['kill', 'die', 'stop', 'start', 'restart']],
    ['26 and later', ['kill', 'stop', 'die', 'start', 'restart']],
  ] as const) {
    it(`knows docker restart by the order of events of Docker ${version}`, () => {
      const tracker = new Tracker();
      const before = myapp2(both(1), { startedAt: now });
      tracker.see([before]);
      tracker.tell(before.id, ...order.map((action, i): [string, number] => [action, now + 1000 + i]));
      assert.deepEqual(tracker.see([myapp2(both(2), { startedAt: now + 1003 })]).map(short), [
        '80/tcp 1+1→2+2 restart',
      ]);
    });
  }

  it('waits for the restart event when start has come alone, and calls it stop-start when none comes', () => {
    for (const restart of [true, false]) {
      const tracker = new Tracker();
      tracker.hints = { ...tracker.hints, following: true };
      const before = myapp2(both(1), { startedAt: now });
      tracker.see([before]);
      tracker.tell(before.id, ['kill', now + 10], ['stop', now + 20], ['die', now + 21], ['start', now + 30]);
      const after = myapp2(both(2), { startedAt: now + 29 });
      assert.deepEqual(tracker.see([after], now + 40), []);
      assert.notEqual(tracker.ledger.pending.length, 0);
      if (restart) tracker.tell(before.id, ['restart', now + 30]);
      assert.deepEqual(tracker.see([after], now + 300).map(short), [
        `80/tcp 1+1→2+2 ${restart ? 'restart' : 'stop-start'}`,
      ]);
      assert.deepEqual(tracker.see([after], now + 400), []);
      assert.equal(tracker.ledger.pending.length, 0);
    }
  });

  it('waits for a start event that an inspect was ahead of, but not for ever', () => {
    const tracker = new Tracker();
    tracker.hints = { ...tracker.hints, following: true };
    const before = myapp2(both(1), { startedAt: now });
    tracker.see([before]);
    const after = myapp2(both(2), { startedAt: now + 1000, restartCount: 1, restartPolicy: 'always' });
    assert.deepEqual(tracker.see([after], now + 1010), []);
    assert.deepEqual(tracker.see([after], now + 4000).map(short), ['80/tcp 1+1→2+2 crash']);
  });

  it('does not lose the first of two restarts while it waits for its cause', () => {
    const tracker = new Tracker();
    tracker.hints = { ...tracker.hints, following: true };
    const id = myapp2([]).id;
    tracker.see([myapp2(both(1), { startedAt: now })]);
    tracker.tell(id, ['kill', now + 1], ['stop', now + 2], ['die', now + 2], ['start', now + 10]);
    assert.deepEqual(tracker.see([myapp2(both(2), { startedAt: now + 9 })], now + 12), []);
    tracker.tell(
      id,
      ['restart', now + 10],
      ['kill', now + 20],
      ['stop', now + 21],
      ['die', now + 21],
      ['start', now + 30],
      ['restart', now + 30],
    );
    assert.deepEqual(tracker.see([myapp2(both(3), { startedAt: now + 29 })], now + 32).map(short), [
      '80/tcp 1+1→2+2 restart',
      '80/tcp 2+2→3+3 restart',
    ]);
  });

  it('keeps ports over a stop and tells stop and start', () => {
    const tracker = new Tracker();
    const id = myapp2([]).id;
    tracker.see([myapp2(both(1), { startedAt: now })]);
    tracker.tell(id, ['kill', now + 10], ['die', now + 20], ['stop', now + 20]);
    assert.deepEqual(tracker.see([myapp2([], { state: 'exited', startedAt: now })]), []);
    tracker.tell(id, ['start', now + 5000]);
    assert.deepEqual(tracker.see([myapp2(both(2), { startedAt: now + 4999 })]).map(short), [
      '80/tcp 1+1→2+2 stop-start',
    ]);
  });

  it('does not believe the ports that a container that ended has kept after its daemon was killed', () => {
    const tracker = new Tracker();
    tracker.see([myapp2(both(1), { startedAt: now })]);
    assert.deepEqual(tracker.see([myapp2(both(7), { state: 'exited', startedAt: now })]), []);
    assert.deepEqual(tracker.see([myapp2(both(1), { startedAt: now + 1000 })]), []);
  });

  it('tells kill and start, a crash, a restart of the daemon, and admits what it cannot know', () => {
    const cases: [string, (tracker: Tracker, id: string) => void, Partial<ContainerReading>][] = [
      [
        'stop-start',
        (tracker, id) => tracker.tell(id, ['kill', now + 10], ['die', now + 20], ['start', now + 3000]),
        {},
      ],
      [
        'crash',
        (tracker, id) => tracker.tell(id, ['die', now + 20], ['start', now + 3000]),
        { restartPolicy: 'always', restartCount: 1 },
      ],
      [
        // A signal other than the one that stops it (`docker kill -s HUP`) does not keep its policy from starting it.
        'crash',
        (tracker, id) => tracker.tell(id, ['kill', now + 10], ['die', now + 20], ['start', now + 3000]),
        { restartPolicy: 'always', restartCount: 1 },
      ],
      [
        'stop-start',
        (tracker, id) => tracker.tell(id, ['die', now + 20], ['start', now + 3000]),
        { restartPolicy: 'no' },
      ],
      [
        'daemon-restart',
        (tracker, id) => {
          tracker.tell(id, ['kill', now + 10], ['die', now + 20], ['start', now + 3000]);
          tracker.hints = { ...tracker.hints, daemonRestarts: [now + 2900] };
        },
        { restartPolicy: 'always' },
      ],
      [
        'restart',
        (tracker, id) => {
          tracker.hints = { ...tracker.hints, daemonRestarts: [now + 500] };
          tracker.tell(
            id,
            ['kill', now + 2000],
            ['stop', now + 2001],
            ['die', now + 2002],
            ['start', now + 3000],
            ['restart', now + 3000],
          );
        },
        { restartPolicy: 'always' },
      ],
      ['unknown', () => undefined, {}],
    ];
    for (const [cause, happen, rest] of cases) {
      const tracker = new Tracker();
      const before = myapp2(both(1), { startedAt: now });
      tracker.see([before]);
      happen(tracker, before.id);
      const after = myapp2(both(2), { startedAt: now + 2999, ...rest });
      assert.deepEqual(tracker.see([after]).map(short), [`80/tcp 1+1→2+2 ${cause}`]);
    }
  });

  it('sees a change without a restart, ports gone in between or not', () => {
    for (const between of [[], [[]]] as PortBindingReading[][][]) {
      const tracker = new Tracker();
      tracker.see([myapp2(both(1), { startedAt: now })]);
      for (const ports of between) assert.deepEqual(tracker.see([myapp2(ports, { startedAt: now })]), []);
      assert.deepEqual(tracker.see([myapp2(both(2), { startedAt: now })]).map(short), [
        '80/tcp 1+1→2+2 network-change',
      ]);
    }
  });

  it('sees a change on the IPv6 side alone, and none when a side comes or goes', () => {
    const tracker = new Tracker();
    tracker.see([myapp2(both(1, 2), { startedAt: now })]);
    assert.deepEqual(tracker.see([myapp2(both(1, 3), { startedAt: now })]).map(short), [
      '80/tcp 1+2→1+3 network-change',
    ]);
    const only4 = [port('1', 80, { hostIp: '0.0.0.0' })];
    assert.deepEqual(tracker.see([myapp2(only4, { startedAt: now })]), []);
    assert.deepEqual(tracker.see([myapp2(both(1, 9), { startedAt: now })]), []);
    assert.deepEqual(tracker.see([myapp2(only4, { startedAt: now })]), []);
    const moved4 = [port('5', 80, { hostIp: '0.0.0.0' })];
    assert.deepEqual(tracker.see([myapp2(moved4, { startedAt: now })]).map(short), ['80/tcp 1→5 network-change']);
  });

  it('recognises a recreated container by its name, once its ports are known', () => {
    const tracker = new Tracker();
    const old = container('web', { id: 'a'.repeat(64), requestedPorts: [port('', 80)], publishedPorts: both(1) });
    tracker.see([old]);
    const created = container('web', { id: 'b'.repeat(64), state: 'created', requestedPorts: [port('', 80)] });
    assert.deepEqual(tracker.see([]), []);
    assert.deepEqual(tracker.see([created]), []);
    const started = { ...created, state: 'running' as const, startedAt: now, publishedPorts: both(2) };
    const changes = tracker.see([started]);
    assert.deepEqual(changes.map(short), ['80/tcp 1+1→2+2 recreate']);
    assert.equal(changes[0]?.containerId, 'b'.repeat(64));
    assert.deepEqual(tracker.see([started]), []);
  });

  it('recognises a container that Compose recreated, the old one set aside under another name', () => {
    const tracker = new Tracker();
    const old = container('web', { id: 'a'.repeat(64), requestedPorts: [port('', 80)], publishedPorts: both(1) });
    tracker.see([old]);
    const aside = { ...old, name: `${'a'.repeat(12)}_web`, state: 'exited' as const, publishedPorts: [] };
    const fresh = container('web', { id: 'b'.repeat(64), requestedPorts: [port('', 80)], publishedPorts: both(2) });
    assert.deepEqual(tracker.see([aside, fresh]).map(short), ['80/tcp 1+1→2+2 recreate']);
  });

  it('takes a renamed container for itself, and one that takes over its name for a stranger', () => {
    const tracker = new Tracker();
    const first = container('web', { id: 'a'.repeat(64), requestedPorts: [port('', 80)], publishedPorts: both(1) });
    tracker.see([first]);
    const renamed = { ...first, name: 'web-old' };
    const second = container('web', { id: 'b'.repeat(64), requestedPorts: [port('', 80)], publishedPorts: both(2) });
    assert.deepEqual(tracker.see([renamed, second]), []);
  });

  it('takes two containers at their word when they are asked to swap names', () => {
    const tracker = new Tracker();
    const a = container('a', { id: 'a'.repeat(64), requestedPorts: [port('', 80)], publishedPorts: both(1) });
    const b = container('b', { id: 'b'.repeat(64), requestedPorts: [port('', 80)], publishedPorts: both(2) });
    tracker.see([a, b]);
    assert.deepEqual(
      tracker.see([
        { ...a, name: 'b' },
        { ...b, name: 'a' },
      ]),
      [],
    );
  });

  it('reports what happened while netdash was not running, marked so', () => {
    const first = new Tracker();
    first.see([
      myapp2(both(1), { startedAt: now }),
      container('web', { requestedPorts: [port('', 80)], publishedPorts: both(8) }),
    ]);
    const stored = openLedger(JSON.parse(JSON.stringify(first.ledger)));
    assert.ok(stored);
    const second = new Tracker(stored);
    const recreated = container('web', { id: 'c'.repeat(64), requestedPorts: [port('', 80)], publishedPorts: both(9) });
    const changes = second.see([myapp2(both(2), { startedAt: now + 5 }), recreated]);
    assert.deepEqual(changes.map(short), ['80/tcp 1+1→2+2 while-away', '80/tcp 8+8→9+9 while-away']);
    second.tell(myapp2([]).id, ['kill', now + 10], ['die', now + 20], ['start', now + 30], ['restart', now + 30]);
    assert.deepEqual(second.see([myapp2(both(3), { startedAt: now + 29 }), recreated]).map(short), [
      '80/tcp 2+2→3+3 restart',
    ]);
  });

  it('takes a start that it sees itself for what it is, though the ports are from an earlier run', () => {
    const first = new Tracker();
    first.see([myapp2(both(1), { startedAt: now })]);
    const second = new Tracker(openLedger(JSON.parse(JSON.stringify(first.ledger))));
    second.see([myapp2([], { state: 'exited', startedAt: now })]);
    assert.deepEqual(second.see([myapp2(both(2), { startedAt: now + 500 })]).map(short), ['80/tcp 1+1→2+2 stop-start']);
  });

  it('does not call another request a move', () => {
    const tracker = new Tracker();
    tracker.see([
      container('web', { id: 'a'.repeat(64), requestedPorts: [port('8080', 80)], publishedPorts: both(8080) }),
    ]);
    tracker.see([
      container('web', { id: 'b'.repeat(64), requestedPorts: [port('', 80)], publishedPorts: both(32768) }),
    ]);
    const changes = tracker.see([
      container('web', { id: 'c'.repeat(64), requestedPorts: [port('8081', 80)], publishedPorts: both(8081) }),
    ]);
    assert.deepEqual(changes, []);
    assert.deepEqual(
      tracker.see([
        container('web', { id: 'd'.repeat(64), requestedPorts: [port('', 80)], publishedPorts: both(40000) }),
      ]),
      [],
    );
  });

  it('follows ports of a range, several bindings of one container port, and -P', () => {
    const range = { requestedPorts: [port('7100-7105', 80), port('', 80), port('', 80), port('9000', 80)] };
    const tracker = new Tracker();
    tracker.see([myapp2(rangePorts(7100, 40000, 40001), { ...range, startedAt: now })]);
    assert.deepEqual(tracker.see([myapp2(rangePorts(7101, 40000, 40001), { ...range, startedAt: now })]).map(short), [
      '80/tcp 7100+7100→7101+7101 network-change',
    ]);
    assert.deepEqual(tracker.see([myapp2(rangePorts(7101, 40001, 40002), { ...range, startedAt: now })]).map(short), [
      '80/tcp 40000+40000→40002+40002 network-change',
    ]);
    const all = { requestedPorts: [], publishAllPorts: true, exposedPorts: [{ proto: 'udp' as const, port: 53 }] };
    const other = new Tracker();
    other.see([myapp2(udpPort(1), { ...all, startedAt: now })]);
    assert.deepEqual(other.see([myapp2(udpPort(2), { ...all, startedAt: now })]).map(short), [
      '53/udp 1→2 network-change',
    ]);
  });

  it('keeps the ports of one address apart from those of all addresses', () => {
    const rest = { requestedPorts: [port('', 80), port('', 80, { hostIp: '127.0.0.1' })] };
    const tracker = new Tracker();
    tracker.see([myapp2(addressPorts(1, 2), { ...rest, startedAt: now })]);
    const changes = tracker.see([myapp2(addressPorts(2, 1), { ...rest, startedAt: now })]);
    assert.deepEqual(changes.map(short).sort(), ['80/tcp 1+1→2+2 network-change', '80/tcp 2→1 network-change']);
  });

  it('passes over containers that could not be inspected and answers that come late', () => {
    const tracker = new Tracker();
    const first = myapp2(both(1), { startedAt: now });
    tracker.see([first]);
    assert.deepEqual(tracker.see([myapp2([], { inspectError: 'timed out', startedAt: now })]), []);
    tracker.see([myapp2(both(2), { startedAt: now + 1000 })]);
    assert.deepEqual(tracker.see([first]), []);
    assert.deepEqual(tracker.see([myapp2(both(2), { startedAt: now + 1000 })]), []);
  });

  it('gives the same ledger back when there is nothing new in it', () => {
    const tracker = new Tracker();
    tracker.see([myapp2(both(1)), container('fixed')]);
    const { ledger } = tracker;
    tracker.see([myapp2(both(1), { inspectedAt: now + 5000 }), container('fixed')]);
    assert.equal(tracker.ledger, ledger);
  });

  it('refuses a state file that is none', () => {
    for (const stored of [
      null,
      {},
      { version: 2, containers: {}, pending: [] },
      { ...emptyLedger, containers: { a: 1 } },
    ]) {
      assert.equal(openLedger(stored), undefined);
    }
  });
});
