/** A container's ports: what was asked for, what Docker published, and what listens behind it. */
import type { Container, Listener, Proto } from '../../facts/schema.ts';
import { glyphs } from '../../terminal/charset.ts';
import { isLoopback, socketAddress } from '../addresses.ts';
import { cell, unknownCell } from '../cell.ts';
import type { Cell } from '../cell.ts';
import { nothing } from '../common-cells.ts';
import { isUp } from '../container-table.ts';
import { publishedOf, requestedSide } from '../published.ts';
import type { Table } from '../table.ts';

/** One port of the container's side. */
export interface ContainerPortRow {
  container: Container;
  proto: Proto;
  port: number;
}

/** Every port that was asked for, published, exposed or is listened on, in order. */
export function containerPortRows(container: Container): ContainerPortRow[] {
  const all = [
    ...container.requestedPorts.map(({ proto, containerPort }) => ({ proto, port: containerPort })),
    ...container.publishedPorts.map(({ proto, containerPort }) => ({ proto, port: containerPort })),
    ...container.exposedPorts,
    ...(container.listeners ?? [])
      .filter(listener => !listener.embeddedDns)
      .map(({ proto, port }) => ({ proto, port })),
  ];
  const unique = new Map(all.map(({ proto, port }) => [`${port}/${proto}`, { container, proto, port }]));
  return [...unique.values()].sort((a, b) => a.port - b.port || a.proto.localeCompare(b.proto));
}

function askedCell({ container, proto, port }: ContainerPortRow): Cell {
  const asked = container.requestedPorts.filter(item => item.proto === proto && item.containerPort === port);
  return asked.length === 0 ? nothing : cell(asked.map(requestedSide).join(' '));
}

function publishedCell({ container, proto, port }: ContainerPortRow): Cell {
  const published = publishedOf(container).filter(item => item.proto === proto && item.containerPort === port);
  if (published.length === 0) {
    const isAsked = container.requestedPorts.some(item => item.proto === proto && item.containerPort === port);
    return isAsked
      ? cell(
          isUp(container) ? `${glyphs.failed} not published` : 'not while it is down',
          isUp(container) ? 'bad' : 'dim',
        )
      : nothing;
  }
  const texts = published.map(item =>
    item.hostPort === 0 ? 'routed' : socketAddress(item.hostIp || '0.0.0.0', item.hostPort),
  );
  return cell(texts.join(' ') + (published.some(item => item.ephemeral) ? ' (ephemeral)' : ''));
}

const holder = ({ address, port, device, process, pid }: Listener): string =>
  [socketAddress(address, port), ...(device === undefined ? [] : [`on ${device}`]), process, pid]
    .filter(each => each !== null)
    .join(' ');

function insideCell({ container, proto, port }: ContainerPortRow): Cell {
  if (!isUp(container)) return nothing;
  if (container.listeners === null) return unknownCell(container.unknown?.['listeners']);
  const found = container.listeners.filter(item => item.proto === proto && item.port === port && !item.embeddedDns);
  if (found.length === 0) return cell(`${glyphs.failed} nothing listens`, 'warn');
  const onlyLoopback = found.every(({ address, device }) => isLoopback(address) || device === 'lo');
  return cell(
    `${onlyLoopback ? glyphs.warning : glyphs.ok} ${found.map(holder).join(', ')}${onlyLoopback ? ' only' : ''}`,
    onlyLoopback ? 'warn' : 'good',
  );
}

function exposedCell({ container, proto, port }: ContainerPortRow): Cell {
  return container.exposedPorts.some(item => item.proto === proto && item.port === port)
    ? cell('exposed', 'dim')
    : nothing;
}

/** Asked for, published, listening: one line per port. */
export const containerPortTable: Table<ContainerPortRow> = {
  id: 'container-ports',
  title: 'Ports',
  key: row => `${row.port}/${row.proto}`,
  columns: [
    { id: 'port', title: 'PORT', priority: 1, min: 8, max: 10, cell: row => cell(`${row.port}/${row.proto}`, 'title') },
    { id: 'asked', title: 'ASKED FOR', priority: 3, min: 10, max: 30, cell: askedCell },
    { id: 'published', title: 'PUBLISHED ON THE HOST', priority: 2, min: 21, max: 50, cell: publishedCell },
    { id: 'inside', title: 'LISTENS INSIDE', priority: 4, min: 18, max: 60, cell: insideCell },
    { id: 'exposed', title: 'IMAGE', priority: 5, min: 7, max: 7, cell: exposedCell },
  ],
  fields: {},
  copy: row => `${row.port}/${row.proto}`,
};
