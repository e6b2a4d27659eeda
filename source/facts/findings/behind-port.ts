/** What is behind a published port: the listeners in the container's netns that take what is sent to it. */
import ipaddr from 'ipaddr.js';
import type { ContainerReading, InsideReading, Proto, Reading, Readings, SocketReading } from '../../host/readings.ts';
import { isUp } from '../publishing.ts';
import type { Finding } from '../schema.ts';
import { boundAddress } from '../walk/address.ts';
import type { FindingContext } from './detector.ts';
import { comesInBy } from './entry-interfaces.ts';
import { graceMs } from './shared.ts';

/** A container's port with every host place it is published at. */
export interface ServedPort {
  container: ContainerReading;
  proto: Proto;
  port: number;
  places: { proto: Proto; address: string; port: number }[];
}

/**
 * - `served`: a listener takes at least one address of the container
 * - `loopback`: the only listeners on the port are on loopback addresses
 * - `nothing`: no listener on the port takes what is sent there; `elsewhere` has those on other ports, and those bound to another interface
 * - `unknown`: not read, read too early, or it hangs on an IPV6_V6ONLY that is not known
 */
export type Behind =
  | { kind: 'served' | 'unknown' }
  | { kind: 'loopback'; listeners: SocketReading[] }
  | { kind: 'nothing'; elsewhere: SocketReading[] };

/** The published ports of containers that are up, TCP and UDP: of SCTP, ss -tu says nothing. */
export function servedPorts({ readings }: FindingContext): ServedPort[] {
  const docker = readings.docker.value;
  if (docker === undefined || docker.engine.local === false) return [];
  return docker.containers.filter(isUp).flatMap(portsServed);
}

const servedBy = new WeakMap<ContainerReading, readonly ServedPort[]>();

/** The published ports of a container: the same objects as long as Docker says the same of it. */
function portsServed(container: ContainerReading): readonly ServedPort[] {
  const known = servedBy.get(container) ?? servedPortsOf(container);
  servedBy.set(container, known);
  return known;
}

function servedPortsOf(container: ContainerReading): ServedPort[] {
  const ports = new Map<string, ServedPort>();
  for (const { proto, containerPort, hostIp, hostPort } of container.publishedPorts) {
    if (proto === 'sctp') continue;
    const key = `${containerPort}/${proto}`;
    const served = ports.get(key) ?? { container, proto, port: containerPort, places: [] };
    if (Number(hostPort) > 0) served.places.push({ proto, address: hostIp, port: Number(hostPort) });
    ports.set(key, served);
  }
  return [...ports.values()].filter(({ places }) => places.length > 0);
}

function isLoopback(address: string): boolean {
  const parsed = ipaddr.process(address);
  return parsed.range() === 'loopback';
}

/** Which of the families a socket takes from outside the container: undefined when IPV6_V6ONLY is not known. */
function takes(socket: SocketReading, family: 4 | 6): boolean | undefined {
  if (isLoopback(socket.address)) return false;
  if (!boundAddress(socket.address).includes(':')) return family === 4;
  if (family === 6) return true;
  if (socket.address !== '::') return false;
  return socket.v6only === undefined ? undefined : !socket.v6only;
}

const unread: Behind = { kind: 'unknown' };
const judged = new WeakMap<Reading<InsideReading>, WeakMap<ServedPort, Behind>>();

/**
 * Judges one reading of a container's netns; once for each port and reading.
 * @param reading of that container; one from before the end of its start-up grace, or of another run, tells nothing
 * @param readings of all else: of a socket that is bound to an interface, they tell whether what is sent there comes by that
 */
export function behind(served: ServedPort, reading: Reading<InsideReading> | undefined, readings: Readings): Behind {
  if (!reading) return unread;
  const { port } = served;
  const isBound = reading.value?.listeners?.some(each => each.device !== undefined && each.port === port);
  // That hangs on more than one reading.
  if (isBound) return judge(served, reading, readings);
  const known = judged.get(reading) ?? new WeakMap<ServedPort, Behind>();
  judged.set(reading, known);
  const verdict = known.get(served) ?? judge(served, reading, readings);
  known.set(served, verdict);
  return verdict;
}

function judge(served: ServedPort, reading: Reading<InsideReading>, readings: Readings): Behind {
  const { container, proto, port } = served;
  const inside = reading.value;
  const unreadable = reading.state !== 'ok' && reading.state !== 'partial';
  if (unreadable || inside?.listeners === undefined || inside.pid !== container.pid) return { kind: 'unknown' };
  if (container.startedAt === undefined || reading.at === undefined) return { kind: 'unknown' };
  if (reading.at - container.startedAt < graceMs) return { kind: 'unknown' };
  const sockets = inside.listeners.filter(socket => socket.address !== '127.0.0.11');
  const there = sockets.filter(socket => socket.proto === proto && socket.port === port);
  const { endpoints } = container;
  const families: (4 | 6)[] = endpoints.some(({ ipv6 }) => ipv6 !== undefined) ? [6] : [];
  if (families.length === 0 || endpoints.some(({ ipv4 }) => ipv4 !== undefined)) families.push(4);
  const verdicts = there.flatMap(socket =>
    families.map(family => {
      const taken = takes(socket, family);
      const comes = socket.device === undefined || taken === false || comesInBy(socket.device, served, readings);
      return comes === true ? taken : comes;
    }),
  );
  if (verdicts.includes(true)) return { kind: 'served' };
  if (verdicts.includes(undefined)) return { kind: 'unknown' };
  if (there.length > 0 && there.every(socket => isLoopback(socket.address)))
    return { kind: 'loopback', listeners: there };
  return { kind: 'nothing', elsewhere: sockets };
}

/** The verdict of two readings in a row; with one only (a one-shot command), of that one. They must agree, else it is not known. */
export function behindTwice(served: ServedPort, { readings, earlier }: FindingContext): Behind {
  const now = behind(served, readings.inside[served.container.id], readings);
  if (earlier === undefined || now.kind === 'served' || now.kind === 'unknown') return now;
  const before = behind(served, earlier.inside[served.container.id], readings);
  return before.kind === now.kind ? now : { kind: 'unknown' };
}

/**
 * Containers whose netns should be read (again) soon: a published port looked dead in one reading only, or in one taken
 * within the grace after the start that is over now. Whoever collects readings asks for this after each snapshot.
 */
export function containersWithDeadPorts(context: FindingContext): string[] {
  const wanted = new Set<string>();
  for (const served of servedPorts(context)) {
    const { container } = served;
    const reading = context.readings.inside[container.id];
    if (container.state === 'paused' || container.startedAt === undefined || reading?.at === undefined) continue;
    const isOld = context.now - container.startedAt >= graceMs;
    const wasEarly = reading.at - container.startedAt < graceMs;
    const verdict = behind(served, reading, context.readings);
    if (isOld && wasEarly && reading.value?.listeners !== undefined) wanted.add(container.id);
    else if (verdict.kind === 'nothing' || verdict.kind === 'loopback') {
      if (behindTwice(served, context).kind === 'unknown') wanted.add(container.id);
    }
  }
  return [...wanted];
}

/** The published ports whose verdict is of one kind, by container. */
export function byContainer<K extends Behind['kind']>(
  context: FindingContext,
  kind: K,
): { container: ContainerReading; cases: { served: ServedPort; verdict: Extract<Behind, { kind: K }> }[] }[] {
  const found = new Map<ContainerReading, { served: ServedPort; verdict: Extract<Behind, { kind: K }> }[]>();
  for (const served of servedPorts(context)) {
    if (served.container.state === 'paused') continue;
    const verdict = behindTwice(served, context);
    if (verdict.kind !== kind) continue;
    const cases = found.get(served.container) ?? [];
    cases.push({ served, verdict: verdict as Extract<Behind, { kind: K }> });
    found.set(served.container, cases);
  }
  return [...found].map(([container, cases]) => ({ container, cases }));
}

/** Whether an earlier finding about a container's published ports cannot be judged now although the container runs on: its netns was not readable. */
export function servedUndecided(context: FindingContext, finding: Finding): boolean {
  return servedPorts(context).some(served => {
    const { id, startedAt, state } = served.container;
    if (id !== finding.subject.id || state === 'paused') return false;
    if (startedAt === undefined || startedAt > Date.parse(finding.since)) return false;
    return behindTwice(served, context).kind === 'unknown';
  });
}
