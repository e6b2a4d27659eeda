/** What a row of the Ports pane is to the packet walk and to the table of services. */
import type { Exposure, Place } from '../facts/exposure.ts';
import type { Reachability } from '../facts/reachability.ts';
import type { Service, ServiceClues } from '../facts/sensitive-services.ts';
import type { Lookup } from './lookup.ts';
import type { PortRow } from './port-rows.ts';

/** The place that others would ask for; undefined for a row that is none. */
export function placeOf(row: PortRow): Place | undefined {
  const { proto, address, port, containerId, v6only, device } = row;
  if (proto === undefined || port === undefined || row.embeddedDns) return undefined;
  // Routed ports have no port of the host: whoever reaches them sends to the container.
  const isDirect = row.place === 'inside' || row.exposure === 'routed';
  return {
    ...(isDirect && containerId !== undefined && { netns: containerId }),
    address,
    port,
    proto,
    ...(row.kind === 'listener' && v6only !== undefined && { v6only }),
    ...(row.kind === 'listener' && device !== undefined && { device }),
  };
}

/** The process that does the work behind a row: Docker's own stand-ins are none. */
function workerOf({ owner, process, target, containerId, proto }: PortRow, { containers }: Lookup): string | undefined {
  if (owner.via !== 'docker-proxy' && owner.via !== 'dockerd' && process !== undefined) return process;
  if (!target || containerId === undefined) return undefined;
  const inside = containers.get(containerId)?.listeners ?? [];
  return inside.find(each => each.port === target.port && each.proto === proto)?.process ?? undefined;
}

/** What service a row leads to. */
export function serviceAt(row: PortRow, lookup: Lookup, reach: Reachability): Service | undefined {
  const { proto, port, target } = row;
  if (proto === undefined || port === undefined) return undefined;
  const process = workerOf(row, lookup);
  const clues: ServiceClues = { proto, port: target?.port ?? port };
  if (process !== undefined) clues.process = process;
  return reach.serviceOf(clues);
}

/** Who off this host reaches it; undefined where there is nothing to ask. The packet walk runs when this is first called. */
export function exposureOfRow({ at, exposures }: PortRow): Exposure | undefined {
  return at && exposures?.of(at);
}

/** Whether somebody off this host reaches it, or that is not known: what `exposed` shows. */
export function isExposed(row: PortRow): boolean {
  if (row.kind === 'unknown') return true;
  const word = exposureOfRow(row)?.word;
  return word === 'reachable' || word === 'unknown';
}
