/** Rates of the host's interfaces: the difference between two readings of their counters. */
import type { LinkReading, TrafficReading } from '../host/readings.ts';
import type { Traffic } from './schema.ts';

/** Counters at one moment. */
export interface TrafficSample {
  /** ms since the epoch. */
  at: number;
  /** By interface name. */
  counters: Readonly<Record<string, TrafficReading>>;
  /** Which interface had that name then; a name can pass to another one. */
  links: readonly LinkReading[];
}

/** Rates over less than this (ms) are noise. */
const shortest = 200;

/** Whether the newer sample may be compared with the older one at all. */
export function isComparable(before: TrafficSample | undefined, after: TrafficSample): before is TrafficSample {
  return before !== undefined && after.at - before.at >= shortest;
}

/**
 * Counters of every interface, with rates in bytes per second where both samples have the same interface and neither
 * counter went back (it was reset, or wrapped).
 * @param before undefined when there is nothing to compare with: then there are no rates
 */
export function trafficFacts(before: TrafficSample | undefined, after: TrafficSample): Record<string, Traffic> {
  const seconds = before ? (after.at - before.at) / 1000 : 0;
  const ifindexes = new Map(before?.links.map(link => [link.name, link.ifindex]));
  const now = before?.links === after.links ? ifindexes : new Map(after.links.map(link => [link.name, link.ifindex]));
  const facts = new Map<string, Traffic>();
  for (const [name, counters] of Object.entries(after.counters)) {
    const { rxBytes, txBytes, rxDropped, txDropped } = counters;
    const fact: Traffic = { rxBytes, txBytes, rxDropped, txDropped };
    const last = before?.counters[name];
    const isSame = last !== undefined && ifindexes.get(name) === now.get(name);
    if (isSame && seconds > 0 && rxBytes >= last.rxBytes && txBytes >= last.txBytes) {
      fact.rxBytesPerSecond = (rxBytes - last.rxBytes) / seconds;
      fact.txBytesPerSecond = (txBytes - last.txBytes) / seconds;
    }
    facts.set(name, fact);
  }
  return Object.fromEntries(facts);
}
