import { triesOfRange } from '../engine.ts';
import {
  blockerContainers,
  blockersFor,
  blockersText,
  hindrancesOf,
  holderEvidence,
  holdersNow,
  type Blocker,
} from '../holders.ts';
import { ownClash, ownClashFix } from '../own-clash.ts';
import { hostTraits, requestsOf } from '../requests.ts';
import type { Detector } from './detector.ts';
import { failedStart, uniquePorts } from './shared.ts';
import { shellName } from '../shell-words.ts';

/** A container that ended so long ago may be starting again, in ms: its own docker-proxy is there before Docker says that it runs. */
const restartMs = 10_000;

/** What it hangs on whether they are in the way. */
const doubtText = (blockers: readonly Blocker[]): string =>
  blockers.every(({ ifProxied }) => ifProxied === true)
    ? '; Docker takes the IPv6 side where docker-proxy is in use, as it is by default: whether it is here does not show while no container publishes a port'
    : ' (likely; not certain)';

/** Why a range of which some ports are free may not do. */
const triesText = (version: string, tries = 1): string =>
  `Docker ${Number.parseInt(version, 10)} tries ${tries === 1 ? 'only one port' : `no more than ${tries} ports`} of a range at a start, whoever holds ${tries === 1 ? 'it' : 'them'}`;

/**
 * A container that is not running asks for a host port that somebody holds now, or its own bindings exclude each other. Only for containers that somebody may
 * start (created, exited); one that `port-conflict-failed` tells of is left to that.
 */
export const portConflictPending: Detector = {
  code: 'port-conflict-pending',
  severity: 'warning',
  needs: ['docker'],
  helpedBy: ['sockets'],
  possible: ({ readings }, { subject }) =>
    readings.docker.value?.containers.some(
      ({ id, state }) => id === subject.id && (state === 'created' || state === 'exited'),
    ) === true,
  detect: context => {
    const docker = context.readings.docker.value;
    if (docker === undefined) return [];
    const traits = hostTraits(context.readings);
    const held = holdersNow(context);
    return docker.containers.flatMap(container => {
      if (container.state !== 'created' && container.state !== 'exited') return [];
      const failed = failedStart(container)?.kind;
      if (failed === 'taken' || failed === 'exhausted') return [];
      const mayStart = context.now - (container.finishedAt ?? 0) < restartMs;
      const requests = requestsOf(container, docker, traits) ?? [];
      const met = requests
        .flatMap(request => blockersFor(request, held))
        .filter(
          ({ verdict, likely, ifProxied, holder }) =>
            (verdict === true || likely === true || ifProxied === true) && !(mayStart && holder.isDockers === true),
        );
      // What is sure says enough.
      const isSure = met.some(({ verdict }) => verdict === true);
      const blockers = isSure ? met.filter(({ ifProxied }) => ifProxied !== true) : met;
      const clash = ownClash(requests, { engine: docker.engine });
      const race = clash?.kind === 'race' ? clash : undefined;
      // Once it has run, its bindings are such as can be had.
      const own = race || container.startedAt !== undefined ? undefined : clash;
      const tries = triesOfRange(docker.engine);
      const hindrances =
        tries === undefined || own || blockers.length > 0
          ? []
          : requests.flatMap(request => hindrancesOf(request, held, tries));
      if (blockers.length === 0 && hindrances.length === 0 && !own && !race) return [];
      const all = [...blockers, ...hindrances];
      const isLikely = own === undefined && blockers.every(({ verdict }) => verdict !== true);
      const ports = uniquePorts([...((own ?? race)?.claims ?? []), ...all.map(({ asked }) => asked)]);
      const reasons = [
        ...(own ? [own.text] : []),
        ...(blockers.length > 0 ? [blockersText(blockers) + (isLikely ? doubtText(blockers) : '')] : []),
        ...(hindrances.length > 0 ? [`${blockersText(hindrances)}; ${triesText(docker.engine.version, tries)}`] : []),
        ...(race ? [race.text] : []),
      ];
      return [
        {
          subject: { kind: 'container' as const, id: container.id, name: container.name },
          message: `${container.name} ${own ? 'can never start' : isLikely ? 'may not start as things are' : 'will not start as things are'}: ${reasons.join('; ')}`,
          evidence: [
            {
              source: `docker inspect ${shellName(container)}`,
              text: `asks for ${[...new Set(ports.map(({ port, proto }) => `${port}/${proto}`))].join(', ')}; state ${container.state}`,
            },
            ...holderEvidence(all),
          ],
          fix: own
            ? ownClashFix(container.name)
            : all.length === 0
              ? `Create ${container.name} again with host ports of which none is asked for twice`
              : `Before starting ${container.name}, stop the holder or give it another host port`,
          confirm: `docker inspect -f '{{json .HostConfig.PortBindings}}' ${shellName(container)}; ss -tulnp 'sport = :${ports[0]?.port}'`,
          containerIds: [container.id, ...blockerContainers(all)],
          ports,
        },
      ];
    });
  },
};
