/** `netdash ports`: every listener and published port, on the host and inside containers, or those that others can reach. */
import { cell, type Line } from '../present/cell.ts';
import { exposedRows, exposedTable } from '../present/exposed-table.ts';
import { paneNotices } from '../present/notices.ts';
import { portRows, portTable, type PortRow } from '../present/port-table.ts';
import { exposureOfRow } from '../present/port-reach.ts';
import { renderTable } from '../present/render-table.ts';
import { plural } from '../present/units.ts';
import type { Invocation } from './command.ts';
import { exitCodes } from './exit.ts';
import { lookOnce } from './look-once.ts';
import { openHost } from './open-host.ts';
import { layoutOf, print, printJson, textOf } from './output.ts';
import { portsJson } from './ports-json.ts';
import { unreadForWalk } from './unread.ts';

/** Runs it. */
export async function run(invocation: Invocation): Promise<number> {
  const { io, options } = invocation;
  const { host } = await openHost(invocation);
  const view = await lookOnce(host);
  const exposed = options.exposed === true;
  const all = portRows(view.snapshot, view.reach);
  const rows = exposed ? exposedRows(all) : all;
  const missing = exposed ? unreadForWalk(view.snapshot) : [];
  const isOpen = missing.length > 0 && (rows.length === 0 || rows.some(isUnknown));
  const code = isOpen ? exitCodes.unjudged : exitCodes.fine;
  if (options.json) {
    await printJson(io, portsJson(view.snapshot, rows, exposed));
    return code;
  }
  const layout = layoutOf(io);
  const notices = (['docker', 'sockets'] as const).flatMap(source => paneNotices(source, view));
  const table = exposed
    ? rows.length > 0
      ? renderTable(exposedTable, rows, layout)
      : []
    : renderTable(portTable, rows, layout);
  await print(io, [
    ...notices.map(line => textOf(line, layout.charset)),
    ...table,
    ...(exposed ? summary(rows, missing) : []).map(line => textOf(line, layout.charset)),
  ]);
  return code;
}

const isUnknown = (row: PortRow): boolean => exposureOfRow(row)?.word !== 'reachable';

/** How many there are, and what of all this cannot be seen from here. */
function summary(rows: readonly PortRow[], missing: readonly string[]): Line[] {
  const unknown = rows.filter(isUnknown).length;
  const count = plural(rows.length - unknown, 'port');
  return [
    ...(rows.length > 0 ? [[]] : []),
    [
      cell(
        `${rows.length === unknown ? 'No port is known to be' : `${count} can be`} reached by others${unknown > 0 ? `; of ${unknown} more that is not known` : ''}.`,
      ),
    ],
    [cell("A firewall outside this host (a cloud provider's, a router's) is not seen from here.", 'dim')],
    ...missing.map((text): Line => [cell(text)]),
  ];
}
