/** Findings: what the operator should act on, with evidence and what to do. */
import type { Finding, Snapshot } from '../facts/schema.ts';
import { cell } from './cell.ts';
import type { Cell, Line } from './cell.ts';
import { severities, severityCell, withoutSubject } from './common-cells.ts';
import { facts, heading } from './document.ts';
import { lookupOf } from './lookup.ts';
import type { Table } from './table.ts';
import { age, ago } from './units.ts';

export interface FindingRow {
  finding: Finding;
  /** ms since the epoch. */
  now: number;
}

/** One row per finding, errors first as in the snapshot. */
export function findingRows(snapshot: Snapshot): FindingRow[] {
  const { now } = lookupOf(snapshot);
  return snapshot.findings.map(finding => ({ finding, now }));
}

const rank = { error: 0, warning: 1, info: 2 };

/** A finding in full: message, evidence with its source, what to do, and how to see it without netdash. */
export function findingDetails(finding: Finding, now: number): Line[] {
  return [
    [severityCell(finding.severity), cell(`  ${finding.code}`, 'title'), cell(`  ${finding.subject.name}`, 'accent')],
    [cell(finding.message)],
    [
      cell(
        `first seen ${ago(finding.since, now)}${finding.stale ? ', stale: it could not be judged again since its source failed' : ''}`,
        finding.stale ? 'warn' : 'dim',
      ),
    ],
    ...heading('Evidence'),
    ...finding.evidence.map(({ source, text }) => [cell(`${source}  `, 'dim'), cell(text)]),
    ...(finding.fix === undefined ? [] : [...heading('What to do'), [cell(finding.fix)]]),
    ...(finding.confirm === undefined ? [] : [...heading('See it without netdash'), [cell(finding.confirm, 'info')]]),
    ...(finding.ports.length === 0
      ? []
      : [
          [],
          ...facts([
            ['ports', cell(finding.ports.map(port => `${port.address} ${port.port}/${port.proto}`).join(', '))],
          ]),
        ]),
  ];
}

function messageCell({ finding }: FindingRow): Cell {
  return cell(`${withoutSubject(finding)}${finding.stale ? ' (stale)' : ''}`, finding.stale ? 'dim' : 'plain');
}

/** Findings, errors first. */
export const findingTable: Table<FindingRow> = {
  id: 'findings',
  title: 'Findings',
  key: row => row.finding.id,
  aged: row => ago(row.finding.since, row.now),
  columns: [
    {
      id: 'severity',
      title: 'SEVERITY',
      priority: 1,
      min: 9,
      max: 9,
      cell: row => severityCell(row.finding.severity),
      sortKey: row => rank[row.finding.severity],
    },
    {
      id: 'subject',
      title: 'SUBJECT',
      priority: 3,
      min: 8,
      max: 24,
      cell: row => cell(row.finding.subject.name, 'accent'),
    },
    { id: 'message', title: 'MESSAGE', priority: 2, min: 20, max: 160, want: 60, grow: true, cell: messageCell },
    {
      id: 'code',
      title: 'CODE',
      extra: true,
      priority: 4,
      min: 12,
      max: 26,
      cell: row => cell(row.finding.code, 'dim'),
    },
    {
      id: 'since',
      title: 'SINCE',
      priority: 5,
      min: 5,
      max: 5,
      align: 'right',
      ages: true,
      cell: row => cell(age(row.now - Date.parse(row.finding.since)), 'dim'),
      sortKey: row => -Date.parse(row.finding.since),
    },
  ],
  fields: {
    severity: { kind: 'word', of: row => [row.finding.severity] },
    code: { kind: 'text', of: row => [row.finding.code] },
    name: { kind: 'text', of: row => [row.finding.subject.name] },
    port: { kind: 'number', of: row => row.finding.ports.map(port => port.port) },
  },
  copy: row => row.finding.confirm ?? row.finding.message,
  containerId: row => row.finding.containerIds[0],
  details: row => findingDetails(row.finding, row.now),
  detailsFirst: true,
};

/** `✗ clash did not start: …`: a finding in one line. */
export function findingLine(finding: Finding): Line {
  const { tone, glyph } = severities[finding.severity];
  const { name } = finding.subject;
  const rest = withoutSubject(finding);
  const isNamed = rest !== finding.message;
  return [
    cell(`${glyph} `, tone),
    ...(isNamed ? [cell(`${name} `, 'accent')] : []),
    cell(`${rest}${finding.stale ? ' (stale)' : ''}`, finding.stale ? 'dim' : 'plain'),
  ];
}
