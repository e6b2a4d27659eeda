/** Listeners of the host that opened or closed between two snapshots. */
import { ownerText } from './holders.ts';
import type { Listener, NetdashEvent, Snapshot } from './schema.ts';

/**
 * A docker-proxy listens before Docker says that its container runs, and a little longer than it says so. So what opens waits
 * for its container's name this long, ms, and what closes keeps the name that it had.
 */
const namingMs = 3000;

/** A place that is listened on. */
interface Known {
  /** When it was first seen, ms since the epoch. */
  since: number;
  /** Whether it was told of: by the name of whom it serves, or after a while without one. */
  told: boolean;
  /** As it was when its owner was last known. */
  listener: Listener;
}

/** Every place that is listened on, by protocol, address, port and interface. */
export type KnownListeners = ReadonlyMap<string, Known>;

const keys = new WeakMap<Listener, string>();

/** The same for all listeners of a place. */
function placeKey(listener: Listener): string {
  const { proto, address, port, device } = listener;
  const key = keys.get(listener) ?? `${proto} ${address} ${port} ${device ?? ''}`;
  keys.set(listener, key);
  return key;
}

/** What was known once all of these listeners were told of: with the same ones it stays. */
const settled = new WeakMap<KnownListeners, Snapshot['listeners']>();

/** Whether it is said whom a listener serves; docker-proxy and dockerd listen for containers. */
const isNamed = ({ owner }: Listener): boolean =>
  owner.kind !== 'docker' || owner.containerId !== undefined || owner.service !== undefined;

/**
 * Moves on by one snapshot. A socket that takes the place of another is the same place.
 * @param before undefined: everything counts as told
 * @param now ms since the epoch
 * @returns `before` itself when nothing is new
 */
export function keepListeners(
  before: KnownListeners | undefined,
  listeners: Snapshot['listeners'],
  now: number,
): KnownListeners {
  if (listeners === null) return before ?? new Map<string, Known>();
  if (before && settled.get(before) === listeners) return before;
  const after = new Map<string, Known>();
  let isNew = before?.size !== listeners.length;
  let isTold = true;
  for (const listener of listeners) {
    const key = placeKey(listener);
    const last = before?.get(key);
    const since = last?.since ?? now;
    const told = before === undefined || last?.told === true || isNamed(listener) || now - since >= namingMs;
    const kept = last !== undefined && !isNamed(listener) ? last.listener : listener;
    const isSame = last?.told === told && last.listener === kept;
    after.set(key, isSame ? last : { since, told, listener: kept });
    isNew ||= !isSame;
    isTold &&= told;
  }
  const known = isNew || before === undefined ? after : before;
  if (isTold) settled.set(known, listeners);
  return known;
}

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

/**
 * What is new or gone by (proto, address, port). A port that changed hands between the two counts as neither.
 * @param takenAt when the later of the two was made, ISO 8601
 */
export function listenerEvents(before: KnownListeners, after: KnownListeners, takenAt: string): NetdashEvent[] {
  if (before === after) return [];
  const event = (type: NetdashEvent['type'], { text, first }: { text: string; first: Listener }): NetdashEvent => ({
    at: takenAt,
    type,
    text,
    ...(first.owner.containerId === undefined ? {} : { containerId: first.owner.containerId }),
    ...(first.owner.containerName === undefined ? {} : { containerName: first.owner.containerName }),
  });
  const missing = (from: KnownListeners, other: KnownListeners): Listener[] =>
    [...from].flatMap(([key, { told, listener }]) => (told && other.get(key)?.told !== true ? [listener] : []));
  return [
    ...linesOf(missing(before, after), 'closed; it was held').map(line => event('listener-closed', line)),
    ...linesOf(missing(after, before), 'opened').map(line => event('listener-opened', line)),
  ];
}
