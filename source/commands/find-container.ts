/** Finding the container that an operator names. */
import { setTimeout as sleep } from 'node:timers/promises';
import { listContainers } from '../host/docker.ts';
import { HostError, type Host } from '../host/host.ts';
import { UsageError } from '../host/usage-error.ts';

/** Small edit distance (Levenshtein), for near matches. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      next.push(Math.min(next[j - 1]! + 1, row[j]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)));
    }
    row = next;
  }
  return row[b.length]!;
}

/** Names like `name`, nearest first: those that contain it, and those that differ in few letters. */
export function nearMatches(name: string, candidates: readonly string[]): string[] {
  const wanted = name.toLowerCase();
  const most = Math.max(1, Math.floor(wanted.length / 3));
  return candidates
    .map(candidate => {
      const lower = candidate.toLowerCase();
      return { candidate, rank: lower.includes(wanted) || wanted.includes(lower) ? 0 : distance(wanted, lower) };
    })
    .filter(({ rank }) => rank <= most)
    .sort((a, b) => a.rank - b.rank || (a.candidate < b.candidate ? -1 : 1))
    .slice(0, 5)
    .map(({ candidate }) => candidate);
}

/**
 * The id of the container that goes by this name, id or beginning of an id, as the Docker CLI takes them.
 * @param commands names of netdash's commands, since a mistyped one looks like a container
 * @throws UsageError when there is none, when it could be several, or when Docker cannot be asked
 */
export async function findContainer(host: Host, name: string, commands: readonly string[]): Promise<string> {
  const containers = await listContainers(host).catch((error: unknown) => {
    if (!(error instanceof HostError)) throw error;
    throw new UsageError(`'${name}' is no command, and no container can be looked up: ${error.message}`);
  });
  const named = containers.find(container => container.name === name || container.id === name);
  if (named) return named.id;
  const begun = /^[0-9a-f]+$/.test(name) ? containers.filter(({ id }) => id.startsWith(name)) : [];
  if (begun.length === 1) return begun[0]!.id;
  if (begun.length > 1)
    throw new UsageError(`'${name}' is the beginning of ${begun.length} container ids: give more of it`);
  const near = nearMatches(name, [...commands, ...containers.map(container => container.name)]);
  const hint = near.length > 0 ? `; did you mean ${near.join(', ')}?` : '';
  throw new UsageError(`unknown command or container '${name}'${hint}`);
}

/** A Docker that does not answer keeps a screen away for no longer than this, ms. */
const patienceMs = 1000;

/**
 * The same for a screen, which can open a container later: its name as it was given when Docker takes too long to say.
 * @throws UsageError
 */
export async function findContainerSoon(host: Host, name: string, commands: readonly string[]): Promise<string> {
  const late = new AbortController();
  const found = findContainer(host, name, commands).finally(() => late.abort());
  const given = sleep(patienceMs, name, { signal: late.signal }).catch(() => found);
  return Promise.race([found, given]);
}
