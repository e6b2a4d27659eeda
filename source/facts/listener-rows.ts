/** The rows of the host's listeners, of which only those are made again whose owner may be another now. */
import type { SocketReading } from '../host/readings.ts';
import { restsOn, type OwnerIndex } from './owners.ts';
import { listenerRow, orderListeners } from './ports.ts';
import type { Listener } from './schema.ts';
import { haveSameItems, reuse, sameItems } from './sharing.ts';

/** The rows, and what each was made of. */
export interface ListenerRows {
  rows: Listener[];
  /** In the order of the sockets. */
  made: readonly MadeRow[];
  sockets: readonly SocketReading[];
  /** What all of them were made of. */
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

function madeOf({ sockets, made }: ListenerRows): Map<SocketReading, MadeRow> {
  const bySocket = new Map<SocketReading, MadeRow>();
  for (const [place, entry] of made.entries()) bySocket.set(sockets[place]!, entry);
  return bySocket;
}

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
  const haveSameNames = before !== undefined && before.names === names && before.withoutDocker === withoutDocker;
  const haveSameSockets = before?.sockets === sockets;
  const bySocket = before && !haveSameSockets ? madeOf(before) : undefined;
  const fresh: MadeRow[] = [];
  let isSame = haveSameSockets;
  const made = sockets.map((socket, place): MadeRow => {
    const inputs = restsOn(socket, owners);
    const known = haveSameSockets ? before.made[place] : bySocket?.get(socket);
    if (known && haveSameNames && inputs && haveSameItems(known.inputs, inputs)) return known;
    const entry = { inputs, row: reuse(known?.row, listenerRow(socket, owners)) };
    if (!known) fresh.push(entry);
    if (entry.row !== known?.row) isSame = false;
    return entry;
  });
  const all = { made, sockets, names, withoutDocker };
  if (before && isSame) return { ...all, rows: before.rows };
  if (bySocket && fresh.length > 0) {
    // A socket that took the place of another in all that is shown of it.
    for (const socket of sockets) bySocket.delete(socket);
    const gone = new Map<string, Listener>();
    for (const { row } of bySocket.values()) gone.set(placeKey(row), row);
    for (const entry of gone.size > 0 ? fresh : []) {
      const last = gone.get(placeKey(entry.row));
      if (last) entry.row = reuse(last, entry.row);
    }
  }
  const places = new Map<Listener, number>();
  for (const { row } of made) if (!places.has(row)) places.set(row, places.size);
  // What is in order already is soon put in order.
  const kept = new Set((before?.rows ?? []).filter(row => places.has(row)));
  const rows = [...kept, ...[...places.keys()].filter(row => !kept.has(row))];
  return { ...all, rows: sameItems(before?.rows, orderListeners(rows, places)) };
}
