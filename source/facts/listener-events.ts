/** Listeners of the host that opened or closed between two snapshots. */
import type { SocketReading } from '../host/readings.ts';
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
  /** The sockets that it was then, by inode; absent where these are not known. */
  inodes?: readonly number[];
}

/** Every place that is listened on, by protocol, address, port and interface. */
export type KnownListeners = ReadonlyMap<string, Known>;

type Place = Pick<Listener, 'proto' | 'address' | 'port' | 'device'>;

const keys = new WeakMap<Place, string>();

/** The same for all listeners of a place. */
function placeKey(place: Place): string {
  const { proto, address, port, device } = place;
  const key = keys.get(place) ?? `${proto} ${address} ${port} ${device ?? ''}`;
  keys.set(place, key);
  return key;
}

type Sockets = readonly SocketReading[] | undefined;

/** What was known once all of these listeners were told of: with the same ones, and the same sockets, it stays. */
const settled = new WeakMap<KnownListeners, { listeners: Snapshot['listeners']; sockets: Sockets }>();

/** Whether it is said whom a listener serves; docker-proxy and dockerd listen for containers. */
const isNamed = ({ owner }: Listener): boolean =>
  owner.kind !== 'docker' || owner.containerId !== undefined || owner.service !== undefined;

/** How much is said of an owner: nothing, that Docker holds it for somebody, or who it is. */
function knowledge(listener: Listener): number {
  if (listener.owner.kind === 'unknown') return 0;
  return isNamed(listener) ? 2 : 1;
}

const inodesOf = new WeakMap<readonly SocketReading[], ReadonlyMap<string, readonly number[]>>();

/** The sockets of each place. */
function inodesByPlace(sockets: readonly SocketReading[]): ReadonlyMap<string, readonly number[]> {
  const made = inodesOf.get(sockets);
  if (made) return made;
  const inodes = new Map<string, number[]>();
  for (const socket of sockets) {
    if (socket.inode === 0) continue;
    const key = placeKey(socket);
    const others = inodes.get(key);
    if (others) others.push(socket.inode);
    else inodes.set(key, [socket.inode]);
  }
  inodesOf.set(sockets, inodes);
  return inodes;
}

/**
 * Whether what was known of a place says more than what is read of it now. A socket is still in the tables for a moment when
 * its process has ended, and nobody has it open then: it is whose it was. Another socket in its place is not.
 */
function isKept(last: Known, listener: Listener, inodes: readonly number[] | undefined): boolean {
  const [was, is] = [knowledge(last.listener), knowledge(listener)];
  if (is >= was) return false;
  return is > 0 || (inodes?.some(inode => last.inodes?.includes(inode)) ?? false);
}

const areSame = (a: readonly number[] | undefined, b: readonly number[] | undefined): boolean =>
  a === b || (a?.length === b?.length && a?.every((inode, index) => inode === b?.[index]) === true);

/**
 * Moves on by one snapshot. A socket that takes the place of another is the same place.
 * @param before undefined: everything counts as told
 * @param now ms since the epoch
 * @param sockets what the listeners were made of
 * @returns `before` itself when nothing is new
 */
export function keepListeners(
  before: KnownListeners | undefined,
  listeners: Snapshot['listeners'],
  now: number,
  sockets?: Sockets,
): KnownListeners {
  if (listeners === null) return before ?? new Map<string, Known>();
  const last = before && settled.get(before);
  if (before && last?.listeners === listeners && last.sockets === sockets) return before;
  const after = new Map<string, Known>();
  const inodes = sockets && inodesByPlace(sockets);
  let isNew = before?.size !== listeners.length;
  let isTold = true;
  for (const listener of listeners) {
    const key = placeKey(listener);
    const known = before?.get(key);
    const next = keepListener(known, listener, inodes?.get(key), now, before === undefined);
    after.set(key, next);
    isNew ||= next !== known;
    isTold &&= next.told;
  }
  const known = isNew || before === undefined ? after : before;
  if (isTold) settled.set(known, { listeners, sockets });
  return known;
}

/** One place, moved on; `last` itself when nothing is new. */
function keepListener(
  last: Known | undefined,
  listener: Listener,
  inodes: readonly number[] | undefined,
  now: number,
  isFirst: boolean,
): Known {
  const since = last?.since ?? now;
  const told = isFirst || last?.told === true || isNamed(listener) || now - since >= namingMs;
  const hasKept = last !== undefined && isKept(last, listener, inodes);
  const kept = hasKept ? last.listener : listener;
  const of = hasKept ? last.inodes : inodes;
  if (last?.told === told && last.listener === kept && areSame(last.inodes, of)) return last;
  return { since, told, listener: kept, ...(of && { inodes: of }) };
}

/** One line for the listeners of one owner on one port: docker-proxy's IPv4 and IPv6 sockets are one thing. */
function linesOf(listeners: readonly Listener[], verb: string): { text: string; first: Listener }[] {
  const groups = new Map<string, Listener[]>();
  for (const listener of listeners) {
    const { proto, port, device, owner, process } = listener;
    const key = [proto, port, device, owner.kind, owner.containerId ?? owner.service ?? process ?? ''].join(' ');
    groups.set(key, [...(groups.get(key) ?? []), listener]);
  }
  return [...groups.values()].flatMap(group => {
    const [first] = group;
    if (first === undefined) return [];
    const addresses = group.map(({ address }) => (address.includes(':') ? `[${address}]` : address)).join(' and ');
    const bound = first.device === undefined ? '' : ` on ${first.device}`;
    return [{ first, text: `${addresses}:${first.port}/${first.proto}${bound} ${verb} by ${ownerText(first)}` }];
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
