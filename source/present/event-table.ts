/** Pane 6: what happened. */
import type { NetdashEvent } from '../facts/schema.ts';
import { cell } from './cell.ts';
import type { Cell, Line, Tone } from './cell.ts';
import { nothing, optional, severities } from './common-cells.ts';
import { facts } from './document.ts';
import { findingDetails } from './finding-table.ts';
import type { Table } from './table.ts';
import { ago, moment, shortMoment } from './units.ts';

export interface EventRow {
  event: NetdashEvent;
  key: string;
  /** ms since the epoch. */
  now: number;
  /** Of a finding that was raised: when it was cleared, ISO 8601; absent while it is there. */
  clearedAt?: string;
}

/** One row per event, in the order given (newest first). */
export function eventRows(events: readonly NetdashEvent[], now: number): EventRow[] {
  const seen = new Map<string, number>();
  const ends = clearedOf(events);
  return events
    .toReversed()
    .map((event): EventRow => {
      // Counted from the oldest on, so that a key stays when newer events arrive.
      const base = `${event.at} ${event.type} ${event.containerId ?? ''} ${event.text}`;
      const copies = seen.get(base) ?? 0;
      seen.set(base, copies + 1);
      const clearedAt = ends.get(event);
      return { event, key: `${base} ${copies}`, now, ...(clearedAt !== undefined && { clearedAt }) };
    })
    .toReversed();
}

/** When each finding that was raised was cleared after that. @param events newest first */
function clearedOf(events: readonly NetdashEvent[]): Map<NetdashEvent, string> {
  const ends = new Map<NetdashEvent, string>();
  const cleared = new Map<string, string>();
  for (const event of events) {
    const { type, finding, at } = event;
    if (!finding) continue;
    if (type === 'finding-cleared') cleared.set(finding.id, at);
    const end = type === 'finding-raised' ? cleared.get(finding.id) : undefined;
    if (end === undefined) continue;
    ends.set(event, end);
    cleared.delete(finding.id);
  }
  return ends;
}

const tones: Partial<Record<NetdashEvent['type'], Tone>> = {
  'port-changed': 'info',
  'container-started': 'good',
  'container-died': 'warn',
  'start-failed': 'bad',
  'finding-cleared': 'good',
  'source-failed': 'bad',
  'source-recovered': 'good',
  'daemon-restarted': 'warn',
  'rules-changed': 'info',
};

function toneOf(event: NetdashEvent): Tone {
  if (event.type === 'finding-cleared') return 'good';
  if (event.severity) return severities[event.severity].tone;
  return tones[event.type] ?? 'plain';
}

function typeCell({ event }: EventRow): Cell {
  const glyph = event.type === 'finding-raised' && event.severity ? `${severities[event.severity].glyph} ` : '';
  return cell(glyph + event.type, toneOf(event));
}

function detailsOf({ event, now, clearedAt }: EventRow): Line[] {
  return [
    ...facts([
      ['at', cell(`${moment(event.at, now)}, ${ago(event.at, now)}`)],
      ['what', cell(event.type, toneOf(event))],
      ['container', event.containerName === undefined ? undefined : cell(event.containerName, 'accent')],
      ['text', cell(event.text)],
      [
        'cleared',
        clearedAt === undefined ? undefined : cell(`${moment(clearedAt, now)}, ${ago(clearedAt, now)}`, 'good'),
      ],
      ['cause', event.portChange && cell(event.portChange.cause)],
    ]),
    ...(event.finding ? [[], ...findingDetails(event.finding, now)] : []),
  ];
}

/** Events, newest first. */
export const eventTable: Table<EventRow> = {
  id: 'events',
  title: 'Events',
  key: row => row.key,
  aged: row => `${shortMoment(row.event.at, row.now)} ${ago(row.event.at, row.now)}`,
  columns: [
    {
      id: 'at',
      title: 'AT',
      priority: 2,
      min: 8,
      max: 11,
      ages: true,
      cell: row => cell(shortMoment(row.event.at, row.now), 'dim'),
      sortKey: row => Date.parse(row.event.at),
    },
    { id: 'type', title: 'WHAT', priority: 3, min: 17, max: 22, cell: typeCell },
    {
      id: 'container',
      title: 'CONTAINER',
      priority: 4,
      min: 8,
      max: 24,
      want: 16,
      cell: row => optional(row.event.containerName, 'accent'),
    },
    {
      id: 'text',
      title: 'TEXT',
      priority: 1,
      min: 20,
      max: 200,
      want: 30,
      grow: true,
      cell: row => cell(row.event.text),
    },
    {
      id: 'cause',
      title: 'CAUSE',
      extra: true,
      priority: 5,
      min: 8,
      max: 14,
      cell: row => (row.event.portChange ? cell(row.event.portChange.cause, 'dim') : nothing),
    },
  ],
  fields: {
    name: { kind: 'text', of: row => [row.event.containerName] },
    type: { kind: 'text', of: row => [row.event.type] },
    severity: { kind: 'word', of: row => [row.event.severity] },
    finding: { kind: 'text', of: row => [row.event.finding?.code] },
  },
  copy: row => `${row.event.at} ${row.event.type} ${row.event.text}`,
  containerId: row => row.event.containerId,
  details: detailsOf,
  detailsFirst: true,
};

/** The same for one container, whose name goes without saying. */
export const historyTable: Table<EventRow> = {
  ...eventTable,
  columns: eventTable.columns.filter(({ id }) => id !== 'container'),
};
