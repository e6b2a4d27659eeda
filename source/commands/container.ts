/** `netdash NAME` without a terminal: the container's page as text. */
import { containerPage, containerTabs } from '../present/container-page/page.ts';
import type { Invocation } from './command.ts';
import { exitCodes } from './exit.ts';
import { findContainer } from './find-container.ts';
import { lookOnce } from './look-once.ts';
import { openHost } from './open-host.ts';
import { cell } from '../present/cell.ts';
import { complain, layoutOf, print, textOf } from './output.ts';

/** Wide enough for any line where there is no width. */
const unlimited = 1000;

/** Runs it. @param target what the operator called the container */
export async function run(invocation: Invocation, target: string): Promise<number> {
  const { io, commandNames } = invocation;
  const { host } = await openHost(invocation);
  const containerId = await findContainer(host, target, commandNames);
  const { snapshot, reach, events } = await lookOnce(host);
  const container = snapshot.containers.find(({ id }) => id === containerId);
  if (!container) {
    complain(io, `netdash: container '${target}' is gone`);
    return exitCodes.usage;
  }
  const layout = layoutOf(io);
  const input = { snapshot, reach, events, container, width: layout.width ?? unlimited };
  const tabs = containerTabs.filter(({ id }) => id !== 'raw');
  await print(
    io,
    tabs
      .flatMap(({ id, title }, index) => [
        ...(index === 0 ? [] : [[]]),
        [cell(title.toUpperCase())],
        ...containerPage(id, input),
      ])
      .map(line => textOf(line, layout.charset)),
  );
  return exitCodes.fine;
}
