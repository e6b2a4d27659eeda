/** Joins the readings of a host into facts: every part of the snapshot but findings and port changes. */
import type { ContainerReading, LinkReading, Readings } from '../host/readings.ts';
import { containerRows, type ContainerRows } from './container-rows.ts';
import { type DnatTarget, dnatTargets } from './dnat.ts';
import { type HostContext, hostFacts, interfaceFacts, nothingFrom, sourceFacts } from './host-facts.ts';
import { mapLinks, type LinkMap } from './link-map.ts';
import { isRunning, mapNetns, type NetnsMap } from './netns.ts';
import { modeIndex } from './network-mode.ts';
import { networkFacts } from './networks.ts';
import { listenerRows, type ListenerRows } from './listener-rows.ts';
import { ownerIndex, placesOf } from './owners.ts';
import { nextRuleRows, type RuleRows } from './rules.ts';
import type { Snapshot } from './schema.ts';
import { finish } from './pieces.ts';
import { reuse, reuseMap, sameItems, type Step, stepping } from './sharing.ts';
import { isComparable, trafficFacts, type TrafficSample } from './traffic.ts';

/** What the join needs beside the readings. */
export interface JoinContext {
  /** ms since the epoch, on the machine that was read. */
  now: number;
  host: HostContext;
}

/** The facts that the join makes. */
export type JoinedFacts = Omit<Snapshot, 'findings' | 'portChanges'>;

/** Why Docker's containers cannot be joined with what this host says; absent parts can be joined. */
interface Apart {
  /** With anything at all. */
  host?: string;
  /** With this host's links. */
  links?: string;
}

function apart(readings: Readings): Apart {
  const engine = readings.docker.value?.engine;
  if (!engine) return { host: `Docker is not known: ${nothingFrom(readings.docker)}` };
  if (engine.local === false) {
    const why = engine.localReason === undefined ? '' : ` (${engine.localReason})`;
    return { host: `the daemon runs on another machine${why}` };
  }
  if (engine.rootless) return { links: "rootless Docker's links are in a network namespace of its own" };
  if (!readings.links.value) return { links: nothingFrom(readings.links) };
  return {};
}

/** Every address of a running container: what Docker gave it, and what its interfaces have (docker_gwbridge's). */
function addressesOf(container: ContainerReading, netns: NetnsMap): string[] {
  const addresses = container.endpoints.flatMap(({ ipv4, ipv6 }) => [ipv4, ipv6].filter(ip => ip !== undefined));
  const own = netns.byContainer.get(container.id);
  const isMaker = own?.members[0] === container;
  for (const item of (isMaker && own.inside?.interfaces) || []) {
    for (const address of item.addresses) if (address.scope === 'global') addresses.push(address.address);
  }
  return addresses;
}

/** The counters of a reading with the moment they were read at. */
function sample(readings: Readings): TrafficSample | undefined {
  const { at: linksAt, trafficAt: at = linksAt, value } = readings.links;
  return value && at !== undefined ? { at, counters: value.traffic, links: value.links } : undefined;
}

/** Traffic with rates; both samples are kept, so that counters which were not read again keep their rates. */
interface TrafficState {
  sample?: TrafficSample;
  facts: Snapshot['traffic'];
  /** The counters of the two samples are the very same ones: every rate is 0. */
  isStill?: boolean;
}

function traffic(before: TrafficState | undefined, now: TrafficSample | undefined): TrafficState {
  if (!now) return { facts: {} };
  const last = before?.sample;
  if (last && !isComparable(last, now)) return { ...before, facts: reuse(before.facts, before.facts) };
  const isStill = last !== undefined && last.counters === now.counters && last.links === now.links;
  if (isStill && before?.isStill) return { ...before, sample: now };
  return { sample: now, facts: reuse(before?.facts, trafficFacts(last, now)), isStill };
}

/**
 * Joins readings into facts.
 * @param step remembers what was made of which readings, so that only what changed is made again (see `stepping`);
 * without it everything is made new
 */
export const joinFacts = (
  readings: Readings,
  context: JoinContext,
  step: Step = stepping(undefined, new Map()),
): JoinedFacts => finish(joinSlowly(readings, context, step));

/** `joinFacts` in pieces, of a few milliseconds where hundreds of containers run. */
export function* joinSlowly(readings: Readings, context: JoinContext, step: Step): Generator<void, JoinedFacts> {
  const docker = readings.docker.value;
  const containers = docker?.containers ?? none;
  const networks = docker?.networks ?? none;
  const services = docker?.services ?? none;
  const links: readonly LinkReading[] = readings.links.value?.links ?? none;
  const sockets = readings.sockets.value;
  const processes = readings.processes.value;
  const without = apart(readings);
  const withoutLinks = without.host ?? without.links;
  const inside = without.host === undefined ? readings.inside : noInside;
  // When something was read inside counts only where several containers share a netns.
  const insideSaid: unknown[] = [];
  for (const id in inside) insideSaid.push(id, inside[id]?.value, inside[id]?.reason);

  const index = step('index', [containers, networks], () => modeIndex(containers, networks));
  const names = step('names', [containers], (before: string[] | undefined) =>
    sameItems(
      before,
      containers.flatMap(({ id, name }) => [id, name]),
    ),
  );
  const netns = step('netns', [index, ...insideSaid], (before: NetnsMap | undefined) =>
    mapNetns(containers, inside, index, before),
  );
  yield;
  const linkMap = step('links', [netns, links, withoutLinks], (before: LinkMap | undefined) => {
    const { namespaces } = netns;
    return mapLinks({ links, networks, namespaces, index, impossible: withoutLinks }, before);
  });
  yield;
  const ownersReason =
    sockets?.ownersReason ?? (processes ? undefined : `processes are not known: ${nothingFrom(readings.processes)}`);
  const swarm = docker?.engine.swarm.active ?? false;
  const netfilter = readings.netfilter.value;
  const dnats = step('dnats', [netfilter], (before: ReadonlyMap<string, DnatTarget> | undefined) =>
    reuseMap(before, dnatTargets(netfilter)),
  );
  const running = step('running', [netns], () =>
    placesOf(containers.filter(isRunning), container => addressesOf(container, netns)),
  );
  const owners = step('owners', [running, dnats, services, processes, swarm, without.host, ownersReason], () =>
    ownerIndex({
      places: running,
      containersById: index.containersById,
      dnats,
      services,
      processes,
      swarm,
      withoutDocker: without.host,
      ownersReason,
    }),
  );
  yield;
  const { rows: listeners } = step(
    'listeners',
    [sockets, owners, names],
    (before: ListenerRows | { rows: null } | undefined): ListenerRows | { rows: null } =>
      sockets ? listenerRows(sockets.listeners, owners, names, before?.rows ? before : undefined) : { rows: null },
  );
  const socketsReason = sockets ? undefined : nothingFrom(readings.sockets);
  const sharedAt = netns.namespaces.flatMap(({ members }) =>
    members.length > 1 ? members.map(({ id }) => inside[id]?.at) : [],
  );
  const rootless = docker?.engine.rootless;
  yield;
  const { rows: ofContainers } = step(
    'containers',
    [linkMap, owners, listeners, socketsReason, rootless, ...sharedAt],
    (before: ContainerRows | undefined) => {
      const hostListeners = listeners ?? { reason: socketsReason ?? 'not read yet' };
      const places = { index, networks, names, netns, linkMap, inside, owners, hostListeners };
      const apartness = { withoutHost: without.host, withoutLinks, rootless };
      return containerRows(containers, { ...places, ...apartness }, before);
    },
  );
  yield;
  const networkRows = step('networks', [linkMap, networks], (before: Snapshot['networks'] | undefined) =>
    reuse(
      before,
      networkFacts(networks, { containers, index, linkMap, links: withoutLinks === undefined ? links : [] }),
    ),
  );
  yield;
  const nics = readings.vitals.value?.nics ?? noNics;
  const interfaces = step('interfaces', [linkMap, nics], (before: Snapshot['interfaces'] | undefined) => {
    const own = withoutLinks === undefined ? networks : [];
    return reuse(before, interfaceFacts(links, linkMap.links, own, nics), (item: { ifindex: number }) =>
      String(item.ifindex),
    );
  });
  yield;
  // A remote daemon's containers have addresses that may be anybody's here.
  const local = docker?.engine.local === false ? undefined : docker;
  const addresses = step('addresses', [running], (before: ReadonlyMap<string, readonly string[]> | undefined) =>
    reuseMap(before, new Map(running.addresses)),
  );
  const { rows: rules } = step(
    'rules',
    [netfilter, local?.engine.rootless, local?.containers, local?.networks, addresses],
    (before: RuleRows | { rows: null } | undefined): RuleRows | { rows: null } =>
      netfilter ? nextRuleRows(netfilter, local, before?.rows ? before : undefined, addresses) : { rows: null },
  );
  yield;
  const host = step('host', Object.values(readings), (before: Snapshot['host'] | undefined) =>
    reuse(before, hostFacts(readings, context.host)),
  );
  const rates = step(
    'traffic',
    [readings.links.value?.traffic, sample(readings)?.at],
    (before: TrafficState | undefined) => traffic(before, sample(readings)),
  );
  const serviceRows = step('services', [services], (before: Snapshot['services'] | undefined) =>
    reuse(
      before,
      services.map(({ id, name, ports }) => ({ id, name, ports })),
    ),
  );
  return {
    schema: 'netdash/1',
    takenAt: new Date(context.now).toISOString(),
    sources: sourceFacts(readings, context.now),
    host,
    containers: ofContainers,
    networks: networkRows,
    interfaces,
    links: linkMap.links,
    listeners,
    services: serviceRows,
    rules,
    traffic: rates.facts,
  };
}

const none: never[] = [];
const noInside: Readings['inside'] = {};
const noNics = {};
