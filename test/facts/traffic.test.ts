import assert from 'node:assert/strict';
import { test } from 'node:test';
import { joinFacts } from '../../source/facts/join.ts';
import { stepping, type Steps } from '../../source/facts/sharing.ts';
import { isComparable, trafficFacts } from '../../source/facts/traffic.ts';
import type { TrafficReading } from '../../source/host/readings.ts';
import { link, now, ok, readings } from './build.ts';

const counters = (rxBytes: number, txBytes: number): TrafficReading => ({
  rxBytes,
  rxPackets: 0,
  rxDropped: 1,
  txBytes,
  txPackets: 0,
  txDropped: 2,
});
const links = [link(2, 'eth0')];
const rate = (facts: ReturnType<typeof trafficFacts>) => facts.eth0?.rxBytesPerSecond;
const at = (ms: number) => ({ at: now + ms, counters: {}, links });

test('rates are the difference over the time between', () => {
  const facts = trafficFacts(
    { at: now, counters: { eth0: counters(1000, 500) }, links },
    { at: now + 2000, counters: { eth0: counters(3000, 500) }, links },
  );
  assert.deepEqual(facts.eth0, {
    rxBytes: 3000,
    txBytes: 500,
    rxDropped: 1,
    txDropped: 2,
    rxBytesPerSecond: 1000,
    txBytesPerSecond: 0,
  });
});

test('no rate at first, nor after a reset, nor for another interface of that name', () => {
  const before = { at: now, counters: { eth0: counters(1000, 500) }, links };
  assert.equal(rate(trafficFacts(undefined, before)), undefined);
  assert.equal(rate(trafficFacts(before, { at: now + 1000, counters: { eth0: counters(10, 600) }, links })), undefined);
  const renewed = { at: now + 1000, counters: { eth0: counters(5000, 600) }, links: [link(9, 'eth0')] };
  assert.equal(rate(trafficFacts(before, renewed)), undefined);
  assert.equal(trafficFacts(before, { at: now + 1000, counters: {}, links }).eth0, undefined);
});

test('samples a moment apart, or out of order, are not compared', () => {
  assert.equal(isComparable(at(0), at(10)), false);
  assert.equal(isComparable(at(1000), at(0)), false);
  assert.equal(isComparable(at(0), at(1000)), true);
  assert.equal(isComparable(undefined, at(0)), false);
});

test('counters at rest keep their facts from view to view, and rates go on where they left off', () => {
  const host = { kind: 'live' as const, name: 'host1', uid: 0, dockerEndpoint: 'unix:///x' };
  let steps: Steps | undefined;
  const view = (ms: number, traffic: Record<string, TrafficReading>) => {
    const next = new Map<string, { inputs: readonly unknown[]; output: unknown }>();
    const value = { links, routes: [], rules: [], traffic };
    const facts = joinFacts(readings({ links: ok(value, now + ms) }), { now: now + ms, host }, stepping(steps, next));
    steps = next;
    return facts.traffic;
  };
  const [first, second] = [{ eth0: counters(1000, 500) }, { eth0: counters(4000, 500) }];
  view(0, first);
  assert.equal(rate(view(3000, second)), 1000);
  const still = view(6000, second);
  assert.equal(rate(still), 0);
  assert.equal(view(9000, second), still);
  assert.equal(view(12_000, second), still);
  assert.equal(rate(view(15_000, { eth0: counters(10_000, 500) })), 2000, 'over the three seconds since the last look');
  assert.equal(rate(view(18_000, { eth0: counters(10_000, 500) })), 0, 'equal ones that are read anew');
});
