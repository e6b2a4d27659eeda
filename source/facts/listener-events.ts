/** Listeners of the host that opened or closed between two snapshots. */
import { ownerText } from './holders.ts';
import type { Listener, NetdashEvent, Snapshot } from './schema.ts';

const placeKey = ({ proto, address, port, device }: Listener): string => `${proto} ${address} ${port} ${device ?? ''}`;

/** One line for the listeners of one owner on one port: docker-proxy's IPv4 and IPv6 sockets are one thing. */
function linesOf(listeners: readonly Listener[], verb: string): { text: string; first: Listener }[] {
  const groups = new Map<string, Listener[]>();
  for (const listener of listeners) {
    const { proto, port, owner, process } = listener;
    const key = [proto, port, owner.kind, owner.containerId ?? owner.service ?? process ?? ''].join(' ');
    groups.set(key, [...(groups.get(key) ?? []), listener]);
  }
  return [...groups.values()].flatMap(group => {
    const [first] = group;
    if (first === undefined) return [];
    const addresses = group.map(({ address }) => (address.includes(':') ? `[${address}]` : address)).join(' and ');
    return [{ first, text: `${addresses}:${first.port}/${first.proto} ${verb} by ${ownerText(first)}` }];
  });
}

/** What is new or gone by (proto, address, port). A port that changed hands between the two counts as neither. */
export function listenerEvents(before: Snapshot, after: Snapshot): NetdashEvent[] {
  if (before.listeners === after.listeners || before.listeners === null || after.listeners === null) return [];
  const had = new Set(before.listeners.map(placeKey));
  const has = new Set(after.listeners.map(placeKey));
  const event = (type: NetdashEvent['type'], { text, first }: { text: string; first: Listener }): NetdashEvent => ({
    at: after.takenAt,
    type,
    text,
    ...(first.owner.containerId === undefined ? {} : { containerId: first.owner.containerId }),
    ...(first.owner.containerName === undefined ? {} : { containerName: first.owner.containerName }),
  });
  const closed = before.listeners.filter(listener => !has.has(placeKey(listener)));
  const opened = after.listeners.filter(listener => !had.has(placeKey(listener)));
  return [
    ...linesOf(closed, 'closed; it was held').map(line => event('listener-closed', line)),
    ...linesOf(opened, 'opened').map(line => event('listener-opened', line)),
  ];
}
