/** Pane 4: networks. */
import type { Finding, Network, Snapshot } from '../facts/schema.ts';
import { addressKey } from './addresses.ts';
import { cell } from './cell.ts';
import type { Cell, Line } from './cell.ts';
import { findingsCell, nothing, optional } from './common-cells.ts';
import { facts, heading } from './document.ts';
import type { Table } from './table.ts';
import { shortId } from './units.ts';

export interface NetworkRow {
  network: Network;
  findings: readonly Finding[];
}

/** One row per network that Docker knows. */
export function networkRows(snapshot: Snapshot): NetworkRow[] {
  return snapshot.networks.map(network => ({
    network,
    findings: snapshot.findings.filter(
      finding =>
        finding.subject.kind === 'network' &&
        (finding.subject.id === undefined ? finding.subject.name === network.name : finding.subject.id === network.id),
    ),
  }));
}

/** What is not as by default, in the words of Docker's options. */
export function networkOptions(network: Network): string[] {
  const said: (string | false | undefined)[] = [
    network.internal && 'internal',
    network.ingress && 'ingress',
    network.attachable && 'attachable',
    network.icc === false && 'icc off',
    network.masquerade === false && 'no masquerade',
    network.gatewayMode4 !== undefined && network.gatewayMode4 !== 'nat' && `${network.gatewayMode4} v4`,
    network.gatewayMode6 !== undefined && network.gatewayMode6 !== 'nat' && `${network.gatewayMode6} v6`,
    network.ipv6 && 'IPv6',
    !network.ipv4 && 'no IPv4',
    network.mtu !== undefined && `mtu ${network.mtu}`,
    network.hostBindingIp !== undefined && network.hostBindingIp !== '0.0.0.0' && `binds ${network.hostBindingIp}`,
    network.parent !== undefined && `parent ${network.parent}`,
  ];
  return said.filter(text => typeof text === 'string');
}

function membersCell({ network }: NetworkRow): Cell {
  const up = network.members.filter(member => member.running).length;
  const names = network.members.map(member => (member.running ? member.containerName : `(${member.containerName})`));
  if (names.length === 0) return cell('none', 'dim');
  return cell(`${up}/${names.length} ${names.join(' ')}`);
}

function usedCell({ network }: NetworkRow): Cell {
  const subnet = network.subnets[0];
  if (!subnet) return nothing;
  const isFull = subnet.size !== null && subnet.used >= subnet.size;
  return cell(`${subnet.used}/${subnet.size ?? 'many'}`, isFull ? 'warn' : 'plain');
}

function detailsOf(row: NetworkRow): Line[] {
  const { network } = row;
  const options = Object.entries(network.options);
  return [
    ...facts([
      ['network', cell(network.name, 'title')],
      ['id', cell(network.id, 'dim')],
      ['driver', cell(network.driver)],
      ['scope', cell(network.scope)],
      ['bridge', network.bridge === undefined ? undefined : cell(network.bridge)],
      ['parent', network.parent === undefined ? undefined : cell(network.parent)],
      ['options', cell(networkOptions(network).join(', ') || 'as by default')],
      ['project', network.composeProject === undefined ? undefined : cell(network.composeProject)],
      ['note', findingsCell(row.findings)],
    ]),
    ...heading('Subnets'),
    ...(network.subnets.length === 0 ? [[cell('none', 'dim')]] : []),
    ...network.subnets.map(({ subnet, gateway, used, size }) => [
      cell(subnet),
      cell(`  gateway ${gateway ?? 'none'}  ${used} of ${size ?? 'very many'} addresses in use`, 'dim'),
    ]),
    ...heading('Members'),
    ...(network.members.length === 0 ? [[cell('none', 'dim')]] : []),
    ...network.members.map(member => [
      cell(member.containerName.padEnd(24), member.running ? 'accent' : 'dim'),
      cell(` ${member.ipv4 ?? member.ipv6 ?? '-'}`),
      cell(member.running ? '' : '  not running', 'dim'),
    ]),
    ...(options.length === 0 ? [] : heading('Driver options')),
    ...options.map(([name, value]) => [cell(`${name} = `, 'dim'), cell(value)]),
  ];
}

/** Networks: driver, subnets, options that matter, members, use. */
export const networkTable: Table<NetworkRow> = {
  id: 'networks',
  title: 'Networks',
  key: row => row.network.id,
  sort: { column: 'name', reverse: false },
  columns: [
    { id: 'name', title: 'NAME', priority: 1, min: 8, max: 28, cell: row => cell(row.network.name, 'accent') },
    { id: 'driver', title: 'DRIVER', priority: 2, min: 7, max: 12, cell: row => cell(row.network.driver) },
    {
      id: 'subnet',
      title: 'SUBNET',
      priority: 3,
      min: 13,
      max: 44,
      want: 18,
      cell: row => optional(row.network.subnets.map(item => item.subnet).join(' ')),
      sortKey: row => row.network.subnets[0] && addressKey(row.network.subnets[0].subnet),
    },
    {
      id: 'gateway',
      title: 'GATEWAY',
      priority: 7,
      min: 10,
      max: 40,
      want: 16,
      extra: true,
      cell: row =>
        optional(
          row.network.subnets
            .map(item => item.gateway)
            .filter(gateway => gateway)
            .join(' '),
        ),
    },
    { id: 'bridge', title: 'BRIDGE', priority: 6, min: 8, max: 16, cell: row => optional(row.network.bridge) },
    {
      id: 'options',
      title: 'OPTIONS',
      priority: 5,
      min: 8,
      max: 40,
      want: 20,
      cell: row => optional(networkOptions(row.network).join(', ')),
    },
    {
      id: 'used',
      title: 'USED',
      extra: true,
      priority: 8,
      min: 6,
      max: 11,
      align: 'right',
      cell: usedCell,
      sortKey: row => row.network.subnets[0]?.used,
    },
    {
      id: 'members',
      title: 'MEMBERS',
      priority: 4,
      min: 10,
      max: 60,
      want: 24,
      grow: true,
      cell: membersCell,
      sortKey: row => row.network.members.length,
    },
    {
      id: 'note',
      title: 'NOTE',
      priority: 9,
      extra: true,
      want: 20,
      min: 10,
      max: 60,
      cell: row => findingsCell(row.findings) ?? nothing,
      sortKey: row => row.findings.length || undefined,
    },
    {
      id: 'id',
      title: 'ID',
      extra: true,
      priority: 10,
      min: 12,
      max: 12,
      cell: row => cell(shortId(row.network.id), 'dim'),
    },
  ],
  fields: {
    name: { kind: 'text', of: row => [row.network.name] },
    driver: { kind: 'word', of: row => [row.network.driver] },
    ip: { kind: 'text', of: row => row.network.subnets.flatMap(item => [item.subnet, item.gateway]) },
    bridge: { kind: 'text', of: row => [row.network.bridge] },
    member: { kind: 'text', of: row => row.network.members.map(member => member.containerName) },
    project: { kind: 'text', of: row => [row.network.composeProject] },
    finding: { kind: 'text', of: row => row.findings.map(finding => finding.code) },
  },
  copy: row => row.network.id,
  details: detailsOf,
};
