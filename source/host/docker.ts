/**
 * Reading Docker: the daemon, its containers, networks and services. One list for all containers, and an inspect of those
 * alone that changed (see docker-list.ts).
 */
import { parseInspect } from './docker-container.ts';
import { parseEngine, parseNetworks, parseServices } from './docker-engine.ts';
import { endedStates, needsInspect, parseList, readingFromList, type ListEntry } from './docker-list.ts';
import { judgeLocality } from './docker-local.ts';
import { userlandProxyHere } from './dockerd.ts';
import { HostError, type Host } from './host.ts';
import { isObject } from './json.ts';
import { withBridges } from './podman.ts';
import type {
  ContainerReading,
  DockerReading,
  EngineReading,
  NetworkReading,
  Outcome,
  ServiceReading,
} from './readings.ts';

/** An inspect waits for the lock of its container, which a slow start or stop holds. */
const inspectTimeoutMs = 4000;
/** dockerd answers an inspect in 0.2 ms; more at once only load it. */
const inspectsAtOnce = 4;
/** After so many inspects in a row that were not answered, the daemon is asked whether it answers anything at all. */
const silentInspects = inspectsAtOnce;
const aliveTimeoutMs = 2000;

/**
 * The daemon, from /version and /info. `local` is not judged here (`judgeLocality`).
 * With one of the two refused (a filtering proxy in between) the outcome says what is unknown.
 * @throws HostError when neither answers
 */
export async function readEngine(host: Host): Promise<Outcome<EngineReading>> {
  const [version, info] = await Promise.allSettled([host.docker.get('/version'), host.docker.get('/info')]);
  if (version.status === 'rejected' && info.status === 'rejected') throw asHostError(version.reason);
  const engine = parseEngine(
    version.status === 'fulfilled' ? version.value : undefined,
    info.status === 'fulfilled' ? info.value : undefined,
  );
  if (engine.userlandProxy === undefined && !engine.podman) {
    const word = await userlandProxyHere(host);
    if (word !== undefined) engine.userlandProxy = word;
  }
  if (info.status === 'rejected') {
    const unknown = 'rootless mode, swarm and firewall backend are unknown';
    return { value: engine, missing: `${unknown}: /info: ${asHostError(info.reason).message}` };
  }
  return { value: engine };
}

/** All containers as the list has them. @throws HostError */
export async function listContainers(host: Host): Promise<ListEntry[]> {
  const answer = await host.docker.get('/containers/json?all=1');
  // Podman and older daemons answer null for none.
  if (answer !== null && !Array.isArray(answer))
    throw new HostError('failed', "Docker's list of containers is no list");
  return parseList(answer);
}

/**
 * The containers that have ended or never started, whose start may have failed without an event: a short answer where most run.
 * @throws HostError
 */
export async function listEnded(host: Host): Promise<ListEntry[]> {
  const filters = new URLSearchParams({ filters: JSON.stringify({ status: endedStates }) });
  const answer = await host.docker.get(`/containers/json?all=1&${filters.toString()}`);
  if (answer !== null && !Array.isArray(answer))
    throw new HostError('failed', "Docker's list of containers is no list");
  return parseList(answer);
}

/**
 * All containers again, from `listEnded` alone: those that run keep their reading, and so do those that do not, unless the list says
 * something new of them.
 * @param previous all containers as last read; the very same list is given where none has ended @param changed as for `readContainers`
 * @returns undefined when others have ended than those that are known, or one of `changed` has not: the whole list must be read
 * @throws HostError when the list cannot be had
 */
export async function readEndedContainers(
  host: Host,
  previous: ContainerReading[],
  changed: ReadonlySet<string>,
): Promise<Outcome<ContainerReading[]> | undefined> {
  const entries = await listEnded(host);
  const listed = new Map(entries.map(entry => [entry.id, entry]));
  const ended = previous.filter(({ state }) => endedStates.includes(state));
  if (listed.size + ended.length + changed.size === 0) return { value: previous };
  const isKnown = ended.length === listed.size && ended.every(({ id }) => listed.has(id));
  if (!isKnown || ![...changed].every(id => listed.has(id))) return undefined;
  const all = previous.map(container => listed.get(container.id) ?? { kept: container });
  return inspectListed(host, all, previous, changed);
}

/** One container. @throws HostError; `missing` when there is none of that id (any more) */
export async function inspectContainer(host: Host, id: string): Promise<ContainerReading> {
  const answer = await host.docker.get(`/containers/${encodeURIComponent(id)}/json`, { timeoutMs: inspectTimeoutMs });
  if (!isObject(answer)) throw new HostError('failed', "Docker's answer to inspect is no object");
  return parseInspect(answer, id, host.now());
}

/**
 * All containers, newest first: lists them, and inspects those that are new or changed since `previous`; the others keep
 * their reading, the very same object.
 * @param previous the readings of the last time
 * @param changed ids to inspect whatever the list says (named by an event, or polled)
 * @returns containers whose inspect failed are there with `inspectError`, and `missing` counts them; those that vanish meanwhile are left out
 * @throws HostError when the list cannot be had
 */
export async function readContainers(
  host: Host,
  previous: readonly ContainerReading[] = [],
  changed: ReadonlySet<string> = new Set(),
): Promise<Outcome<ContainerReading[]>> {
  return inspectListed(host, await listContainers(host), previous, changed);
}

/** Inspects those of a list that need it. An entry that is `kept` keeps its reading. */
async function inspectListed(
  host: Host,
  entries: readonly (ListEntry | { kept: ContainerReading })[],
  previous: readonly ContainerReading[],
  changed: ReadonlySet<string>,
): Promise<Outcome<ContainerReading[]>> {
  const known = new Map(previous.map(container => [container.id, container]));
  const found = new Map<string, ContainerReading>();
  const failures: string[] = [];
  const waiting: ListEntry[] = [];
  for (const entry of entries) {
    if ('kept' in entry) {
      found.set(entry.kept.id, entry.kept);
      continue;
    }
    const before = known.get(entry.id);
    if (before && !changed.has(entry.id) && !needsInspect(entry, before)) found.set(entry.id, before);
    else waiting.push(entry);
  }
  let silent = 0;
  let isAlive: Promise<boolean> | undefined;
  const work = async (): Promise<void> => {
    for (let entry = waiting.shift(); entry; entry = waiting.shift()) {
      const { id, signature } = entry;
      try {
        if (silent >= silentInspects) {
          if (!(await (isAlive ??= answers(host)))) throw hungError();
          silent = 0;
          isAlive = undefined;
        }
        const reading = await inspectContainer(host, id);
        silent = 0;
        if (reading.inspectError) failures.push(`${reading.name}: ${reading.inspectError}`);
        found.set(id, { ...reading, listSignature: signature });
      } catch (error) {
        const { code, message } = asHostError(error);
        if (code === 'missing' || code === 'gone') {
          // Removed since the list was made; in a recording it may merely not have been recorded.
          if (host.kind === 'live') continue;
        }
        if (code === 'timeout') silent += 1;
        failures.push(`${entry.name}: ${message}`);
        found.set(id, readingFromList(entry, message, host.now(), known.get(id)));
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(inspectsAtOnce, waiting.length) }, work));
  const containers = entries.flatMap(entry => found.get('kept' in entry ? entry.kept.id : entry.id) ?? []);
  if (failures.length === 0) return { value: containers };
  const more = failures.length > 1 ? ` (and ${failures.length - 1} more)` : '';
  return { value: containers, missing: `inspect failed: ${failures[0]}${more}` };
}

/** Whether the daemon answers at all: containers whose locks are held are waited for one by one, a daemon that hangs is not. */
const answers = (host: Host): Promise<boolean> =>
  host.docker.get('/version', { timeoutMs: aliveTimeoutMs }).then(
    () => true,
    (error: unknown) => asHostError(error).code !== 'timeout',
  );

const hungError = (): HostError => new HostError('timeout', 'not asked for: Docker does not answer any more');

/** All networks, in order of name. @throws HostError */
export async function readNetworks(host: Host): Promise<NetworkReading[]> {
  const answer = await host.docker.get('/networks');
  if (answer !== null && !Array.isArray(answer)) throw new HostError('failed', "Docker's list of networks is no list");
  return withBridges(host, parseNetworks(answer));
}

/** The services, in order of name. Only a swarm manager knows them; any other daemon answers with HTTP 503. @throws HostError */
export async function readServices(host: Host): Promise<ServiceReading[]> {
  return parseServices(await host.docker.get('/services'));
}

/**
 * All of Docker at once.
 * @param previous the reading of the last time: its engine and its unchanged containers are kept
 * @param changed as for `readContainers`
 * @throws HostError when daemon, containers or networks cannot be read
 */
export async function readDocker(
  host: Host,
  previous?: DockerReading,
  changed?: ReadonlySet<string>,
): Promise<Outcome<DockerReading>> {
  const known: Outcome<EngineReading> | undefined = previous && { value: previous.engine };
  const [engine, containers, networks] = await Promise.all([
    known ?? readEngine(host),
    readContainers(host, previous?.containers, changed),
    readNetworks(host),
  ]);
  const missing = [engine.missing, containers.missing];
  let services: ServiceReading[] = [];
  if (engine.value.swarm.manager) {
    try {
      services = await readServices(host);
    } catch (error) {
      services = previous?.services ?? [];
      missing.push(`services: ${asHostError(error).message}`);
    }
  }
  const local =
    engine.value.local === undefined ? judgeLocality(host, engine.value, containers.value, networks) : undefined;
  const reading = { engine: { ...engine.value, ...local }, containers: containers.value, networks, services };
  const reasons = missing.filter(reason => reason !== undefined);
  return reasons.length > 0 ? { value: reading, missing: reasons.join('; ') } : { value: reading };
}

function asHostError(error: unknown): HostError {
  if (error instanceof HostError) return error;
  return new HostError('failed', error instanceof Error ? error.message : String(error));
}
