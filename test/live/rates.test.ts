/** Counters of interfaces are read far more often than the interfaces: they must not make them look newer than they are. */
import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import type { Host } from '../../source/host/host.ts';
import { HostSources } from '../../source/live/host-sources.ts';
import { joinFacts } from '../../source/facts/join.ts';
import { stepping, type Steps } from '../../source/facts/sharing.ts';
import { fixtureHost } from '../fixtures/hosts.ts';

const table = '/proc/self/net/dev';

test('a poll of the rates leaves the time of the links alone, and says when traffic has come to rest', async t => {
  const recorded = await fixtureHost('26');
  let bytes = 1000;
  let now = recorded.now();
  const host: Host = {
    ...recorded,
    now: () => now,
    readFiles: paths =>
      recorded
        .readFiles(paths)
        .map((text, index) =>
          paths[index] === table && typeof text === 'string' ? text.replace(/(docker0: *)\d+/, `$1${bytes}`) : text,
        ),
  };
  mock.timers.enable({ apis: ['setInterval'] });
  t.after(() => mock.timers.reset());
  const told: boolean[] = [];
  const sources = new HostSources({
    host,
    docker: () => undefined,
    onReading: changed => told.push(changed),
    onLinks: () => undefined,
  });
  t.after(() => sources.stop());
  await sources.start(false);
  const first = sources.readings.links;
  assert.ok(first.at !== undefined && first.value);

  let steps: Steps | undefined;
  const rate = (): number | undefined => {
    const kept = new Map();
    const { links } = sources.readings;
    const pending = { state: 'pending' } as const;
    const { traffic } = joinFacts(
      {
        docker: pending,
        links,
        sockets: pending,
        netfilter: pending,
        kernel: pending,
        processes: pending,
        vitals: pending,
        inside: {},
      },
      { now, host: { kind: 'recording', name: 'x', uid: 0, dockerEndpoint: '' } },
      stepping(steps, kept),
    );
    steps = kept;
    return traffic['docker0']?.rxBytesPerSecond;
  };
  assert.equal(rate(), undefined);
  sources.attend({ rates: true, counters: false });

  const poll = (more: number): boolean => {
    bytes += more;
    now += 3000;
    told.length = 0;
    mock.timers.tick(3000);
    assert.equal(told.length, 1);
    return told[0]!;
  };
  assert.equal(poll(6000), true);
  assert.equal(sources.readings.links.at, first.at, 'the links were not read');
  assert.equal(sources.readings.links.trafficAt, now);
  assert.equal(sources.readings.links.value!.links, first.value.links);
  assert.equal(rate(), 2000);
  assert.equal(poll(0), true, 'the rate has changed: to nothing');
  assert.equal(rate(), 0);
  assert.equal(poll(0), false);
  assert.equal(rate(), 0);
});
