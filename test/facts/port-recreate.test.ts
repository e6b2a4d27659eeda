/** Port changes of containers that are made anew: by name, in every order in which a deployment may go about it. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ContainerReading } from '../../source/host/readings.ts';
import { openLedger } from '../../source/facts/port-changes.ts';
import { container, now, port } from './build.ts';
import { both, event, short, Tracker } from './port-tracker.ts';

const web = (id: string, hostPort: number, rest: Partial<ContainerReading> = {}): ContainerReading =>
  container('web', { id: id.repeat(64), requestedPorts: [port('', 80)], publishedPorts: both(hostPort), ...rest });
const stopped = (reading: ContainerReading): ContainerReading => ({ ...reading, state: 'exited', publishedPorts: [] });
const called = (reading: ContainerReading, name: string): ContainerReading => ({ ...reading, name });
const setAside = (reading: ContainerReading): ContainerReading => called(reading, 'web-old');

/** Each step a reading and what it is to tell. */
function expectSteps(tracker: Tracker, steps: [ContainerReading[], string[]][]): void {
  for (const [n, [reading, expected]] of steps.entries()) {
    assert.deepEqual(tracker.see(reading).map(short), expected, `step ${n}`);
    assert.deepEqual(tracker.see(reading), [], `step ${n}, seen again`);
  }
}

const moved = '80/tcp 1+1→2+2 recreate';

describe('a container that is made anew', () => {
  it('is told when the old one, renamed away, is removed after the new one has started', () => {
    const [old, fresh] = [web('a', 1), web('b', 2)];
    expectSteps(new Tracker(), [
      [[old], []],
      [[called(old, 'web-old')], []],
      [[called(old, 'web-old'), fresh], []],
      [[fresh], [moved]],
    ]);
  });

  it('is told when it starts, where the old one was renamed away and removed before that', () => {
    const [old, fresh] = [web('a', 1), web('b', 2)];
    expectSteps(new Tracker(), [
      [[old], []],
      [[called(old, 'web-old')], []],
      [[], []],
      [[fresh], [moved]],
    ]);
  });

  it('is told when nobody looked between the renaming and the end, of which only events tell', () => {
    const tracker = new Tracker();
    const old = web('a', 1);
    tracker.see([old]);
    const rename = { ...event('rename', now + 10, old.id), attributes: { name: 'web-old', oldName: '/web' } };
    tracker.hints = { ...tracker.hints, events: new Map([[old.id, [rename]]]) };
    expectSteps(tracker, [
      [[web('b', 2)], [moved]],
      [[], []],
      [[web('c', 3)], ['80/tcp 2+2→3+3 recreate']],
    ]);
  });

  it('is told of the name that the container had last, not of that of the network that it was taken off', () => {
    const tracker = new Tracker();
    const old = web('a', 1);
    tracker.see([old]);
    const rename = { ...event('rename', now + 10, old.id), attributes: { name: 'site', oldName: '/web' } };
    const off = { type: 'network', action: 'disconnect', id: 'net', at: now + 20, attributes: { name: 'bridge' } };
    tracker.hints = { ...tracker.hints, events: new Map([[old.id, [rename, off]]]) };
    expectSteps(tracker, [[[called(web('b', 2), 'site')], [moved]]]);
  });

  it('is told once, though the new one is later set aside under the same name as the old one was', () => {
    const [first, second, third] = [web('a', 1), web('b', 2), web('c', 3)];
    expectSteps(new Tracker(), [
      [[first], []],
      [[setAside(first)], []],
      // Seen while it was being removed.
      [[stopped(setAside(first)), second], [moved]],
      [[second], []],
      [[setAside(second)], []],
      [[setAside(second), third], []],
      [[third], ['80/tcp 2+2→3+3 recreate']],
    ]);
  });

  it('is told as soon as the old one has stopped, whose own next start is told too', () => {
    const tracker = new Tracker();
    const [old, fresh] = [called(web('a', 1, { startedAt: now }), 'web-old'), web('b', 2)];
    expectSteps(tracker, [
      [[called(old, 'web')], []],
      [[old, fresh], []],
      [[stopped(old), fresh], [moved]],
    ]);
    tracker.tell(old.id, ['kill', now + 10], ['die', now + 20], ['start', now + 3000]);
    const again = { ...old, startedAt: now + 2999, publishedPorts: both(3) };
    expectSteps(tracker, [
      [[again, fresh], ['80/tcp 1+1→3+3 stop-start']],
      [[fresh], []],
    ]);
  });

  it('is told when it ran under a name of its own until the old one had gone', () => {
    const [old, fresh] = [web('a', 1), web('b', 2)];
    expectSteps(new Tracker(), [
      [[old], []],
      [[old, called(fresh, 'web-next')], []],
      [[called(fresh, 'web-next')], []],
      [[fresh], [moved]],
    ]);
  });

  it('is told when it took the name of one that ran on for a while', () => {
    const [old, fresh] = [web('a', 1), web('b', 2)];
    expectSteps(new Tracker(), [
      [[old, called(fresh, 'web-next')], []],
      [[called(old, 'web-old'), called(fresh, 'web-next')], []],
      [[called(old, 'web-old'), fresh], []],
      [[stopped(called(old, 'web-old')), fresh], [moved]],
      [[fresh], []],
    ]);
  });

  it('is told as Compose makes it, both as it used to and as it does now', () => {
    const [old, fresh] = [web('a', 1), web('b', 2)];
    const aside = `${'a'.repeat(12)}_web`;
    const created = { ...web('b', 2), state: 'created' as const, publishedPorts: [] };
    // Version 1 sets the old one aside, version 2 gives the new one a passing name; both stop the old one first.
    expectSteps(new Tracker(), [
      [[old], []],
      [[stopped(old)], []],
      [[stopped(called(old, aside))], []],
      [[stopped(called(old, aside)), created], []],
      [[stopped(called(old, aside)), fresh], [moved]],
      [[fresh], []],
    ]);
    expectSteps(new Tracker(), [
      [[old], []],
      [[old, called(created, aside)], []],
      [[stopped(old), called(created, aside)], []],
      [[called(created, aside)], []],
      [[created], []],
      [[fresh], [moved]],
    ]);
  });

  it('is not made up: both running on, a name that was free for long, one that took the name and left', () => {
    const [old, fresh] = [called(web('a', 1), 'api'), web('b', 2)];
    expectSteps(new Tracker(), [
      [[called(old, 'web')], []],
      [[old], []],
      [[old, fresh], []],
      // The next one stands in the place of `fresh`, not of the one that was called so before it.
      [[old, web('c', 3)], ['80/tcp 2+2→3+3 recreate']],
      [[old], []],
      [[old, web('d', 4)], ['80/tcp 3+3→4+4 recreate']],
      [[web('d', 4)], []],
    ]);
  });

  it('is another story when the old one ends an hour later', () => {
    const tracker = new Tracker();
    const [old, fresh] = [called(web('a', 1), 'web-old'), web('b', 2)];
    expectSteps(tracker, [
      [[called(old, 'web')], []],
      [[old, fresh], []],
    ]);
    const muchLater = now + 60_000 + 2 * 3_600_000;
    assert.deepEqual(tracker.see([old, fresh], muchLater), []);
    assert.deepEqual(tracker.see([fresh], muchLater), []);
  });

  it('is told as something that happened meanwhile, when the old one went while netdash was not running', () => {
    const [old, fresh] = [called(web('a', 1), 'web-old'), web('b', 2)];
    const first = new Tracker();
    expectSteps(first, [
      [[called(old, 'web')], []],
      [[old, fresh], []],
    ]);
    const second = new Tracker(openLedger(JSON.parse(JSON.stringify(first.ledger))));
    expectSteps(second, [[[fresh], ['80/tcp 1+1→2+2 while-away']]]);
  });
});
