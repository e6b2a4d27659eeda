/** `netdash ports`: every listener and published port, on the host and inside containers. */
import { paneNotices } from '../present/notices.ts';
import { portRows, portTable } from '../present/port-table.ts';
import { renderTable } from '../present/render-table.ts';
import type { Invocation } from './command.ts';
import { exitCodes } from './exit.ts';
import { lookOnce } from './look-once.ts';
import { openHost } from './open-host.ts';
import { layoutOf, print, printJson, textOf } from './output.ts';
import { portsJson } from './ports-json.ts';

/** Runs it. */
export async function run(invocation: Invocation): Promise<number> {
  const { io, options } = invocation;
  const { host } = await openHost(invocation);
  const view = await lookOnce(host);
  if (options.json) {
    await printJson(io, portsJson(view.snapshot));
    return exitCodes.fine;
  }
  const layout = layoutOf(io);
  const notices = (['docker', 'sockets'] as const).flatMap(source => paneNotices(source, view));
  await print(io, [
    ...notices.map(line => textOf(line, layout.charset)),
    ...renderTable(portTable, portRows(view.snapshot), layout),
  ]);
  return exitCodes.fine;
}
