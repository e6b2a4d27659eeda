/** Pane 2: links. Which veth on which bridge leads to which interface of which container; and the host's own interfaces. */
import type { Container, Endpoint, Interface, Link, Snapshot, Traffic } from '../facts/schema.ts';
import { glyphs } from '../terminal/charset.ts';
import { cell, unknownCell } from './cell.ts';
import type { Cell, Line } from './cell.ts';
import { findingsCell, nothing, optional, rateCell } from './common-cells.ts';
import { isUp } from './container-table.ts';
import { facts } from './document.ts';
import { lookupOf } from './lookup.ts';
import type { Lookup } from './lookup.ts';
import type { Finding } from '../facts/schema.ts';
import type { Table } from './table.ts';
import { bytes, count } from './units.ts';

/** A link, an interface of the host, or a container that has no link of its own. */
export interface LinkRow {
  key: string;
  section: string;
  bridge?: string;
  network?: string;
  /** The host's end. */
  name: string;
  ifindexes?: string;
  containerId?: string;
  containerName?: string;
  /** Where the other end is when it is in no container. */
  peer?: string;
  /** The container's end. */
  inside?: string;
  mac?: string;
  address?: string;
  up?: boolean;
  mtu?: number;
  /** From the container's side for links, from the host's for its own interfaces. */
  rxRate?: number;
  txRate?: number;
  rxBytes?: number;
  txBytes?: number;
  dropped?: number;
  findings: readonly Finding[];
  /** What is unknown of it and why, or how its container is connected instead. */
  note?: string;
  isUnknown?: boolean;
}

const sections = {
  links: 'Containers',
  host: 'Host interfaces',
  shared: 'Containers without a link of their own',
};

type Rates = Pick<LinkRow, 'rxRate' | 'txRate' | 'rxBytes' | 'txBytes' | 'dropped'>;

function rates(traffic: Traffic | undefined, view: 'host' | 'container'): Rates {
  if (!traffic) return {};
  const received = { rate: traffic.rxBytesPerSecond, bytes: traffic.rxBytes };
  const sent = { rate: traffic.txBytesPerSecond, bytes: traffic.txBytes };
  const [rx, tx] = view === 'host' ? [received, sent] : [sent, received];
  return {
    rxRate: rx.rate,
    txRate: tx.rate,
    rxBytes: rx.bytes,
    txBytes: tx.bytes,
    dropped: traffic.rxDropped + traffic.txDropped,
  };
}

function endpointOf(link: Link, lookup: Lookup): Endpoint | undefined {
  const container = link.containerId === undefined ? undefined : lookup.containers.get(link.containerId);
  return container?.endpoints.find(endpoint => endpoint.veth === link.veth);
}

function linkRow(snapshot: Snapshot, lookup: Lookup, link: Link): LinkRow {
  const endpoint = endpointOf(link, lookup);
  const reason = link.unknown && Object.values(link.unknown)[0];
  return {
    peer: link.peer,
    key: `link ${link.ifindex}`,
    section: sections.links,
    bridge: link.bridge,
    network: link.network,
    name: link.veth,
    ifindexes: `${link.ifindex}${glyphs.pair}${link.containerIfindex ?? '?'}`,
    containerId: link.containerId,
    containerName: link.containerName,
    inside: link.containerInterface,
    mac: link.mac,
    address: endpoint?.ipv4 ?? endpoint?.ipv6,
    up: link.up,
    mtu: link.mtu,
    ...rates(snapshot.traffic[link.veth], 'container'),
    findings: lookup.linkFindings.get(link.veth) ?? [],
    note: reason ?? link.peer,
    isUnknown: reason !== undefined,
  };
}

/** An address as `ip addr` prints it: where the other end has one of its own, the prefix is that one's. */
const addressText = ({ address, peer, prefixLength }: Interface['addresses'][number]): string =>
  peer === undefined ? `${address}/${prefixLength}` : `${address} peer ${peer}/${prefixLength}`;

function interfaceRow(snapshot: Snapshot, lookup: Lookup, item: Interface): LinkRow {
  const network = snapshot.networks.find(candidate => candidate.id === item.networkId);
  return {
    key: `interface ${item.ifindex}`,
    section: sections.host,
    bridge: item.master,
    network: network?.name,
    name: item.name,
    ifindexes: String(item.ifindex),
    mac: item.mac,
    address: item.addresses
      .filter(address => address.family === 4 || !address.address.startsWith('fe80:'))
      .map(addressText)
      .join(' '),
    up: item.up,
    mtu: item.mtu,
    ...rates(snapshot.traffic[item.name], 'host'),
    findings: lookup.linkFindings.get(item.name) ?? [],
    note: item.speedMbit === undefined ? item.kind : `${item.kind}, ${item.speedMbit} Mbit/s`,
  };
}

/** How a running container without a veth is connected, or why its link is not known; nothing for one that does not run. */
function linkless(
  container: Container,
  isRootless: boolean,
): Pick<LinkRow, 'name' | 'note' | 'isUnknown' | 'bridge' | 'inside'> | undefined {
  if (!isUp(container) || container.state === 'restarting') return undefined;
  const { networkMode } = container;
  if (networkMode === 'host') {
    return isRootless
      ? { name: "daemon's netns", note: "shares rootless Docker's netns" }
      : { name: 'host netns', note: "shares the host's netns" };
  }
  if (networkMode === 'none') return { name: 'none', note: 'has no network' };
  if (networkMode === 'container') {
    const partner = container.sharesNetnsWith?.name;
    return partner === undefined
      ? { name: 'stranded', note: 'shares the netns of a container that is gone' }
      : { name: `netns of ${partner}`, note: `shares the netns of ${partner}` };
  }
  const parent = container.endpoints.find(endpoint => endpoint.parent);
  if (parent) {
    return {
      name: parent.driver,
      note: `${parent.driver} on ${parent.parent}`,
      bridge: parent.parent,
      inside: parent.interface,
    };
  }
  if (container.endpoints.length === 0) return { name: 'none', note: 'is on no network' };
  const reason = container.endpoints
    .map(endpoint => endpoint.unknown && Object.values(endpoint.unknown)[0])
    .find(Boolean);
  return { name: 'unknown', note: reason ?? 'not read yet', isUnknown: true };
}

const ordered = new WeakMap<readonly Link[], readonly Link[]>();

/** By bridge, those of none last, then by name; the same list for the same links. */
function inOrder(links: readonly Link[]): readonly Link[] {
  const known = ordered.get(links);
  if (known) return known;
  const list = links.toSorted(
    (a, b) =>
      Number(!a.bridge) - Number(!b.bridge) ||
      (a.bridge ?? '').localeCompare(b.bridge ?? '') ||
      a.veth.localeCompare(b.veth),
  );
  ordered.set(links, list);
  return list;
}

/** Every veth, every interface of the host, and every running container that has no veth, with how it is connected. */
export function linkRows(snapshot: Snapshot): LinkRow[] {
  const lookup = lookupOf(snapshot);
  const own = new Set(snapshot.interfaces.map(item => item.name));
  const isRootless = snapshot.host.docker?.rootless === true;
  const links = inOrder(snapshot.links)
    .filter(link => link.containerId !== undefined || !own.has(link.veth))
    .map(link => linkRow(snapshot, lookup, link));
  const without = snapshot.containers.flatMap((container): LinkRow[] => {
    const found = lookup.links.has(container.id) ? undefined : linkless(container, isRootless);
    if (!found) return [];
    return [
      {
        key: `container ${container.id}`,
        section: sections.shared,
        containerId: container.id,
        containerName: container.name,
        network: container.endpoints[0]?.network,
        address: container.endpoints[0]?.ipv4 ?? container.endpoints[0]?.ipv6,
        mac: container.endpoints[0]?.mac,
        findings: [],
        ...found,
      },
    ];
  });
  return [...links, ...without, ...snapshot.interfaces.map(item => interfaceRow(snapshot, lookup, item))];
}

/** The interface, or in its place how the container is connected. */
function nameCell(row: LinkRow): Cell {
  if (row.section !== sections.shared) return cell(row.name);
  return row.isUnknown ? unknownCell(row.note) : cell(row.name, 'dim');
}

function upCell(row: LinkRow): Cell {
  if (row.up === undefined) return nothing;
  return row.up ? cell(`${glyphs.up} up`, 'good') : cell(`${glyphs.down} down`, 'bad');
}

function containerCell(row: LinkRow): Cell {
  if (row.containerName !== undefined) return cell(row.containerName, 'accent');
  if (row.section === sections.host || row.peer !== undefined) return nothing;
  return row.isUnknown ? unknownCell() : cell('nobody', 'warn');
}

function noteCell(row: LinkRow): Cell {
  const finding = findingsCell(row.findings, row.name);
  if (finding) return finding;
  if (row.isUnknown) return unknownCell(row.note);
  return optional(row.note, 'dim');
}

function detailsOf(row: LinkRow): Line[] {
  return facts([
    ['interface', cell(row.name, 'title')],
    ['state', upCell(row)],
    ['bridge', row.bridge === undefined ? undefined : cell(row.bridge)],
    ['network', row.network === undefined ? undefined : cell(row.network)],
    ['ifindex', optional(row.ifindexes)],
    ['container', containerCell(row)],
    ['addresses', optional(row.address)],
    ['MAC', optional(row.mac)],
    ['MTU', optional(row.mtu)],
    ['received', row.rxBytes === undefined ? undefined : cell(bytes(row.rxBytes))],
    ['sent', row.txBytes === undefined ? undefined : cell(bytes(row.txBytes))],
    ['dropped', row.dropped === undefined ? undefined : cell(`${count(row.dropped)} packets`)],
    ['note', noteCell(row)],
  ]);
}

/** Links: bridge, veth, container interface; then the host's own interfaces. */
export const linkTable: Table<LinkRow> = {
  id: 'links',
  title: 'Links',
  key: row => row.key,
  section: row => row.section,
  columns: [
    { id: 'bridge', title: 'BRIDGE', priority: 2, min: 7, max: 16, want: 15, cell: row => optional(row.bridge) },
    { id: 'veth', title: 'VETH', priority: 1, min: 11, max: 24, want: 13, cell: nameCell },
    { id: 'state', title: 'STATE', priority: 6, min: 6, max: 6, cell: upCell },
    {
      id: 'ifindex',
      title: `IF${glyphs.pair}IF`,
      priority: 9,
      extra: true,
      min: 6,
      max: 9,
      cell: row => optional(row.ifindexes, 'dim'),
    },
    { id: 'container', title: 'CONTAINER', priority: 3, min: 9, max: 26, want: 18, cell: containerCell },
    { id: 'inside', title: 'INSIDE', priority: 4, min: 6, max: 10, cell: row => optional(row.inside) },
    { id: 'address', title: 'ADDRESS', priority: 5, min: 11, max: 40, want: 18, cell: row => optional(row.address) },
    { id: 'mac', title: 'MAC', extra: true, priority: 11, min: 17, max: 17, cell: row => optional(row.mac, 'dim') },
    {
      id: 'rx',
      title: 'RX/s',
      priority: 7,
      min: 6,
      max: 6,
      align: 'right',
      live: true,
      cell: row => rateCell(row.rxRate),
      sortKey: row => row.rxRate,
    },
    {
      id: 'tx',
      title: 'TX/s',
      priority: 8,
      min: 6,
      max: 6,
      align: 'right',
      live: true,
      cell: row => rateCell(row.txRate),
      sortKey: row => row.txRate,
    },
    {
      id: 'drops',
      title: 'DROPS',
      extra: true,
      priority: 12,
      min: 5,
      max: 6,
      align: 'right',
      cell: row => (row.dropped === undefined ? nothing : cell(count(row.dropped), row.dropped > 0 ? 'warn' : 'dim')),
      sortKey: row => row.dropped,
    },
    {
      id: 'mtu',
      title: 'MTU',
      extra: true,
      priority: 13,
      min: 5,
      max: 5,
      align: 'right',
      cell: row => optional(row.mtu, 'dim'),
    },
    { id: 'network', title: 'NETWORK', extra: true, priority: 14, min: 8, max: 24, cell: row => optional(row.network) },
    { id: 'note', title: 'NOTE', extra: true, priority: 10, min: 10, max: 80, want: 24, grow: true, cell: noteCell },
  ],
  fields: {
    name: { kind: 'text', of: row => [row.containerName] },
    veth: { kind: 'text', of: row => [row.name] },
    bridge: { kind: 'text', of: row => [row.bridge] },
    net: { kind: 'text', of: row => [row.network] },
    ip: { kind: 'text', of: row => [row.address] },
    mac: { kind: 'text', of: row => [row.mac] },
  },
  copy: row => (row.section === sections.shared ? (row.containerName ?? '') : row.name),
  containerId: row => row.containerId,
  details: detailsOf,
};
