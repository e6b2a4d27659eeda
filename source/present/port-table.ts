/** Pane 3: ports, listeners and who owns them. */
import { glyphs } from '../terminal/charset.ts';
import { addressKey, socketAddress } from './addresses.ts';
import { cell, lazyCell, unknownCell } from './cell.ts';
import type { Cell, Line } from './cell.ts';
import { findingsCell, nothing, optional } from './common-cells.ts';
import { facts } from './document.ts';
import type { PortRow } from './port-rows.ts';
import { exposureOfRow, isExposed } from './port-reach.ts';
import { exposureCell, exposureReason } from './reach.ts';
import type { Table } from './table.ts';

export { portRows } from './port-rows.ts';
export type { PortRow } from './port-rows.ts';

/** Who owns it: the container by name, else the process, else Docker. */
function ownerCell(row: PortRow): Cell {
  const { owner } = row;
  if (row.kind === 'unknown') return cell(owner.containerName ?? 'host', 'dim');
  if (owner.containerName !== undefined) return cell(owner.containerName, 'accent');
  if (owner.service !== undefined) return cell(`service ${owner.service}`, 'accent');
  if (owner.kind === 'docker') return cell('docker');
  if (owner.kind === 'process' && row.process !== undefined) return cell(row.process);
  return unknownCell(row.reason);
}

function processCell(row: PortRow): Cell {
  if (row.kind === 'unknown') return nothing;
  const pid = row.pid === undefined ? '' : ` ${row.pid}`;
  if (row.process !== undefined) return cell(`${row.process}${pid}`);
  if (row.kind !== 'listener') return nothing;
  if (row.pid !== undefined) return cell(`pid${pid}`);
  if (row.embeddedDns === true) return cell('dockerd', 'dim');
  // Beside an unknown owner the reason already stands.
  return unknownCell(row.owner.kind === 'unknown' ? undefined : row.reason);
}

function addressCell(row: PortRow): Cell {
  if (row.kind === 'unknown') return nothing;
  const v4 = row.address === '::' && row.v6only === false ? ' +v4' : '';
  return cell(`${row.address}${v4}${row.device === undefined ? '' : ` on ${row.device}`}`);
}

function exposedCell(row: PortRow): Cell {
  return lazyCell(() => {
    const exposure = exposureOfRow(row);
    return exposure ? exposureCell(exposure) : nothing;
  });
}

function noteCell(row: PortRow): Cell {
  if (row.kind === 'unknown') return unknownCell(row.reason);
  const finding = findingsCell(row.findings, row.owner.containerName);
  if (finding) return finding;
  if (row.embeddedDns) return cell("Docker's DNS", 'dim');
  if (row.kind !== 'listener' && row.reason !== undefined) return cell(row.reason, 'dim');
  if (row.ephemeral) return cell('ephemeral', 'dim');
  return nothing;
}

function targetText(row: PortRow): string | undefined {
  return row.target && socketAddress(row.target.address, row.target.port);
}

function detailsOf(row: PortRow): Line[] {
  const exposure = exposureOfRow(row);
  return facts([
    ['listens on', cell(row.port === undefined ? '-' : `${row.proto} ${socketAddress(row.address, row.port)}`)],
    ['bound to', row.device === undefined ? undefined : cell(`the interface ${row.device} (SO_BINDTODEVICE)`)],
    ['IPv4 as well', row.address === '::' ? v6onlyCell(row.v6only) : undefined],
    ['owner', ownerCell(row)],
    ['held through', row.owner.via === undefined ? undefined : cell(row.owner.via)],
    ['process', processCell(row)],
    ['unit', row.unit === undefined ? undefined : cell(row.unit)],
    ['leads to', row.target && cell(targetText(row)!)],
    ['from others', exposedCell(row)],
    ['why', exposure && cell(exposureReason(exposure))],
    ['service', row.service?.name === undefined ? undefined : cell(row.service.name)],
    ['note', noteCell(row)],
  ]);
}

function v6onlyCell(v6only: boolean | null | undefined): Cell {
  if (v6only === undefined || v6only === null) return unknownCell('IPV6_V6ONLY could not be read');
  return cell(v6only ? 'no, IPv6 only' : 'yes, dual-stack');
}

/** Ports: the host's, then those inside containers. */
export const portTable: Table<PortRow> = {
  id: 'ports',
  title: 'Ports',
  key: row => row.key,
  section: row => (row.place === 'host' ? 'On the host' : 'Inside containers'),
  columns: [
    { id: 'proto', title: 'PROTO', priority: 2, min: 5, max: 5, cell: row => optional(row.proto) },
    {
      id: 'address',
      title: 'ADDRESS',
      priority: 3,
      // `10.77.0.100` and `10.77.0.200` are two.
      min: 11,
      max: 40,
      want: 15,
      cell: addressCell,
      sortKey: row => addressKey(row.address),
    },
    {
      id: 'port',
      title: 'PORT',
      priority: 1,
      min: 5,
      max: 5,
      align: 'right',
      cell: row => optional(row.port, 'title'),
      sortKey: row => row.port,
    },
    { id: 'owner', title: 'OWNER', priority: 5, min: 8, max: 30, want: 18, cell: ownerCell },
    { id: 'process', title: 'PROCESS', priority: 8, min: 10, max: 26, want: 17, cell: processCell },
    {
      id: 'target',
      title: `${glyphs.arrow} TARGET`,
      priority: 4,
      min: 13,
      max: 30,
      want: 16,
      cell: row => optional(targetText(row)),
    },
    {
      id: 'exposure',
      title: 'REACH',
      priority: 6,
      min: 12,
      max: 20,
      want: 20,
      steady: true,
      cell: exposedCell,
    },
    { id: 'note', title: 'NOTE', priority: 7, min: 12, max: 90, want: 24, grow: true, cell: noteCell },
    { id: 'unit', title: 'UNIT', extra: true, priority: 9, min: 10, max: 28, cell: row => optional(row.unit, 'dim') },
  ],
  fields: {
    port: { kind: 'number', of: row => [row.port, row.target?.port] },
    proto: { kind: 'word', of: row => [row.proto] },
    ip: { kind: 'text', of: row => [row.address, row.target?.address] },
    owner: { kind: 'text', of: row => [row.owner.containerName, row.owner.service, row.process] },
    name: { kind: 'text', of: row => [row.owner.containerName] },
    process: { kind: 'text', of: row => [row.process] },
    pid: { kind: 'number', of: row => [row.pid] },
    unit: { kind: 'text', of: row => [row.unit] },
    exposed: { kind: 'word', of: row => [row.exposure] },
    reach: { kind: 'word', of: row => [exposureOfRow(row)?.word] },
    service: { kind: 'text', of: row => [row.service?.name] },
    risk: { kind: 'word', of: row => [row.service?.risk] },
    place: { kind: 'word', of: row => [row.place] },
    finding: { kind: 'text', of: row => row.findings.map(finding => finding.code) },
  },
  words: { exposed: isExposed },
  copy: row => (row.port === undefined ? (row.reason ?? '') : socketAddress(row.address, row.port)),
  containerId: row => row.containerId,
  details: detailsOf,
};
