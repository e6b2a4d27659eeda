/** What happened to containers between two snapshots. */
import type { DockerEvent } from '../host/host.ts';
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
}

/** Where Docker's events are not followed. */
export const nothingHeard: Heard = { events: new Map() };

const isUp = ({ state }: Container): boolean => state === 'running' || state === 'paused';

/** `exited with 1`, or what else became of it. */
function endText({ exitCode, state }: Container): string {
  return exitCode === undefined ? `is ${state}` : `exited with ${exitCode}`;
}

/** Of a run whose exit code nobody saw. */
const unseenEnd = 'exited, its exit code was not seen';

/** When Docker told of an action of this run, or after it. */
function heardOf(action: string, { id, startedAt }: Container, heard: Heard): DockerEvent | undefined {
  const from = startedAt === undefined ? 0 : Date.parse(startedAt);
  return heard.events.get(id)?.find(event => event.type === 'container' && event.action === action && event.at >= from);
}

const timeOf = (event: DockerEvent | undefined): string | undefined => event && new Date(event.at).toISOString();

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

/** The end of a run that no inspect answer shows any more: Docker's `die` event, where it was heard, has the exit code. */
function passedEnd(was: Container, heard: Heard): { text: string; at?: string; failed: boolean } {
  const die = heardOf('die', was, heard);
  const code = Number(die?.attributes['exitCode'] ?? Number.NaN);
  const at = timeOf(die);
  return {
    text: `${was.name} ${Number.isInteger(code) ? `exited with ${code}` : unseenEnd}`,
    ...(at !== undefined && { at }),
    failed: Number.isInteger(code) && code !== 0,
  };
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
  const isAnotherRun = isUp(is) && was.startedAt !== is.startedAt;
  if (isUp(was) && (isAnotherRun || !isUp(is))) {
    // Of a run that ended between the two, inspect tells only when: its exit code was overwritten by the next start.
    const at = is.finishedAt ?? takenAt;
    const name = nameAt(at, renames, is.name);
    const end = isUp(is)
      ? passedEnd({ ...was, name }, heard)
      : { text: `${name} ${endText(is)}`, failed: is.exitCode !== undefined && is.exitCode !== 0 };
    events.push(event('container-died', end.text, at, end.failed ? 'warning' : undefined, name));
  }
  const hasError = is.error !== undefined && is.error !== was.error;
  if (hasError && !isUp(is))
    events.push(event('start-failed', `${is.name} did not start: ${is.error}`, failureAt(is, heard), 'error'));
  if (isUp(is) && (!isUp(was) || isAnotherRun)) {
    const at = is.startedAt ?? takenAt;
    const name = nameAt(at, renames, is.name);
    events.push(event('container-started', `${name} started`, at, undefined, name));
  } else if (was.state === 'running' && is.state === 'paused')
    events.push(
      event('container-paused', `${is.name} paused`, lastHeard(is.id, 'container', ['pause', 'unpause'], heard)),
    );
  else if (was.state === 'paused' && is.state === 'running')
    events.push(
      event('container-unpaused', `${is.name} unpaused`, lastHeard(is.id, 'container', ['unpause', 'pause'], heard)),
    );
  if (isUp(was) && isUp(is) && !isAnotherRun) events.push(...connections(was, is, event, heard));
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

const about = ({ id, name }: Pick<Container, 'id' | 'name'>) => ({ containerId: id, containerName: name });

/** How a container that is gone came to its last name, as Docker told. */
function lastRenames(was: Container, heard: Heard): Rename[] {
  const last = heard.events.get(was.id)?.findLast(({ type, action }) => type === 'container' && action === 'rename');
  const name = last?.attributes['name'];
  return name === undefined ? [] : renamesOf(was, { ...was, name }, heard).filter(({ at }) => at !== undefined);
}

/** A container that is gone, and the end of it if it was up. */
function departure(before: Container, takenAt: string, heard: Heard): NetdashEvent[] {
  const renames = lastRenames(before, heard);
  const { id } = before;
  const was = { ...before, name: renames.at(-1)?.to ?? before.name };
  const renamed = renames.map(({ from, to, at = takenAt }): NetdashEvent => {
    const text = `${from} is now called ${to}`;
    return { at, type: 'container-renamed', text, ...about({ id, name: to }) };
  });
  const name = nameAt(passedEnd(was, heard).at ?? takenAt, renames, was.name);
  const end = passedEnd({ ...was, name }, heard);
  const died: NetdashEvent = { at: end.at ?? takenAt, type: 'container-died', text: end.text, ...about({ id, name }) };
  const removed: NetdashEvent = {
    at: timeOf(heardOf('destroy', was, heard)) ?? takenAt,
    type: 'container-removed',
    text: `${was.name} removed`,
    ...about(was),
  };
  const ended = isUp(was) ? [{ ...died, ...(end.failed && { severity: 'warning' as const }) }] : [];
  return [...renamed, ...ended, removed];
}

/**
 * Containers that came, went, started, exited, were paused, renamed, connected, or failed to start.
 * @param heard Docker's own words, which know exit codes and times that no later answer has
 */
export function containerEvents(before: Snapshot, after: Snapshot, heard: Heard = nothingHeard): NetdashEvent[] {
  if (before.containers === after.containers) return [];
  const had = new Map(before.containers.map(container => [container.id, container]));
  const has = new Set(after.containers.map(({ id }) => id));
  const at = after.takenAt;
  const events: NetdashEvent[] = [];
  for (const was of before.containers) {
    if (!has.has(was.id)) events.push(...departure(was, at, heard));
  }
  for (const is of after.containers) {
    const was = had.get(is.id);
    if (was !== undefined) {
      events.push(...changesOf(was, is, at, heard));
      continue;
    }
    events.push({
      at: creationAt(is, at, heard),
      type: 'container-created',
      text: `${is.name} created (${is.image})`,
      ...about(is),
    });
    if (isUp(is))
      events.push({ at: is.startedAt ?? at, type: 'container-started', text: `${is.name} started`, ...about(is) });
    else if (is.error !== undefined) {
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
