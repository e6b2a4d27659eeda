/**
 * Pane 3's rows: every listener of the host and every published port, keyed on (proto, address, port), then the
 * listeners inside containers. Nothing is left out because something else has the same port number.
 */
import type { Container, Finding, Listener, PortOwner, Proto, PublishedPort, Snapshot } from '../facts/schema.ts';
import type { Place } from '../facts/exposure.ts';
import type { Exposures, Reachability } from '../facts/reachability.ts';
import type { Service } from '../facts/sensitive-services.ts';
import { isLoopback, isWildcard } from './addresses.ts';
import { lookupOf, nameOf } from './lookup.ts';
import type { Lookup } from './lookup.ts';
import { placeOf, serviceAt } from './port-reach.ts';
import { publishedOf } from './published.ts';

export interface PortRow {
  key: string;
  /** `host`: a port of the host's netns; `inside`: one in a container's own. */
  place: 'host' | 'inside';
  /** `unknown` rows say what could not be read and why; they have no port. */
  kind: 'listener' | 'published' | 'service' | 'unknown';
  proto?: Proto;
  address: string;
  port?: number;
  /** null: could not be told. */
  v6only?: boolean | null;
  /** The interface that a listener is bound to. */
  device?: string;
  owner: PortOwner;
  containerId?: string;
  /** Name of the process; absent when the kernel holds it or it is unknown. */
  process?: string;
  pid?: number;
  unit?: string;
  /** Where it leads, inside: address:port. */
  target?: { address: string; port: number };
  ephemeral?: boolean;
  /** `all`, `loopback`, `routed`, `container`, or the one address. */
  exposure: string;
  embeddedDns?: boolean;
  findings: readonly Finding[];
  /** Where others would ask for it, and what they would meet there (`exposureOfRow`); absent where there is nothing to ask. */
  at?: Place;
  exposures?: Exposures;
  /** What service it is, as far as that can be told. */
  service?: Service;
  /** Why something about it is unknown, or that it is published without a listener. */
  reason?: string;
}

/** Docker's '' and a wildcard are the same address to a listener. */
const bindAddress = (hostIp: string): string => (hostIp === '' ? '0.0.0.0' : hostIp);
const keyOf = (proto: string, address: string, port: number): string => `${proto} ${address} ${port}`;

function exposureOf(address: string): string {
  if (isWildcard(address)) return 'all';
  return isLoopback(address) ? 'loopback' : address;
}

function findingsByPort(snapshot: Snapshot): (proto: Proto, address: string, port: number) => readonly Finding[] {
  const byPort = new Map<string, { finding: Finding; address: string }[]>();
  for (const finding of snapshot.findings) {
    for (const { proto, address, port } of finding.ports) {
      const key = `${proto} ${port}`;
      const known = byPort.get(key);
      if (known) known.push({ finding, address });
      else byPort.set(key, [{ finding, address }]);
    }
  }
  return (proto, address, port) => {
    const entries = byPort.get(`${proto} ${port}`);
    if (!entries) return noFindings;
    const here = entries.filter(entry => entry.address === address || bindAddress(entry.address) === address);
    return [...new Set(here.map(entry => entry.finding))];
  };
}

const noFindings: readonly Finding[] = [];

interface PublishedEntry {
  container: Container;
  port: PublishedPort;
}

function targetOf({ container, port }: PublishedEntry): PortRow['target'] {
  const wantsV6 = port.hostIp.includes(':');
  const endpoint =
    (wantsV6 ? container.endpoints.find(candidate => candidate.ipv6) : undefined) ??
    container.endpoints.find(candidate => candidate.ipv4);
  const address = wantsV6 ? (endpoint?.ipv6 ?? endpoint?.ipv4) : endpoint?.ipv4;
  return address === undefined ? undefined : { address, port: port.containerPort };
}

function listenerRow(
  listener: Listener,
  place: PortRow['place'],
  scope: string,
  findings: readonly Finding[],
): PortRow {
  const { proto, address, port, device, owner } = listener;
  return {
    // One process may listen on a port once for each interface, as DHCP servers do.
    key: `${place} ${scope} ${keyOf(proto, address, port)} ${device ?? ''} ${listener.pid ?? ''}`,
    place,
    kind: 'listener',
    proto,
    address,
    port,
    v6only: listener.v6only,
    device,
    owner,
    containerId: owner.containerId,
    process: listener.process ?? undefined,
    pid: listener.pid ?? undefined,
    unit: listener.unit,
    target: listener.target,
    exposure: place === 'inside' && !isLoopback(address) ? 'container' : exposureOf(address),
    embeddedDns: listener.embeddedDns,
    findings,
    reason: listener.unknown?.['pid'] ?? listener.unknown?.['process'] ?? owner.reason,
  };
}

function publishedRow(entry: PublishedEntry, listenersKnown: boolean, findings: readonly Finding[]): PortRow {
  const { container, port } = entry;
  const isRouted = port.hostPort === 0;
  const address = bindAddress(port.hostIp);
  const target = targetOf(entry);
  return {
    key: `published ${container.id} ${keyOf(port.proto, address, port.hostPort)} ${port.containerPort}`,
    place: 'host',
    kind: 'published',
    proto: port.proto,
    address: isRouted ? (target?.address ?? address) : address,
    port: isRouted ? port.containerPort : port.hostPort,
    owner: { kind: 'container', containerId: container.id, containerName: container.name },
    containerId: container.id,
    target,
    ephemeral: port.ephemeral,
    exposure: isRouted ? 'routed' : exposureOf(address),
    findings,
    reason: isRouted
      ? undefined
      : listenersKnown
        ? 'no listener on the host, rules only'
        : 'listeners of the host unknown',
  };
}

/** The row of each listener of the host, and what it was made of beside that. */
const ofListener = new WeakMap<
  Listener,
  { container: Container | undefined; exposures: Exposures | undefined; findings: readonly Finding[]; row: PortRow }
>();

function hostRows(snapshot: Snapshot, lookup: Lookup, reach: Reachability | undefined): PortRow[] {
  const findingsOf = findingsByPort(snapshot);
  const published = new Map<string, PublishedEntry[]>();
  for (const container of snapshot.containers) {
    for (const port of publishedOf(container)) {
      const key = keyOf(port.proto, bindAddress(port.hostIp), port.hostPort);
      const entries = published.get(key);
      if (entries) entries.push({ container, port });
      else published.set(key, [{ container, port }]);
    }
  }
  const rows: PortRow[] = [];
  const listened = new Set<string>();
  for (const listener of snapshot.listeners ?? []) {
    const key = keyOf(listener.proto, listener.address, listener.port);
    const findings = findingsOf(listener.proto, listener.address, listener.port);
    const entry = published.get(key)?.find(candidate => candidate.container.id === listener.owner.containerId);
    if (entry) listened.add(`${key} ${entry.container.id}`);
    const container = lookup.containers.get(listener.owner.containerId ?? '');
    const known = ofListener.get(listener);
    if (known?.container === container && known?.exposures === reach?.exposures && known?.findings === findings) {
      rows.push(known.row);
      continue;
    }
    const row = listenerRow(listener, 'host', '', findings);
    if (entry) {
      row.ephemeral = entry.port.ephemeral;
      row.target ??= targetOf(entry);
    }
    if (row.containerId !== undefined && row.owner.containerName === undefined) {
      row.owner = { ...row.owner, containerName: nameOf(lookup, row.containerId) };
    }
    if (reach) judge([row], reach, lookup);
    ofListener.set(listener, { container, exposures: reach?.exposures, findings, row });
    rows.push(row);
  }
  for (const [key, entries] of published) {
    for (const entry of entries) {
      if (listened.has(`${key} ${entry.container.id}`)) continue;
      const { port } = entry;
      rows.push(
        publishedRow(
          entry,
          snapshot.listeners !== null,
          findingsOf(port.proto, bindAddress(port.hostIp), port.hostPort),
        ),
      );
    }
  }
  const taken = new Set(rows.map(row => `${row.proto} ${row.port}`));
  for (const service of snapshot.services) {
    for (const port of service.ports) {
      if (port.mode === 'host' || taken.has(`${port.proto} ${port.publishedPort}`)) continue;
      rows.push({
        key: `service ${service.id} ${port.proto} ${port.publishedPort}`,
        place: 'host',
        kind: 'service',
        proto: port.proto,
        address: '0.0.0.0',
        port: port.publishedPort,
        owner: { kind: 'docker', service: service.name },
        exposure: 'all',
        findings: [],
        reason: `published by the service ${service.name}`,
      });
    }
  }
  return rows;
}

/** Containers whose netns is their own, or that are all that is left of the one they joined. */
function hasOwnNetns(container: Container, lookup: Lookup): boolean {
  if (container.networkMode === 'host') return false;
  return container.networkMode !== 'container' || !lookup.containers.has(container.sharesNetnsWith?.id ?? '');
}

/** The rows of what listens inside each container, and by what they were judged. */
const insideOf = new WeakMap<Container, { exposures: Exposures | undefined; rows: PortRow[] }>();

/** What listens inside one container: the very rows of before while neither it nor who reaches what has changed. */
function insideRowsOf(container: Container, lookup: Lookup, reach: Reachability | undefined): PortRow[] {
  const known = insideOf.get(container);
  if (known && known.exposures === reach?.exposures) return known.rows;
  const rows = (container.listeners ?? []).map(listener => {
    const row = listenerRow(listener, 'inside', container.id, []);
    row.containerId = container.id;
    // In a netns that several share it may be another one's.
    if (listener.owner.kind !== 'container')
      row.owner = { ...listener.owner, containerId: container.id, containerName: container.name };
    return row;
  });
  if (reach) judge(rows, reach, lookup);
  insideOf.set(container, { exposures: reach?.exposures, rows });
  return rows;
}

function insideRows(snapshot: Snapshot, lookup: Lookup, reach: Reachability | undefined): PortRow[] {
  const rows: PortRow[] = [];
  const unread = new Map<string, string[]>();
  for (const container of snapshot.containers) {
    if ((container.state !== 'running' && container.state !== 'paused') || !hasOwnNetns(container, lookup)) continue;
    if (container.listeners === null) {
      const reason = container.unknown?.['listeners'] ?? 'not read yet';
      unread.set(reason, [...(unread.get(reason) ?? []), container.name]);
      continue;
    }
    rows.push(...insideRowsOf(container, lookup, reach));
  }
  for (const [reason, names] of unread) {
    rows.push({
      key: `unknown inside ${reason}`,
      place: 'inside',
      kind: 'unknown',
      address: '',
      owner: { kind: 'unknown', containerName: names.length > 3 ? `${names.length} containers` : names.join(', ') },
      exposure: '',
      findings: [],
      reason,
    });
  }
  return rows;
}

const protoRank = { tcp: 0, udp: 1, sctp: 2 };

/** By port, then proto, then IPv4 before IPv6; what is unknown last. */
function inOrder(rows: PortRow[]): PortRow[] {
  return rows.sort(
    (a, b) =>
      (a.port ?? 65_536) - (b.port ?? 65_536) ||
      protoRank[a.proto ?? 'tcp'] - protoRank[b.proto ?? 'tcp'] ||
      Number(a.address.includes(':')) - Number(b.address.includes(':')),
  );
}

/** Adds to rows what they are to the packet walk and to the table of services. */
function judge(rows: readonly PortRow[], reach: Reachability, lookup: Lookup): void {
  for (const row of rows) {
    const at = placeOf(row);
    if (at) Object.assign(row, { at, exposures: reach.exposures });
    row.service = serviceAt(row, lookup, reach);
  }
}

/**
 * Every port of the snapshot, the host's first. Listeners of the host's netns that are unknown are a row that says why;
 * published ports are shown all the same.
 * @param reach of the same moment; without it the rows do not say who reaches them
 */
export function portRows(snapshot: Snapshot, reach?: Reachability): PortRow[] {
  const lookup = lookupOf(snapshot);
  const unknown: PortRow[] =
    snapshot.listeners === null
      ? [
          {
            key: 'unknown host',
            place: 'host',
            kind: 'unknown',
            address: '',
            owner: { kind: 'unknown' },
            exposure: '',
            findings: [],
            reason: snapshot.sources['sockets']?.reason ?? 'not read yet',
          },
        ]
      : [];
  const ofHost = inOrder(hostRows(snapshot, lookup, reach));
  if (reach)
    judge(
      ofHost.filter(({ kind }) => kind !== 'listener'),
      reach,
      lookup,
    );
  return [...unknown, ...ofHost, ...inOrder(insideRows(snapshot, lookup, reach))];
}
