/** What the tables look up in a snapshot, indexed once per snapshot. */
import type { Container, Finding, Link, PortChange, Snapshot } from '../facts/schema.ts';

export interface Lookup {
  /** When the snapshot was taken, ms since the epoch: the "now" of every age. */
  now: number;
  containers: ReadonlyMap<string, Container>;
  /** Findings by every container that they are about, in the snapshot's order (errors first). */
  findings: ReadonlyMap<string, readonly Finding[]>;
  /** Findings about a link or an interface, by its name. */
  linkFindings: ReadonlyMap<string, readonly Finding[]>;
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

/** The index of a list, made once for as long as the list is the same: in most snapshots, only traffic is new. */
function perList<Item extends object, Index extends object>(
  make: (items: readonly Item[]) => Index,
): (items: readonly Item[]) => Index {
  const known = new WeakMap<readonly Item[], Index>();
  return items => {
    const index = known.get(items) ?? make(items);
    known.set(items, index);
    return index;
  };
}

const containersById = perList((containers: readonly Container[]) => new Map(containers.map(item => [item.id, item])));
const findingsByContainer = perList((findings: readonly Finding[]) => group(findings, item => item.containerIds));
const findingsByLink = perList((findings: readonly Finding[]) =>
  group(findings, ({ subject }) => [subject.kind === 'link' ? subject.name : undefined]),
);
const linksByContainer = perList((links: readonly Link[]) => group(links, link => [link.containerId]));
const changesByContainer = perList((changes: readonly PortChange[]) => group(changes, item => [item.containerId]));

const cache = new WeakMap<Snapshot, Lookup>();

/** The indexes of a snapshot; the same object for the same snapshot. */
export function lookupOf(snapshot: Snapshot): Lookup {
  const known = cache.get(snapshot);
  if (known) return known;
  const lookup: Lookup = {
    now: Date.parse(snapshot.takenAt),
    containers: containersById(snapshot.containers),
    findings: findingsByContainer(snapshot.findings),
    linkFindings: findingsByLink(snapshot.findings),
    links: linksByContainer(snapshot.links),
    changes: changesByContainer(snapshot.portChanges),
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
  let sum: ContainerTraffic | undefined;
  for (const { veth } of links) {
    const item = snapshot.traffic[veth];
    if (!item) continue;
    sum ??= { rxBytes: 0, txBytes: 0, dropped: 0, rxRate: undefined, txRate: undefined };
    sum.rxBytes += item.txBytes;
    sum.txBytes += item.rxBytes;
    sum.dropped += item.rxDropped + item.txDropped;
    if (item.rxBytesPerSecond === undefined || item.txBytesPerSecond === undefined) continue;
    sum.rxRate = (sum.rxRate ?? 0) + item.txBytesPerSecond;
    sum.txRate = (sum.txRate ?? 0) + item.rxBytesPerSecond;
  }
  return sum;
}

/** The name of a container, or what there is of its id. */
export function nameOf(lookup: Lookup, containerId: string): string {
  return lookup.containers.get(containerId)?.name ?? containerId.slice(0, 12);
}
