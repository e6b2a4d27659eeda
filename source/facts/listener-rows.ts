/** The rows of the host's listeners, of which only those are made again whose owner may be another now. */
import type { SocketReading } from '../host/readings.ts';
import { restsOn, type OwnerIndex } from './owners.ts';
import { listenerRow, orderListeners } from './ports.ts';
import type { Listener } from './schema.ts';
import { haveSameItems, reuse, sameItems } from './sharing.ts';

/** The rows, and what each was made of. */
export interface ListenerRows {
  rows: Listener[];
  made: ReadonlyMap<SocketReading, MadeRow>;
  /** What all of them were made of. */
  sockets: readonly SocketReading[];
  names: unknown;
  withoutDocker: string | undefined;
}

interface MadeRow {
  /** Undefined where these are too many things to list. */
  inputs: readonly unknown[] | undefined;
  row: Listener;
}

/** What tells two listeners apart, but for the process that a socket is handed to. */
const placeKey = ({ proto, address, port, device, v6only, pid }: Listener): string =>
  `${proto} ${address} ${port} ${device ?? ''} ${v6only ?? ''} ${pid ?? ''}`;

/**
 * The rows of these sockets, in the order of the Ports pane.
 * @param names the same object as long as all containers have the ids and names that they had
 */
export function listenerRows(
  sockets: readonly SocketReading[],
  owners: OwnerIndex,
  names: unknown,
  before: ListenerRows | undefined,
): ListenerRows {
  const { withoutDocker } = owners;
  const made = new Map<SocketReading, MadeRow>();
  const fresh: SocketReading[] = [];
  const haveSameNames = before !== undefined && before.names === names && before.withoutDocker === withoutDocker;
  let isSame = before?.sockets === sockets;
  for (const socket of sockets) {
    const inputs = restsOn(socket, owners);
    const known = before?.made.get(socket);
    if (known && haveSameNames && inputs && haveSameItems(known.inputs, inputs)) made.set(socket, known);
    else {
      if (!known) fresh.push(socket);
      const row = reuse(known?.row, listenerRow(socket, owners));
      if (row !== known?.row) isSame = false;
      made.set(socket, { inputs, row });
    }
  }
  const all = { made, sockets, names, withoutDocker };
  if (before && isSame) return { ...all, rows: before.rows };
  if (fresh.length > 0) {
    // A socket that took the place of another in all that is shown of it.
    const gone = new Map<string, Listener>();
    for (const [socket, { row }] of before?.made ?? []) if (!made.has(socket)) gone.set(placeKey(row), row);
    for (const socket of gone.size > 0 ? fresh : []) {
      const entry = made.get(socket)!;
      const last = gone.get(placeKey(entry.row));
      if (last) made.set(socket, { ...entry, row: reuse(last, entry.row) });
    }
  }
  const places = new Map<Listener, number>();
  for (const { row } of made.values()) if (!places.has(row)) places.set(row, places.size);
  // What is in order already is soon put in order.
  const kept = new Set((before?.rows ?? []).filter(row => places.has(row)));
  const rows = [...kept, ...[...places.keys()].filter(row => !kept.has(row))];
  return { ...all, rows: sameItems(before?.rows, orderListeners(rows, places)) };
}
