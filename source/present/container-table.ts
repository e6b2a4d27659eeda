/** Pane 1: containers. */
import type { Exposures, Reachability } from '../facts/reachability.ts';
import type { Container, Finding, PortChange, Snapshot } from '../facts/schema.ts';
import { glyphs } from '../terminal/charset.ts';
import { addressKey } from './addresses.ts';
import { cell, lazyCell, unknownCell } from './cell.ts';
import type { Cell } from './cell.ts';
import { changeText, findingsCell, nothing, optional, rateCell, stateCell } from './common-cells.ts';
import { lookupOf, trafficOf } from './lookup.ts';
import type { ContainerTraffic } from './lookup.ts';
import { ownListenerTexts, publishedOf, publishedTexts, requestedTexts } from './published.ts';
import { reachesOf } from './container-reach.ts';
import { reachesCell } from './reach.ts';
import type { Table } from './table.ts';
import { age, ago } from './units.ts';

export interface ContainerRow {
  container: Container;
  traffic?: ContainerTraffic;
  findings: readonly Finding[];
  /** Its port changes, newest first. */
  changes: readonly PortChange[];
  /** ms since the epoch. */
  now: number;
  /** How others meet its ports; absent where they were not asked. */
  exposures?: Exposures;
}

/** A port change is news for this long. */
const newsMilliseconds = 10 * 60_000;

/** One row per container. @param reach of the same moment; without it the rows do not say who reaches their ports */
export function containerRows(snapshot: Snapshot, reach?: Reachability): ContainerRow[] {
  const lookup = lookupOf(snapshot);
  return snapshot.containers.map(container => ({
    container,
    traffic: trafficOf(snapshot, lookup.links.get(container.id) ?? []),
    findings: lookup.findings.get(container.id) ?? [],
    changes: lookup.changes.get(container.id) ?? [],
    now: lookup.now,
    ...(reach && { exposures: reach.exposures }),
  }));
}

/** Whether the container runs, is paused or is being restarted; the others are what `a` shows and hides. */
export function isUp(container: Container): boolean {
  return runs(container) || container.state === 'restarting';
}

function runs(container: Container): boolean {
  return container.state === 'running' || container.state === 'paused';
}

function modeCell({ container }: ContainerRow): Cell {
  if (container.networkMode !== 'container') return cell(container.networkMode);
  const partner = container.sharesNetnsWith;
  const name = partner?.name ?? partner?.id.slice(0, 12);
  return cell(`container:${name ?? '?'}`, partner?.name === undefined ? 'bad' : 'plain');
}

function addressOf(container: Container): string | undefined {
  const first = container.endpoints.find(endpoint => endpoint.ipv4 ?? endpoint.ipv6);
  return first?.ipv4 ?? first?.ipv6;
}

function addressCell({ container }: ContainerRow): Cell {
  const addresses = container.endpoints.map(endpoint => endpoint.ipv4 ?? endpoint.ipv6).filter(address => address);
  // Docker remembers the address of a container that does not run, which another one may have by now.
  if (addresses.length > 0)
    return isUp(container) ? cell(addresses.join(' ')) : cell(`(${addresses.join(' ')})`, 'dim');
  if (container.networkMode === 'host' && isUp(container)) return cell('host', 'dim');
  return nothing;
}

/** Its ports as they are now: published ones, its own listeners in host mode, in parentheses what it asks for when down. */
export function portsCell({ container }: Pick<ContainerRow, 'container'>): Cell {
  if (!isUp(container)) {
    const asked = requestedTexts(container.requestedPorts);
    return asked.length > 0 ? cell(`(${asked.join(' ')})`, 'dim') : nothing;
  }
  const published = publishedTexts(publishedOf(container));
  if (published.length > 0) return cell(published.join(' '));
  if (container.networkMode === 'host') {
    if (container.listeners === null) return unknownCell(container.unknown?.['listeners']);
    const own = ownListenerTexts(container);
    if (own.length > 0) return cell(own.join(' '));
  }
  return nothing;
}

/** Each mapping that `portsCell` shows, ports in a row one by one. */
function portsInFull({ container }: Pick<ContainerRow, 'container'>): string {
  const texts = isUp(container)
    ? publishedOf(container).flatMap(port => publishedTexts([port]))
    : container.requestedPorts.flatMap(port => requestedTexts([port]));
  return texts.join(' ');
}

/** The lowest host port of those that `portsCell` shows. */
function lowestPort(container: Container): number | undefined {
  const asked = container.requestedPorts.flatMap(({ hostPort }) => (typeof hostPort === 'number' ? [hostPort] : []));
  const own = container.networkMode === 'host' ? (container.listeners ?? []).map(listener => listener.port) : [];
  const published = container.publishedPorts.map(port => port.hostPort);
  const ports = !isUp(container) ? asked : published.length > 0 ? published : own;
  return ports.length === 0 ? undefined : Math.min(...ports);
}

function freshChange({ changes, now }: ContainerRow): PortChange | undefined {
  const latest = changes[0];
  return latest && now - Date.parse(latest.at) < newsMilliseconds ? latest : undefined;
}

/**
 * Errors and warnings about the container itself, and those that only name it, as the holder of a port that another wants. What is
 * about no container (a port that two ask for, the host's forwarding) is about each one that it names.
 */
function seriousFindings({ container, findings }: ContainerRow): { own: Finding[]; others: Finding[] } {
  const serious = findings.filter(finding => finding.severity !== 'info');
  const isOwn = ({ subject, containerIds }: Finding) =>
    subject.kind !== 'container' || (subject.id ?? containerIds[0]) === container.id;
  return { own: serious.filter(isOwn), others: serious.filter(finding => !isOwn(finding)) };
}

/** What one should know of it first: errors and warnings, a port that moved, what else is not as usual. */
function noteCell(row: ContainerRow): Cell {
  const { container, now } = row;
  const { own, others } = seriousFindings(row);
  const serious = findingsCell([...own, ...others], container.name);
  if (serious && own.length > 0) return serious;
  const change = freshChange(row);
  if (change) return cell(`port moved ${changeText(change)} ${ago(change.at, now)}`, 'info');
  if (container.health === 'unhealthy') return cell(`${glyphs.failed} unhealthy`, 'bad');
  if (container.error) return cell(`${glyphs.failed} ${container.error}`, 'bad');
  if (container.state === 'restarting')
    return cell(`${glyphs.restarting} exited ${container.exitCode ?? '?'}, restarting`, 'warn');
  if (others[0]) return cell(others[0].message);
  const rest = findingsCell(
    row.findings.filter(finding => finding.code !== 'port-moved'),
    container.name,
  );
  if (rest) return rest;
  if (container.health === 'starting') return cell('health: starting', 'dim');
  if (!isUp(container) && container.finishedAt) return cell(`exited ${ago(container.finishedAt, now)}`, 'dim');
  return nothing;
}

/** What time alone changes of the note: how old is what it says, and whether it still is news. */
function noteAge(row: ContainerRow): string {
  const { container, now } = row;
  const change = freshChange(row);
  if (change) return ago(change.at, now);
  return !isUp(container) && container.finishedAt ? ago(container.finishedAt, now) : '';
}

/** How long it has been running. */
function upTime({ container, now }: ContainerRow): string | undefined {
  return runs(container) && container.startedAt ? age(now - Date.parse(container.startedAt)) : undefined;
}

function noteRank(row: ContainerRow): number {
  const { own, others } = seriousFindings(row);
  if (own[0]) return own[0].severity === 'error' ? 0 : 1;
  if (freshChange(row)) return 2;
  return others.length > 0 ? 3 : 4;
}

function veths({ container }: ContainerRow): string {
  return container.endpoints
    .map(endpoint => endpoint.veth)
    .filter(veth => veth)
    .join(' ');
}

/** Containers: state, network mode, addresses, ports, traffic and what is the matter. */
export const containerTable: Table<ContainerRow> = {
  id: 'containers',
  title: 'Containers',
  key: row => row.container.id,
  aged: row => `${noteAge(row)} ${upTime(row) ?? ''}`,
  sort: { column: 'name', reverse: false },
  columns: [
    {
      id: 'name',
      title: 'NAME',
      priority: 1,
      min: 8,
      max: 28,
      want: 20,
      cell: row => cell(row.container.name, 'accent'),
    },
    {
      id: 'state',
      title: 'STATE',
      priority: 2,
      min: 10,
      max: 12,
      cell: row => stateCell(row.container),
    },
    { id: 'mode', title: 'MODE', priority: 4, min: 11, max: 22, want: 13, cell: modeCell },
    {
      id: 'address',
      title: 'ADDRESS',
      priority: 7,
      // Half an IPv4 address is no use to anybody.
      min: 15,
      max: 32,
      cell: addressCell,
      sortKey: row => {
        const address = addressOf(row.container);
        return address && addressKey(address);
      },
    },
    {
      id: 'ports',
      title: 'PORTS',
      priority: 3,
      min: 12,
      max: 36,
      want: 18,
      cell: portsCell,
      inFull: portsInFull,
      sortKey: row => lowestPort(row.container),
    },
    {
      id: 'reach',
      title: 'REACH',
      priority: 5,
      min: 12,
      max: 22,
      want: 20,
      steady: true,
      cell: row => lazyCell(() => reachesCell(reachesOf(row))),
    },
    {
      id: 'note',
      title: 'NOTE',
      priority: 6,
      min: 11,
      max: 90,
      want: 24,
      grow: true,
      ages: true,
      cell: noteCell,
      sortKey: noteRank,
    },
    {
      id: 'rx',
      title: 'RX/s',
      priority: 8,
      min: 6,
      max: 6,
      extra: true,
      align: 'right',
      live: true,
      cell: row => rateCell(row.traffic?.rxRate),
      sortKey: row => row.traffic?.rxRate,
    },
    {
      id: 'tx',
      title: 'TX/s',
      priority: 9,
      min: 6,
      max: 6,
      extra: true,
      align: 'right',
      live: true,
      cell: row => rateCell(row.traffic?.txRate),
      sortKey: row => row.traffic?.txRate,
    },
    {
      id: 'up',
      title: 'UP',
      extra: true,
      priority: 10,
      min: 4,
      max: 5,
      align: 'right',
      ages: true,
      cell: row => optional(upTime(row)),
      sortKey: row =>
        runs(row.container) && row.container.startedAt ? -Date.parse(row.container.startedAt) : undefined,
    },
    {
      id: 'restarts',
      title: 'RESTARTS',
      extra: true,
      priority: 11,
      min: 8,
      max: 8,
      align: 'right',
      cell: row => cell(row.container.restartCount, row.container.restartCount > 0 ? 'warn' : 'dim'),
      sortKey: row => row.container.restartCount,
    },
    { id: 'veth', title: 'VETH', extra: true, priority: 12, min: 11, max: 24, cell: row => optional(veths(row)) },
    {
      id: 'project',
      title: 'PROJECT',
      extra: true,
      priority: 13,
      min: 8,
      max: 20,
      cell: row => optional(row.container.composeProject),
      sortKey: row => row.container.composeProject,
    },
    {
      id: 'image',
      title: 'IMAGE',
      extra: true,
      priority: 14,
      min: 10,
      max: 30,
      cell: row => cell(row.container.image, 'dim'),
    },
  ],
  fields: {
    name: { kind: 'text', of: row => [row.container.name] },
    id: { kind: 'word', of: row => [row.container.id] },
    state: { kind: 'word', of: row => [row.container.state, row.container.health] },
    mode: { kind: 'word', of: row => [row.container.networkMode] },
    net: { kind: 'text', of: row => row.container.endpoints.map(endpoint => endpoint.network) },
    ip: { kind: 'text', of: row => row.container.endpoints.flatMap(endpoint => [endpoint.ipv4, endpoint.ipv6]) },
    port: { kind: 'number', of: row => portNumbers(row.container) },
    image: { kind: 'text', of: row => [row.container.image] },
    project: { kind: 'text', of: row => [row.container.composeProject] },
    service: { kind: 'text', of: row => [row.container.composeService, row.container.swarmService] },
    veth: { kind: 'text', of: row => row.container.endpoints.map(endpoint => endpoint.veth) },
    reach: { kind: 'word', of: row => reachesOf(row).flatMap(({ words }) => words) },
    finding: { kind: 'text', of: row => row.findings.map(finding => finding.code) },
  },
  copy: row => row.container.id,
  containerId: row => row.container.id,
};

/** Every port number that has to do with a container: published on either side, asked for, exposed, listened on. */
export function portNumbers(container: Container): number[] {
  return [
    ...container.publishedPorts.flatMap(port => [port.hostPort, port.containerPort]),
    ...container.requestedPorts.flatMap(({ hostPort, containerPort }) =>
      typeof hostPort === 'number'
        ? [hostPort, containerPort]
        : hostPort === null
          ? [containerPort]
          : [hostPort.from, hostPort.to, containerPort],
    ),
    ...container.exposedPorts.map(exposed => exposed.port),
    ...(container.listeners ?? []).map(listener => listener.port),
  ];
}
