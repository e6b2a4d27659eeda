import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { DockerEvent } from '../../source/host/host.ts';
import { nothingPassing, passingConnections, type Passing } from '../../source/facts/passing-connections.ts';
import type { Container } from '../../source/facts/schema.ts';

const startedAt = '2026-01-01T00:00:00.000Z';
const begin = Date.parse('2026-01-01T01:00:00.000Z');

/** `web`, on these networks. */
const web = (networks: readonly string[], rest: Partial<Container> = {}): Container =>
  ({
    id: 'w',
    name: 'web',
    state: 'running',
    startedAt,
    endpoints: networks.map(network => ({ network })),
    ...rest,
  }) as Container;

const event = (action: string, name: string, at: number): DockerEvent => ({
  type: 'network',
  action,
  id: `net-${name}`,
  attributes: { container: 'w', name },
  at: begin + at,
});
const ofRun = (action: string, at: number): DockerEvent => ({
  type: 'container',
  action,
  id: 'w',
  attributes: {},
  at: begin + at,
});

/** What is told as views are made: when, what the container is like then, and what had been heard by then. */
function story(...views: [at: number, container: Container, heard: readonly DockerEvent[]][]): string[] {
  let passing: Passing = nothingPassing;
  let before: { containers: Container[] } | undefined;
  return views.flatMap(([at, container, heard]) => {
    const after = { containers: [container] };
    const made = passingConnections(before, after, { events: new Map([['w', heard]]), now: begin + at }, passing);
    ({ passing } = made);
    before = after;
    return made.events.map(
      ({ text, at: time }) => `${Date.parse(time) - begin} ${text.replace('web ', '').replace(' network', '')}`,
    );
  });
}

describe('passingConnections', () => {
  const [on, off] = [event('connect', 'app', 100), event('disconnect', 'app', 200)];
  const bridge = web(['bridge']);
  const both = web(['bridge', 'app']);

  it('tells what no two views differ in, once, when the container has been looked at for the last time', () => {
    assert.deepEqual(
      story([0, bridge, []], [300, bridge, [on, off]], [700, bridge, [on, off]], [800, bridge, [on, off]]),
      ['100 connected to app', '200 disconnected from app'],
    );
    assert.deepEqual(story([0, both, []], [700, both, [event('disconnect', 'app', 10), on]]), [
      '10 disconnected from app',
      '100 connected to app',
    ]);
  });

  it('leaves to the difference what two views differ in', () => {
    assert.deepEqual(story([0, bridge, []], [150, both, [on]], [300, bridge, [on, off]], [900, bridge, [on, off]]), []);
    // Heard of only after it was seen.
    assert.deepEqual(story([0, bridge, []], [150, both, []], [300, both, [on]], [900, both, [on]]), []);
    assert.deepEqual(story([0, bridge, []], [700, both, [on, off, event('connect', 'app', 250)]]), [
      '100 connected to app',
      '200 disconnected from app',
    ]);
  });

  it('takes an end that Docker tells twice for one, and networks each for itself', () => {
    const again = event('disconnect', 'app', 201);
    const other = event('connect', 'back', 150);
    assert.deepEqual(
      story(
        [0, bridge, []],
        [900, web(['bridge', 'back']), [on, other, off, again]],
        [1500, web(['bridge', 'back']), [on, other, off, again]],
      ),
      ['100 connected to app', '200 disconnected from app'],
    );
  });

  it('tells nothing of what came before the first view, or comes with a run, or that nothing bears out', () => {
    assert.deepEqual(story([300, bridge, [on, off]], [900, bridge, [on, off]]), []);
    const leave = event('disconnect', 'bridge', 110);
    const back = event('connect', 'bridge', 130);
    const restart = [ofRun('kill', 100), leave, ofRun('die', 120), back, ofRun('start', 140)];
    const anew = web(['bridge'], { startedAt: '2026-01-01T01:00:00.140Z' });
    // The run before is still shown.
    assert.deepEqual(story([0, bridge, []], [600, bridge, restart], [900, anew, restart], [12_000, anew, restart]), []);
    assert.deepEqual(
      story(
        [0, bridge, []],
        [600, bridge, [leave]],
        [11_000, bridge, [leave, event('connect', 'bridge', 10_900)]],
        [12_000, bridge, [leave]],
      ),
      [],
    );
  });
});
