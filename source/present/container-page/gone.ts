/** What is left to say of a container that is gone. */
import type { Container, NetdashEvent } from '../../facts/schema.ts';
import { cell } from '../cell.ts';
import type { Line } from '../cell.ts';
import { heading } from '../document.ts';
import { eventRows, historyTable } from '../event-table.ts';
import { listLines } from '../render-table.ts';
import { listOf } from '../table.ts';

/** The last name of a container that is gone, as far as it is remembered; else its short id. */
export function goneName(events: readonly NetdashEvent[], id: string): string {
  return events.find(event => event.containerId === id)?.containerName ?? id.slice(0, 12);
}

/**
 * Its end, who has its name now, and what happened to it.
 * @param events newest first
 * @param now ms since the epoch
 */
export function goneLines(
  id: string,
  { events, containers }: { events: readonly NetdashEvent[]; containers: readonly Container[] },
  now: number,
  width: number,
): Line[] {
  const name = goneName(events, id);
  const heir = containers.find(each => each.name === name);
  const own = events.filter(event => event.containerId === id);
  return [
    [cell(`${name} is gone.`, 'title')],
    ...(heir ? [[cell(`Another container is called so now: ${heir.id.slice(0, 12)}, ${heir.state}.`)]] : []),
    ...(own.length === 0
      ? []
      : [...heading('History'), ...listLines(listOf(historyTable, eventRows(own, now)), width)]),
  ];
}
