/** The page of one container: its tabs and what each says, as lines to scroll through. */
import type { Reachability } from '../../facts/reachability.ts';
import type { Container, NetdashEvent, Snapshot } from '../../facts/schema.ts';
import { glyphs } from '../../terminal/charset.ts';
import { jsonText } from '../../terminal/json-text.ts';
import { socketAddress } from '../addresses.ts';
import { cell, unknownCell } from '../cell.ts';
import type { Line } from '../cell.ts';
import { isUp } from '../container-table.ts';
import { heading, wrapLines } from '../document.ts';
import { eventRows, historyTable } from '../event-table.ts';
import { findingDetails } from '../finding-table.ts';
import { linkRows, linkTable } from '../link-table.ts';
import { lookupOf } from '../lookup.ts';
import type { Lookup } from '../lookup.ts';
import { portRows, portTable } from '../port-table.ts';
import type { PaneSource } from '../notices.ts';
import { listLines } from '../render-table.ts';
import { actionCell, authorCell, ruleRows } from '../rule-table.ts';
import { listOf } from '../table.ts';
import type { Table } from '../table.ts';
import { bytes, count, moment } from '../units.ts';
import { overviewLines } from './overview.ts';
import { containerPortRows, containerPortTable } from './port-lines.ts';
import { pathLines } from './path-tab.ts';
import { processTable } from './process-table.ts';

/** The tabs in their order; a tab's number key is its place. */
export const containerTabs = [
  { id: 'overview', title: 'Overview' },
  { id: 'ports', title: 'Ports' },
  { id: 'path', title: 'Path' },
  { id: 'links', title: 'Links' },
  { id: 'sockets', title: 'Sockets' },
  { id: 'rules', title: 'Rules' },
  { id: 'findings', title: 'Findings' },
  { id: 'history', title: 'History' },
  { id: 'raw', title: 'Raw' },
] as const;

export type ContainerTab = (typeof containerTabs)[number]['id'];

/** Docker's own answer about a container, or how far asking for it has come. */
export type RawAnswer = { state: 'asking' } | { state: 'failed'; reason: string } | { state: 'ok'; value: unknown };

/** What a page is made of. */
export interface PageInput {
  snapshot: Snapshot;
  reach: Reachability;
  events: readonly NetdashEvent[];
  container: Container;
  raw?: RawAnswer;
  width: number;
}

/** A table's rows as lines, or what it means that there are none. */
function tableOr<Row>(table: Table<Row>, rows: readonly Row[], width: number, none: string): Line[] {
  return rows.length === 0 ? [[cell(none, 'dim')]] : listLines(listOf(table, rows), width);
}

function portsTab({ snapshot, reach, container, width }: PageInput): Line[] {
  const changes = lookupOf(snapshot).changes.get(container.id) ?? [];
  const held = portRows(snapshot, reach).filter(row => row.place === 'host' && row.containerId === container.id);
  return [
    ...tableOr(
      containerPortTable,
      containerPortRows(container),
      width,
      'It asks for no port, exposes none and listens on none.',
    ),
    ...heading('Held on the host for it'),
    ...tableOr(
      { ...portTable, section: undefined },
      held,
      width,
      snapshot.listeners === null ? 'unknown: sockets cannot be read' : 'none',
    ),
    ...(changes.length === 0 ? [] : heading('Changes')),
    ...changes.map(change => changeLine(change, lookupOf(snapshot))),
  ];
}

function changeLine(change: Snapshot['portChanges'][number], lookup: Lookup): Line {
  const side = (bindings: typeof change.from) =>
    bindings.map(({ hostIp, hostPort }) => socketAddress(hostIp || '0.0.0.0', hostPort)).join(' ');
  return [
    cell(`${moment(change.at, lookup.now)}  `, 'dim'),
    cell(`${change.containerPort}/${change.proto}  ${side(change.from)} ${glyphs.arrow} ${side(change.to)}`, 'info'),
    cell(`  ${change.cause}`, 'dim'),
  ];
}

function linksTab({ snapshot, container, width }: PageInput): Line[] {
  const rows = linkRows(snapshot).filter(row => row.containerId === container.id);
  return tableOr({ ...linkTable, section: undefined }, rows, width, 'It is not running, so it has no link.');
}

function socketsTab({ snapshot, container, width }: PageInput): Line[] {
  if (!isUp(container)) return [[cell('It is not running, so it has no socket and no process.', 'dim')]];
  const rows = portRows({ ...snapshot, listeners: [], services: [], containers: [ownListeners(container)] }).filter(
    row => row.place === 'inside',
  );
  const listeners =
    container.listeners === null
      ? [[unknownCell(container.unknown?.['listeners'] ?? 'not read yet')]]
      : tableOr(
          {
            ...portTable,
            section: undefined,
            columns: portTable.columns.filter(({ id }) => id !== 'owner' && id !== 'target' && id !== 'unit'),
          },
          rows,
          width,
          'nothing listens',
        );
  const { processes } = container;
  return [
    ...heading('Listeners in its netns', true),
    ...listeners,
    ...heading('Processes'),
    ...(processes
      ? tableOr(processTable, processes, width, 'none')
      : [[unknownCell(container.unknown?.['processes'] ?? 'not read yet')]]),
  ];
}

/** The container as one with a netns of its own, so that its listeners become rows whoever it shares them with. */
function ownListeners(container: Container): Container {
  return { ...container, state: 'running', networkMode: 'bridge', publishedPorts: [] };
}

function rulesTab({ snapshot, container, width }: PageInput): Line[] {
  if (snapshot.rules === null) return [[unknownCell(snapshot.sources['netfilter']?.reason ?? 'not read yet')]];
  const rows = ruleRows(snapshot).filter(row => row.rule.containerIds.includes(container.id));
  if (rows.length === 0) return [[cell('No rule names its address or one of its published ports.', 'dim')]];
  return rows.flatMap(({ rule }) => [
    [
      cell(`${rule.family} ${rule.table} ${rule.chain} ${rule.number === 0 ? 'policy' : `#${rule.number}`}  `, 'title'),
      actionCell(rule),
      cell(
        rule.packets === undefined ? '  ' : `  ${count(rule.packets)} packets ${bytes(rule.bytes ?? 0)}  `,
        rule.packets ? 'plain' : 'dim',
      ),
      authorCell(rule),
    ],
    ...wrapLines([[cell(`    ${rule.text}`, 'dim')]], width),
  ]);
}

function findingsTab({ snapshot, container }: PageInput): Line[] {
  const lookup = lookupOf(snapshot);
  const findings = lookup.findings.get(container.id) ?? [];
  if (findings.length === 0) return [[cell('No findings about it.', 'dim')]];
  return findings.flatMap((finding, i) => [...(i === 0 ? [] : [[], []]), ...findingDetails(finding, lookup.now)]);
}

function historyTab({ snapshot, events, container, width }: PageInput): Line[] {
  const own = events.filter(event => event.containerId === container.id || event.containerName === container.name);
  return tableOr(
    historyTable,
    eventRows(own, lookupOf(snapshot).now),
    width,
    'Nothing has happened to it since netdash started.',
  );
}

function rawTab({ raw }: PageInput): Line[] {
  if (!raw || raw.state === 'asking') return [[cell(`asking Docker${glyphs.ellipsis}`, 'dim')]];
  if (raw.state === 'failed') return [[cell(`${glyphs.failed} Docker did not answer: ${raw.reason}`, 'bad')]];
  return jsonText(raw.value, 2)
    .trimEnd()
    .split('\n')
    .map(text => {
      const [, indent, key, rest] = /^(\s*)("(?:[^"\\]|\\.)*": )?(.*)$/.exec(text)!;
      return [cell(indent!), ...(key ? [cell(key, 'accent')] : []), cell(rest!)];
    });
}

const tabLines: Readonly<Record<ContainerTab, (input: PageInput) => Line[]>> = {
  overview: ({ snapshot, container }) => overviewLines(snapshot, container),
  ports: portsTab,
  path: ({ snapshot, container, reach }) => pathLines(snapshot, container, reach),
  links: linksTab,
  sockets: socketsTab,
  rules: rulesTab,
  findings: findingsTab,
  history: historyTab,
  raw: rawTab,
};

/** The sources that a tab is made from. What happened stays what happened, and Docker is asked anew for the raw answer. */
export const tabSources: Readonly<Record<ContainerTab, readonly PaneSource[]>> = {
  overview: ['docker'],
  ports: ['docker', 'sockets'],
  path: ['docker', 'netfilter', 'links'],
  links: ['docker', 'links'],
  sockets: ['docker', 'sockets'],
  rules: ['docker', 'netfilter'],
  findings: ['docker'],
  history: [],
  raw: [],
};

/** The lines of a tab, none wider than `width`. */
export function containerPage(tab: ContainerTab, input: PageInput): Line[] {
  return wrapLines(tabLines[tab](input), input.width);
}
