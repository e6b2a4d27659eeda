import type { ContainerReading } from '../../host/readings.ts';
import { claimText, type Claim } from '../claims.ts';
import { bindConflict } from '../conflicts.ts';
import { blockersFor, holdersNow, listText } from '../holders.ts';
import { claimsFor, hostTraits, requestsOf } from '../requests.ts';
import type { Detector, FindingContext, FindingDraft } from './detector.ts';
import { uniquePorts } from './shared.ts';
import { shellName } from '../shell-words.ts';

/** A container's wish for one host port. */
interface Wish {
  container: ContainerReading;
  port: number;
  claims: Claim[];
}

/** Fixed ports that containers which are not running ask for and that nobody is seen to hold, by `port/proto`. */
function freeWishes(context: FindingContext): Map<string, Wish[]> {
  const wishes = new Map<string, Wish[]>();
  const docker = context.readings.docker.value;
  if (docker === undefined) return wishes;
  const traits = hostTraits(context.readings);
  const held = holdersNow(context);
  for (const container of docker.containers) {
    if (container.state !== 'created' && container.state !== 'exited') continue;
    for (const request of requestsOf(container, docker, traits) ?? []) {
      const [port, last] = request.ports ?? [];
      if (port === undefined || port !== last || blockersFor(request, held).length > 0) continue;
      const claims = claimsFor(request, port)
        .filter(({ certain }) => certain)
        .map(({ claim }) => claim);
      const key = `${port}/${request.binding.proto}`;
      if (claims.length > 0) wishes.set(key, [...(wishes.get(key) ?? []), { container, port, claims }]);
    }
  }
  return wishes;
}

const excludes = (a: Wish, b: Wish): boolean =>
  a.container !== b.container && a.claims.some(mine => b.claims.some(theirs => bindConflict(mine, theirs) === true));

/** Puts wishes that exclude each other, directly or through a third, into one group. */
function rivalGroups(wishes: readonly Wish[]): Wish[][] {
  const groups: Wish[][] = [];
  for (const wish of wishes) {
    const touched = groups.filter(group => group.some(member => excludes(member, wish)));
    for (const group of touched) groups.splice(groups.indexOf(group), 1);
    groups.push([...touched.flat(), wish]);
  }
  return groups.filter(group => new Set(group.map(wish => wish.container)).size > 1);
}

/** Who can start beside whom: where not every two of a group exclude each other, the pairs that do. */
function outcome(group: readonly Wish[], names: readonly string[]): string {
  const pairs = group.flatMap((a, index) =>
    group
      .slice(index + 1)
      .filter(b => excludes(a, b))
      .map(b => [a, b] as const),
  );
  const excluded = new Set(pairs.map(pair => listText(pair.map(wish => wish.container.name).toSorted())));
  const all = (names.length * (names.length - 1)) / 2;
  if (excluded.size === all) return 'only one of them can start';
  return `not together: ${[...excluded].toSorted().slice(0, 4).join('; ')}${excluded.size > 4 ? '; …' : ''}`;
}

function draft(key: string, wishes: readonly Wish[]): FindingDraft {
  const group = wishes.toSorted((a, b) => (a.container.name < b.container.name ? -1 : 1));
  const containers = [...new Set(group.map(wish => wish.container))];
  const claims = group.flatMap(wish => wish.claims);
  const addresses = [...new Set(claims.map(claim => claim.address))].sort();
  const names = containers.map(container => container.name);
  return {
    subject: { kind: 'port', id: `${key}@${addresses[0]}`, name: key },
    message: `${listText(names)} ${names.length === 2 ? 'both' : 'all'} ask for port ${key}, which nothing is seen to hold: ${outcome(group, names)}`,
    evidence: containers.map(container => ({
      source: `docker inspect ${shellName(container)}`,
      text: `${container.state}; asks for ${[
        ...new Set(group.filter(wish => wish.container === container).flatMap(wish => wish.claims.map(claimText))),
      ].join(', ')}`,
    })),
    fix: 'Give all but one of them another host port, or remove those that are no longer needed',
    confirm: `docker inspect -f '{{.Name}} {{json .HostConfig.PortBindings}}' ${containers.map(shellName).join(' ')}`,
    containerIds: containers.map(container => container.id),
    ports: uniquePorts(claims),
  };
}

/** Two or more containers that are not running ask for one fixed host port that nobody is seen to hold now. */
export const portConflictRivals: Detector = {
  code: 'port-conflict-rivals',
  severity: 'warning',
  needs: ['docker'],
  helpedBy: ['sockets'],
  possible: ({ readings }, { containerIds }) =>
    containerIds.every(id =>
      readings.docker.value?.containers.some(
        container => container.id === id && (container.state === 'created' || container.state === 'exited'),
      ),
    ),
  detect: context =>
    [...freeWishes(context)].flatMap(([key, wishes]) => rivalGroups(wishes).map(group => draft(key, group))),
};
