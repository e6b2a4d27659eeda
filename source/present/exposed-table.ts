/** What others can reach, riskiest first: the Ports pane under the filter `exposed`, and `netdash ports --exposed`. */
import type { Risk } from '../facts/sensitive-services.ts';
import { cell, lazyCell, unknownCell, type Cell, type Tone } from './cell.ts';
import { optional } from './common-cells.ts';
import { exposureOfRow, isExposed } from './port-reach.ts';
import { portTable, type PortRow } from './port-table.ts';
import { exposureReason } from './reach.ts';
import type { Column, Table } from './table.ts';

/** Riskiest first. */
const ranks: Readonly<Record<Risk, number>> = { critical: 0, high: 1, elevated: 2, ordinary: 3 };
const tones: Readonly<Record<Risk, Tone>> = { critical: 'bad', high: 'warn', elevated: 'info', ordinary: 'plain' };

const unknownRank = 4;

const riskOf = (row: PortRow): Risk => row.service?.risk ?? 'ordinary';

/** Whether it is certain that others reach it, and not only not known to be otherwise. */
const isOpen = (row: PortRow): boolean => row.kind !== 'unknown' && exposureOfRow(row)?.word === 'reachable';

/** What nobody meant to open, as far as that shows: published for this host alone, or not published. */
function surprise(row: PortRow): string | undefined {
  if (!isOpen(row)) return undefined;
  if (row.place === 'inside' && exposureOfRow(row)?.unmeant)
    return 'straight at its own address, not by a published port';
  return row.exposure === 'loopback'
    ? 'though it is published for this host only: a neighbour can send to 127.0.0.1 by way of this host'
    : undefined;
}

/** Why it counts, in one line: what it is, what was not meant, and where it answers or what is not known. */
export function exposedReason(row: PortRow): string {
  const exposure = exposureOfRow(row);
  const { name, why } = row.service ?? {};
  const what = name === undefined ? undefined : `${name}${why === undefined ? '' : `: ${why}`}`;
  const where = exposure ? exposureReason(exposure) : row.reason;
  return [what, surprise(row), where].filter(Boolean).join('; ');
}

function riskCell(row: PortRow): Cell {
  if (row.kind === 'unknown') return unknownCell();
  const risk = riskOf(row);
  return cell(risk, tones[risk]);
}

function reasonCell(row: PortRow): Cell {
  if (row.kind === 'unknown') return unknownCell(row.reason);
  return optional(exposedReason(row), isOpen(row) ? 'plain' : 'dim');
}

/** A column of the Ports pane, as important as it is here. */
const kept = (id: string, priority: number): Column<PortRow>[] =>
  portTable.columns.flatMap(column => (column.id === id ? [{ ...column, priority }] : []));

const openSection = 'Others can reach these, riskiest first';
const unknownSection = 'Not known whether others can reach these';

/** Whether a filter of the Ports pane asks for this arrangement. */
export const asksForExposed = (filter: string): boolean => /(?:^|\s)exposed(?:\s|$)/i.test(filter);

/** The Ports pane in order of risk. */
export const exposedTable: Table<PortRow> = {
  ...portTable,
  title: 'Exposed ports',
  section: row => (isOpen(row) ? openSection : unknownSection),
  sections: [openSection, unknownSection],
  sort: { column: 'risk', reverse: false },
  columns: [
    {
      id: 'risk',
      title: 'RISK',
      priority: 2,
      min: 8,
      max: 8,
      cell: riskCell,
      sortKey: row => (row.kind === 'unknown' ? unknownRank : ranks[riskOf(row)]),
    },
    ...kept('proto', 6),
    ...kept('address', 5),
    ...kept('port', 1),
    ...kept('owner', 4),
    ...kept('target', 7),
    ...kept('process', 8),
    {
      id: 'why',
      title: 'WHY',
      priority: 3,
      min: 20,
      max: 200,
      want: 40,
      grow: true,
      steady: true,
      cell: row => lazyCell(() => reasonCell(row)),
    },
  ],
};

const rankOf = (row: PortRow): number =>
  (isOpen(row) ? 0 : 100) + (row.kind === 'unknown' ? unknownRank : ranks[riskOf(row)]);

/** Rows in the order of the table: certain ones first, each part riskiest first, else as they come. */
function exposedOrder(rows: readonly PortRow[]): PortRow[] {
  return [...rows].sort((a, b) => rankOf(a) - rankOf(b));
}

/** Of all rows those that others reach or may reach, in the order of the table. */
export function exposedRows(rows: readonly PortRow[]): PortRow[] {
  return exposedOrder(rows.filter(isExposed));
}
