/** What the tables look up in a snapshot, indexed once per snapshot. */
import type { Container, Finding, Link, PortChange, Snapshot, Traffic } from '../facts/schema.ts';

export interface Lookup {
  /** When the snapshot was taken, ms since the epoch: the "now" of every age. */
  now: number;
  containers: ReadonlyMap<string, Container>;
  /** Findings by every container that they are about, in the snapshot's order (errors first). */
  findings: ReadonlyMap<string, readonly Finding[]>;
  links: ReadonlyMap<string, readonly Link[]>;
  /** Newest first. */
  changes: ReadonlyMap<string, readonly PortChange[]>;
}

function group<Item>(
  items: readonly Item[],
  keysOf: (item: Item) => readonly (string | undefined)[],
): Map<string, Item[]> {
  const groups = new Map<string, Item[]>();
  for (const item of items) {
    for (const key of keysOf(item)) {
      if (key === undefined) continue;
      const members = groups.get(key);
      if (members) members.push(item);
      else groups.set(key, [item]);
    }
  }
  return groups;
}

const cache = new WeakMap<Snapshot, Lookup>();

/** The indexes of a snapshot; the same object for the same snapshot. */
export function lookupOf(snapshot: Snapshot): Lookup {
  const known = cache.get(snapshot);
  if (known) return known;
  const lookup: Lookup = {
    now: Date.parse(snapshot.takenAt),
    containers: new Map(snapshot.containers.map(container => [container.id, container])),
    findings: group(snapshot.findings, finding => finding.containerIds),
    links: group(snapshot.links, link => [link.containerId]),
    changes: group(snapshot.portChanges, change => [change.containerId]),
  };
  cache.set(snapshot, lookup);
  return lookup;
}

/** What a container receives and sends, in bytes since its links were made and bytes per second; from its own side. */
export interface ContainerTraffic {
  rxBytes: number;
  txBytes: number;
  dropped: number;
  /** Absent until two readings are there. */
  rxRate?: number;
  txRate?: number;
}

/** Adds up what one or more veths carried, seen from the container: what it receives, its veth transmits. */
export function trafficOf(snapshot: Snapshot, links: readonly Link[]): ContainerTraffic | undefined {
  const readings = links.map(link => snapshot.traffic[link.veth]).filter((item): item is Traffic => item !== undefined);
  if (readings.length === 0) return undefined;
  const sum = (value: (item: Traffic) => number) => readings.reduce((total, item) => total + value(item), 0);
  const rated = readings.filter(item => item.rxBytesPerSecond !== undefined && item.txBytesPerSecond !== undefined);
  return {
    rxBytes: sum(item => item.txBytes),
    txBytes: sum(item => item.rxBytes),
    dropped: sum(item => item.rxDropped + item.txDropped),
    rxRate: rated.length > 0 ? rated.reduce((total, item) => total + item.txBytesPerSecond!, 0) : undefined,
    txRate: rated.length > 0 ? rated.reduce((total, item) => total + item.rxBytesPerSecond!, 0) : undefined,
  };
}

/** The name of a container, or what there is of its id. */
export function nameOf(lookup: Lookup, containerId: string): string {
  return lookup.containers.get(containerId)?.name ?? containerId.slice(0, 12);
}
