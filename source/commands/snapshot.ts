/** `netdash snapshot`: all there is to see, once. */
import type { LiveView } from '../live/live.ts';
import { containerRows, containerTable } from '../present/container-table.ts';
import { findingLine } from '../present/finding-table.ts';
import { headerLines } from '../present/header.ts';
import { linkRows, linkTable } from '../present/link-table.ts';
import { networkRows, networkTable } from '../present/network-table.ts';
import { emptyLines, isBlind, paneNotices, type PaneSource } from '../present/notices.ts';
import { portRows, portTable } from '../present/port-table.ts';
import { renderTable } from '../present/render-table.ts';
import { ruleRows, ruleTable } from '../present/rule-table.ts';
import type { Table } from '../present/table.ts';
import type { Invocation } from './command.ts';
import { exitCodes } from './exit.ts';
import { lookOnce } from './look-once.ts';
import { openHost } from './open-host.ts';
import { layoutOf, print, printJson, textOf, type Layout } from './output.ts';
import { sanitise, type SafeText } from '../terminal/sanitise.ts';

/** Wide enough for any header where there is no width. */
const unlimited = 1000;

/** A table under its title, with a word on what could not be read. */
function section<Row>(
  table: Table<Row>,
  rows: readonly Row[],
  source: PaneSource,
  none: string,
  view: LiveView,
  layout: Layout,
): SafeText[] {
  const notices = paneNotices(source, view).map(line => textOf(line, layout.charset));
  const body =
    rows.length > 0
      ? renderTable(table, rows, layout)
      : emptyLines(source, view, none).map(line => textOf(line, layout.charset));
  const { state, ageMs } = view.snapshot.sources[source] ?? { state: 'failed', ageMs: null };
  const isUnknown = rows.length === 0 && state === 'failed' && ageMs === null;
  const title = `${table.title.toUpperCase()} (${isUnknown ? 'unknown' : rows.length})`;
  return [sanitise(''), sanitise(title), ...notices, ...body];
}

/** The snapshot as lines of text. @param title the recording's, when it is one */
export function snapshotText(view: LiveView, layout: Layout, title?: string): SafeText[] {
  const { snapshot } = view;
  const header = headerLines(view, {
    width: layout.width ?? unlimited,
    clock: Date.parse(snapshot.takenAt),
    ...(title !== undefined && { title }),
  });
  // Without a width the clock would stand a thousand columns to the right.
  const lines = header.map(line => sanitise(textOf(line, layout.charset).replaceAll(/ {9,}/g, '  ')));
  const findings = snapshot.findings.map(finding => textOf(findingLine(finding), layout.charset));
  return [
    ...lines,
    ...section(containerTable, containerRows(snapshot, view.reach), 'docker', 'no containers', view, layout),
    ...section(portTable, portRows(snapshot, view.reach), 'sockets', 'no listeners', view, layout),
    ...section(linkTable, linkRows(snapshot), 'links', 'no links', view, layout),
    ...section(networkTable, networkRows(snapshot), 'docker', 'no networks', view, layout),
    ...section(ruleTable, ruleRows(snapshot), 'netfilter', 'no rules', view, layout),
    ...['', `FINDINGS (${findings.length})`].map(line => sanitise(line)),
    ...(findings.length > 0 ? findings : [sanitise(isBlind(snapshot) ? 'none in what can be read' : 'none')]),
  ];
}

/** Runs it. */
export async function run(invocation: Invocation): Promise<number> {
  const { io, options } = invocation;
  const { host, title } = await openHost(invocation);
  const view = await lookOnce(host);
  if (options.json) await printJson(io, view.snapshot);
  else await print(io, snapshotText(view, layoutOf(io), title));
  return exitCodes.fine;
}
