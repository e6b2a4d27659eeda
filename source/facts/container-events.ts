/** What happened to containers between two snapshots. */
import type { DockerEvent } from '../host/host.ts';
import { runsBetween, type RunEvent, type RunState } from './container-runs.ts';
import { isUp } from './publishing.ts';
import type { Container, NetdashEvent, Snapshot } from './schema.ts';

type Type = NetdashEvent['type'];

/** What Docker says of times, beside what is in a snapshot. */
export interface Heard {
  /** What its event stream told lately, by id of the container or network, oldest first. */
  events: ReadonlyMap<string, readonly DockerEvent[]>;
  /** When the last event came before the stream was cut, ms since the epoch by Docker's clock: after it some may be missing. */
  cutAt?: number | undefined;
  /** When a container was created, ms since the epoch; maybe in whole seconds. */
  createdAt?: (id: string) => number | undefined;
  /** When the answer came that says what a container was like before, ms since the epoch. */
  lookedAt?: (id: string) => number | undefined;
  /** What passed between the two snapshots and shows in neither. */
  passed?: readonly NetdashEvent[];
  /** The containers of whose removal it told since the look before. */
  removed?: readonly string[];
}

/** Where Docker's events are not followed. */
export const nothingHeard: Heard = { events: new Map() };

/** What Docker told of an action of a container, last. */
function lastOf(action: string, id: string, heard: Heard): DockerEvent | undefined {
  return heard.events.get(id)?.findLast(event => event.type === 'container' && event.action === action);
}

const stampOf = (event: DockerEvent): string => new Date(event.at).toISOString();

const timeOf = (event: DockerEvent | undefined): string | undefined => event && stampOf(event);

/**
 * When Docker told of a change that is seen to have come about: its last word on the matter, so long as that is this change. Where
 * the stream was cut since, or the word is still to come, the last one is of an earlier time or of the opposite.
 * @param actions those that tell of the matter, the one that is asked for first
 */
function lastHeard(
  id: string,
  type: DockerEvent['type'],
  [action, ...others]: readonly [string, ...string[]],
  { events, cutAt = -Infinity }: Heard,
  isMeant: (event: DockerEvent) => boolean = () => true,
): string | undefined {
  const last = events
    .get(id)
    ?.findLast(event => event.type === type && [action, ...others].includes(event.action) && isMeant(event));
  return last?.action === action && last.at > cutAt ? timeOf(last) : undefined;
}

/** When Docker told that a network was created or removed. */
export const networkHeard = (id: string, action: 'create' | 'destroy', heard: Heard): string | undefined =>
  lastHeard(id, 'network', action === 'create' ? ['create', 'destroy'] : ['destroy', 'create'], heard);

/** So long after the end of a run, in ms, Docker may still take the container off its networks. */
const takeDownMs = 60_000;

/**
 * When a start failed. Docker tells of that with no event of its own; to 28 it takes the container off its networks again, which
 * it tells of as it does at the end of a run, so that of two such words the later is meant (measured with 20.10, 26.1 and 28.5).
 * Docker 29 tells nothing.
 */
function failureAt(is: Container, { events, cutAt = -Infinity, lookedAt }: Heard): string | undefined {
  const [network] = is.endpoints;
  if (network === undefined) return undefined;
  const ended = is.finishedAt === undefined ? undefined : Date.parse(is.finishedAt);
  const told = (events.get(is.id) ?? []).filter(
    ({ type, action, attributes, at }) =>
      type === 'network' &&
      action === 'disconnect' &&
      attributes['name'] === network.network &&
      at > (ended ?? -Infinity),
  );
  const last = told.at(-1);
  if (last === undefined || last.at <= Math.max(cutAt, lookedAt?.(is.id) ?? -Infinity)) return undefined;
  const mayBeOfEnd = ended !== undefined && told.length < 2 && last.at - ended < takeDownMs;
  return mayBeOfEnd ? undefined : timeOf(last);
}

interface Rename {
  from: string;
  to: string;
  /** Absent where it was only seen. */
  at?: string;
}

/**
 * How a container came to its name, oldest first. Docker's events tell when, if they lead from the one name to the other: with
 * one of them missing, those that are there may be of an earlier time at which it had these names.
 */
function renamesOf(was: Container, is: Container, { events, cutAt = -Infinity }: Heard): Rename[] {
  if (was.name === is.name) return [];
  const told = (events.get(is.id) ?? []).filter(({ type, action }) => type === 'container' && action === 'rename');
  const renames: Rename[] = [];
  let to = is.name;
  for (const event of told.toReversed()) {
    const from = event.attributes['oldName']?.replace(/^\//, '');
    if (event.at <= cutAt || event.attributes['name'] !== to || from === undefined) break;
    renames.unshift({ from, to, at: new Date(event.at).toISOString() });
    if (from === was.name) return renames;
    to = from;
  }
  return [{ from: was.name, to: is.name }];
}

/** What a container was called at that time. */
function nameAt(at: string, renames: readonly Rename[], name: string): string {
  return renames.find(rename => rename.at !== undefined && at < rename.at)?.from ?? name;
}

/** What Docker told of a container. */
const heardOf = (id: string, { events }: Heard): readonly DockerEvent[] => events.get(id) ?? [];

/** The runs of a container as events. */
function runEvents({ id, name }: Named, renames: readonly Rename[], runs: readonly RunEvent[]): NetdashEvent[] {
  return runs.map(({ type, at, exitCode, name: calledThen }) => {
    const containerName = renames.length > 0 ? nameAt(at, renames, name) : (calledThen ?? name);
    if (type === 'container-started')
      return { at, type, text: `${containerName} started`, containerId: id, containerName };
    const end = exitCode === undefined ? 'exited, its exit code was not seen' : `exited with ${exitCode}`;
    const failed = exitCode !== undefined && exitCode !== 0;
    return {
      at,
      type,
      text: `${containerName} ${end}`,
      containerId: id,
      containerName,
      ...(failed && { severity: 'warning' as const }),
    };
  });
}

/** What happened to one container that is in both snapshots. */
function changesOf(was: Container, is: Container, takenAt: string, heard: Heard): NetdashEvent[] {
  if (was === is) return [];
  const event = (
    type: Type,
    text: string,
    at = takenAt,
    severity?: NetdashEvent['severity'],
    containerName = is.name,
  ): NetdashEvent => ({
    at,
    type,
    text,
    containerId: is.id,
    containerName,
    ...(severity === undefined ? {} : { severity }),
  });
  const renames = renamesOf(was, is, heard);
  const events = renames.map(({ from, to, at }) =>
    event('container-renamed', `${from} is now called ${to}`, at, undefined, to),
  );
  const runs = runEvents(is, renames, runsBetween(was, is, heardOf(is.id, heard), takenAt));
  events.push(...runs);
  const hasError = is.error !== undefined && is.error !== was.error;
  if (hasError && !isUp(is))
    events.push(event('start-failed', `${is.name} did not start: ${is.error}`, failureAt(is, heard), 'error'));
  if (runs.length > 0) return events;
  if (was.state === 'running' && is.state === 'paused')
    events.push(
      event('container-paused', `${is.name} paused`, lastHeard(is.id, 'container', ['pause', 'unpause'], heard)),
    );
  else if (was.state === 'paused' && is.state === 'running')
    events.push(
      event('container-unpaused', `${is.name} unpaused`, lastHeard(is.id, 'container', ['unpause', 'pause'], heard)),
    );
  if (isUp(was) && isUp(is)) events.push(...connections(was, is, event, heard));
  return events;
}

/** Networks that a container was connected to or disconnected from while it ran. */
function connections(
  was: Container,
  is: Container,
  event: (type: Type, text: string, at?: string) => NetdashEvent,
  heard: Heard,
): NetdashEvent[] {
  const timeFor = (name: string, ...actions: [string, string]) =>
    lastHeard(is.id, 'network', actions, heard, ({ attributes }) => attributes['name'] === name);
  const had = new Set(was.endpoints.map(({ network }) => network));
  const has = new Set(is.endpoints.map(({ network }) => network));
  return [
    ...[...has]
      .filter(name => !had.has(name))
      .map(name =>
        event('network-connected', `${is.name} connected to network ${name}`, timeFor(name, 'connect', 'disconnect')),
      ),
    ...[...had]
      .filter(name => !has.has(name))
      .map(name =>
        event(
          'network-disconnected',
          `${is.name} disconnected from network ${name}`,
          timeFor(name, 'disconnect', 'connect'),
        ),
      ),
  ];
}

/** When a container was created: as Docker's event says, or else as the container does; before it was started in any case. */
function creationAt(is: Container, takenAt: string, heard: Heard): string {
  const told = heard.events.get(is.id)?.find(({ type, action }) => type === 'container' && action === 'create')?.at;
  const created = told ?? heard.createdAt?.(is.id);
  const at = created === undefined || created <= 0 ? takenAt : new Date(created).toISOString();
  return [at, is.startedAt ?? takenAt, takenAt].reduce((first, each) => (each < first ? each : first));
}

type Named = Pick<Container, 'id' | 'name'>;

const about = ({ id, name }: Named) => ({ containerId: id, containerName: name });

/** How a container that is gone came to its last name, as Docker told. */
function lastRenames(was: Container, heard: Heard): Rename[] {
  const name = lastOf('rename', was.id, heard)?.attributes['name'];
  return name === undefined ? [] : renamesOf(was, { ...was, name }, heard).filter(({ at }) => at !== undefined);
}

/** A container that is gone, and its runs until then. */
function departure(was: Container, takenAt: string, heard: Heard): NetdashEvent[] {
  const renames = lastRenames(was, heard);
  const { id } = was;
  const renamed = renames.map(({ from, to, at = takenAt }): NetdashEvent => {
    const text = `${from} is now called ${to}`;
    return { at, type: 'container-renamed', text, ...about({ id, name: to }) };
  });
  const last = { id, name: renames.at(-1)?.to ?? was.name };
  return [...renamed, ...ending(last, was, renames, takenAt, heard)];
}

function ending(
  last: Named,
  was: RunState | undefined,
  renames: readonly Rename[],
  takenAt: string,
  heard: Heard,
): NetdashEvent[] {
  const runs = runEvents(last, renames, runsBetween(was, undefined, heardOf(last.id, heard), takenAt));
  const removedAt = timeOf(lastOf('destroy', last.id, heard)) ?? takenAt;
  return [...runs, { at: removedAt, type: 'container-removed', text: `${last.name} removed`, ...about(last) }];
}

/** A container that came and went between the two looks, as Docker told. */
function passing(id: string, takenAt: string, heard: Heard): NetdashEvent[] {
  const created = lastOf('create', id, heard);
  const { name = id.slice(0, 12) } = lastOf('destroy', id, heard)?.attributes ?? {};
  const end = ending({ id, name }, undefined, [], takenAt, heard);
  if (created === undefined) return end;
  const { name: firstName = name, image = 'unknown image' } = created.attributes;
  return [creation({ id, name: firstName, image }, stampOf(created)), ...end];
}

const creation = ({ image, ...named }: Named & Pick<Container, 'image'>, at: string): NetdashEvent => ({
  at,
  type: 'container-created',
  text: `${named.name} created (${image})`,
  ...about(named),
});

/**
 * Containers that came, went, started, exited, were paused, renamed, connected, or failed to start.
 * @param heard Docker's own words, which know exit codes and times that no later answer has
 */
export function containerEvents(before: Snapshot, after: Snapshot, heard: Heard = nothingHeard): NetdashEvent[] {
  const { removed = [] } = heard;
  if (before.containers === after.containers && removed.length === 0) return [];
  const had = new Map(before.containers.map(container => [container.id, container]));
  const has = new Set(after.containers.map(({ id }) => id));
  const at = after.takenAt;
  const events = removed.filter(id => !had.has(id) && !has.has(id)).flatMap(id => passing(id, at, heard));
  for (const was of before.containers) {
    if (!has.has(was.id)) events.push(...departure(was, at, heard));
  }
  for (const is of after.containers) {
    const was = had.get(is.id);
    if (was !== undefined) {
      events.push(...changesOf(was, is, at, heard));
      continue;
    }
    events.push(creation(is, creationAt(is, at, heard)));
    const runs = runEvents(is, [], runsBetween(undefined, is, heardOf(is.id, heard), at));
    events.push(...runs);
    if (runs.length === 0 && is.error !== undefined) {
      events.push({
        at: failureAt(is, heard) ?? at,
        type: 'start-failed',
        text: `${is.name} did not start: ${is.error}`,
        severity: 'error',
        ...about(is),
      });
    }
  }
  return events;
}
