/**
 * Networks that a container was connected to and disconnected from between two views, so that no difference of theirs shows it:
 * Docker's events tell it.
 */
import type { DockerEvent } from '../host/host.ts';
import { isUp } from './publishing.ts';
import type { Container, NetdashEvent, Snapshot } from './schema.ts';

/** What is carried from one view to the next. */
export interface Passing {
  /** Events that nothing more is to be made of: what they tell was told, or is not theirs to tell. */
  accounted: ReadonlySet<DockerEvent>;
  /** Whether some are to be told a moment later. */
  isWaiting: boolean;
}

/** Before the first view. */
export const nothingPassing: Passing = { accounted: new Set(), isWaiting: false };

/** What is known of Docker's events, at what time. */
export interface HeardNow {
  /** By id of the container, oldest first. */
  events: ReadonlyMap<string, readonly DockerEvent[]>;
  /** When the last event came before the stream was cut: after it some may be missing. */
  cutAt?: number | undefined;
  /** ms since the epoch. */
  now: number;
}

/** An event that no answer bears out for so long, in ms, is of something that did not last, or came to nothing. */
const longestMs = 10_000;
/** A container is inspected at once after an event and again 200 ms later: so much later, in ms, it is shown as it is now. */
export const settledMs = 400;

/** With these a run begins or ends, and Docker takes a container off its networks and puts it on them again (measured with 20.10 to 29). */
const ofRuns = new Set(['start', 'restart', 'stop', 'die', 'kill', 'oom', 'destroy']);

const isConnection = ({ type, action }: DockerEvent): boolean =>
  type === 'network' && (action === 'connect' || action === 'disconnect');

/** The last of them, from so long ago on. */
function newerThan(at: number, events: readonly DockerEvent[]): readonly DockerEvent[] {
  let from = events.length;
  while (from > 0 && events[from - 1]!.at > at) from -= 1;
  return from === 0 ? events : events.slice(from);
}

const isOn = ({ endpoints }: Container, network: string): boolean =>
  endpoints.some(endpoint => endpoint.network === network);

/** Those events of one network that lead from the one state to the other, each to the opposite of the one before. Docker to 20.10 tells some twice. */
function leading(events: readonly DockerEvent[], from: boolean, to: boolean): DockerEvent[] {
  const way: DockerEvent[] = [];
  let [state, length] = [from, 0];
  for (const event of events) {
    if ((event.action === 'connect') === state) continue;
    state = !state;
    way.push(event);
    if (state === to) length = way.length;
  }
  return way.slice(0, length);
}

const eventOf = ({ at, action }: DockerEvent, { id, name }: Container, network: string): NetdashEvent => ({
  at: new Date(at).toISOString(),
  type: action === 'connect' ? 'network-connected' : 'network-disconnected',
  text: `${name} ${action === 'connect' ? 'connected to' : 'disconnected from'} network ${network}`,
  containerId: id,
  containerName: name,
});

/**
 * What passed between two views beside what they differ in, which is told by that.
 * @param before undefined: nothing is told of what was before now
 * @param last of the view before
 */
export function passingConnections(
  before: Pick<Snapshot, 'containers'> | undefined,
  after: Pick<Snapshot, 'containers'>,
  { events: heard, cutAt = -Infinity, now }: HeardNow,
  last: Passing,
): { events: NetdashEvent[]; passing: Passing } {
  const told: NetdashEvent[] = [];
  const done = new Set<DockerEvent>();
  let isWaiting = false;
  const had = new Map(before?.containers.map(container => [container.id, container]));
  for (const is of after.containers) {
    const recent = newerThan(Math.max(cutAt, now - longestMs), heard.get(is.id) ?? []);
    const connections = recent.filter(isConnection);
    if (connections.length === 0) continue;
    const was = had.get(is.id);
    const isSameRun = was !== undefined && isUp(was) && isUp(is) && was.startedAt === is.startedAt;
    const isAmidRun = recent.some(({ type, action }) => type === 'container' && ofRuns.has(action));
    for (const each of connections) if (last.accounted.has(each) || !isSameRun) done.add(each);
    if (!isSameRun || isAmidRun) continue;
    const open = connections.filter(each => !done.has(each));
    for (const network of new Set(open.map(({ attributes }) => attributes['name'] ?? ''))) {
      const of = open.filter(({ attributes }) => attributes['name'] === network);
      const [from, to] = [isOn(was, network), isOn(is, network)];
      const way = leading(of, from, to);
      const end = way.at(-1);
      if (end === undefined) continue;
      // Before it is inspected for the last time it may be shown halfway, and is told by that then.
      if (from === to && now - of.at(-1)!.at < settledMs) {
        isWaiting = true;
        continue;
      }
      for (const each of of.slice(0, of.indexOf(end) + 1)) done.add(each);
      // The last one is what the two views differ in.
      const passed = from === to ? way : way.slice(0, -1);
      told.push(...passed.map(each => eventOf(each, is, network)));
    }
  }
  return { events: told, passing: { accounted: done, isWaiting } };
}
