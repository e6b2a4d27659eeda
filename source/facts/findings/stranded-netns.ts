import type { ContainerReading, Readings } from '../../host/readings.ts';
import { modeIndex, netnsChain, type ModeIndex } from '../network-mode.ts';
import { isUp } from '../publishing.ts';
import type { Detector } from './detector.ts';
import { shellName } from '../shell-words.ts';

interface Stranded {
  why: string;
  evidence: string;
  /** Those of whom it takes a restart as well, as far as they are still there; the one whose netns it was meant to be is last. */
  partners: readonly ContainerReading[];
  /** Set where one of these no longer exists, so that no restart helps. */
  isGone?: true;
}

/** What sharers are judged by. */
interface Scene {
  index: ModeIndex;
  /** Containers that run in a netns of their own, or in the host's. */
  owners: readonly ContainerReading[];
  readings: Readings;
}

/**
 * Why a sharer is stranded; undefined when it is not, or when that is not known. Docker joins it to the netns in which its
 * partner's first process is at that moment (moby, daemon/oci_linux.go), so that the partner of a sharer may be a sharer itself,
 * and may go without taking the netns with it: what counts is the container at the end.
 */
function strandedBecause(sharer: ContainerReading, { index, owners, readings }: Scene): Stranded | undefined {
  const chain = netnsChain(sharer, index);
  if (chain === undefined) return undefined;
  const { partners, missing } = chain;
  if (partners.some(({ inspectError }) => inspectError !== undefined)) return undefined;
  const mine = netnsOf(sharer, readings);
  if (mine !== undefined) {
    if (readings.inside[sharer.id]?.value?.sharesHostNetns) return undefined;
    if (owners.some(other => netnsOf(other, readings) === mine)) return undefined;
  }
  const through = (count: number): string => {
    const names = partners.slice(0, count).map(({ name }) => name);
    return names.length === 0 ? '' : ` by way of ${names.join(' and ')}`;
  };
  if (missing !== undefined) {
    const id = missing.slice(0, 12);
    // The missing one may have been a sharer itself. Docker gives all of them the host name of the one at the end.
    const mayBeThere = (other: ContainerReading): boolean =>
      other.hostname === sharer.hostname && (mine === undefined || netnsOf(other, readings) === undefined);
    if (owners.some(mayBeThere)) return undefined;
    return {
      why: `container ${id}, whose netns it joined${through(partners.length)}, no longer exists`,
      evidence: `no container ${id}`,
      partners,
      isGone: true,
    };
  }
  const owner = partners.at(-1);
  // The host's netns outlives every container.
  if (owner === undefined || owner.networkMode === 'host') return undefined;
  const way = through(partners.length - 1);
  if (!isUp(owner)) {
    return {
      why: `${owner.name}, whose netns it joined${way}, is ${owner.state}`,
      evidence: `${owner.name} is ${owner.state}`,
      partners,
    };
  }
  const theirs = netnsOf(owner, readings);
  // Who joined one that was left behind before has been there since.
  const joiners = [sharer, ...partners.slice(0, -1)].map(({ name }) => name).join(' or ');
  if (mine !== undefined && theirs !== undefined) {
    return {
      why: `${owner.name} has another netns by now: it was restarted after ${joiners} had joined`,
      evidence: `netns ${mine} of ${sharer.name}, ${theirs} of ${owner.name}`,
      partners: partners.filter(each => each === owner || netnsOf(each, readings) !== theirs),
    };
  }
  const joined = joinedAt([sharer, ...partners.slice(0, -1)]);
  if (owner.startedAt === undefined || joined === undefined || owner.startedAt <= joined) return undefined;
  const times = [owner, sharer].map(
    ({ name, startedAt = 0 }) => `${name} started ${new Date(startedAt).toISOString()}`,
  );
  return {
    why: `${owner.name} was restarted after ${joiners} had joined its netns`,
    evidence: times.join(', '),
    partners,
  };
}

/**
 * Since when the first of these sharers can have been where it is: it is in the netns that the next one had when it started,
 * and that one has been there since its own start, unless it has been started again in the meantime.
 */
function joinedAt(sharers: readonly ContainerReading[]): number | undefined {
  let earliest: number | undefined;
  for (const [place, { startedAt }] of sharers.entries()) {
    if (place === 0) earliest = startedAt;
    else if (earliest !== undefined && startedAt !== undefined && startedAt < earliest) earliest = startedAt;
  }
  return earliest;
}

/** The inode of a container's netns in its current run. */
function netnsOf(container: ContainerReading, readings: Readings): number | undefined {
  const inside = readings.inside[container.id]?.value;
  return inside?.pid === container.pid ? inside.netns : undefined;
}

function fixOf(sharer: ContainerReading, { partners, isGone }: Stranded): string {
  if (isGone) {
    const names = [sharer, ...partners].map(({ name }) => name).toReversed();
    return `Create ${names.join(', then ')} anew with --network container: and the partner's name (with Compose: up --force-recreate)`;
  }
  const owner = partners.at(-1);
  const restarted = [sharer, ...partners.slice(0, -1)].toReversed().map(shellName).join(' ');
  return `docker restart ${restarted}${owner === undefined || isUp(owner) ? '' : ` once ${owner.name} runs`}`;
}

/**
 * A container runs in the netns of a partner that is gone or has got a new one, or shares the netns of one that does: it has no
 * way out, and nothing tells it.
 */
export const strandedNetns: Detector = {
  code: 'stranded-netns',
  severity: 'error',
  needs: ['docker'],
  detect: ({ readings }) => {
    const containers = readings.docker.value?.containers ?? [];
    const owners = containers.filter(each => isUp(each) && !each.networkMode.startsWith('container:'));
    const scene: Scene = { index: modeIndex(containers, []), owners, readings };
    return containers.flatMap(sharer => {
      if (!isUp(sharer) || !sharer.networkMode.startsWith('container:')) return [];
      const stranded = strandedBecause(sharer, scene);
      if (stranded === undefined) return [];
      const { why, evidence, partners, isGone } = stranded;
      return [
        {
          subject: { kind: 'container' as const, id: sharer.id, name: sharer.name },
          message: `${sharer.name} is cut off: ${why}`,
          evidence: [sharer, ...partners]
            .filter(({ networkMode }) => networkMode.startsWith('container:'))
            .map(each => ({
              source: `docker inspect ${shellName(each)}`,
              text: `NetworkMode ${each.networkMode.slice(0, 22)}`,
            }))
            .concat({ source: isGone ? 'docker ps -a' : 'docker inspect, /proc/PID/ns/net', text: evidence }),
          fix: fixOf(sharer, stranded),
          confirm: `docker inspect -f '{{.HostConfig.NetworkMode}} {{.State.StartedAt}}' ${shellName(sharer)}; nsenter -t ${sharer.pid} -n ip addr`,
          containerIds: [sharer.id, ...partners.map(({ id }) => id)],
          ports: [],
        },
      ];
    });
  },
};
