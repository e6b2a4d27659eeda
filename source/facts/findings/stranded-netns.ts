import type { ContainerReading, Readings } from '../../host/readings.ts';
import { modeIndex, netnsOwner, networkMode } from '../network-mode.ts';
import { isUp } from '../publishing.ts';
import type { Detector } from './detector.ts';
import { shellName } from '../shell-words.ts';

/** Why a sharer is stranded; undefined when it is not, or when that is not known. */
function strandedBecause(
  sharer: ContainerReading,
  containers: readonly ContainerReading[],
  readings: Readings,
): { why: string; evidence: string; partner?: ContainerReading } | undefined {
  const index = modeIndex(containers, []);
  const partnerId = networkMode(sharer, index).sharesNetnsWith?.id;
  if (partnerId === undefined) return undefined;
  const partner = index.containersById.get(partnerId);
  if (partner === undefined) {
    const id = partnerId.slice(0, 12);
    return { why: `container ${id}, whose netns it joined, no longer exists`, evidence: `no container ${id}` };
  }
  if (partner.inspectError !== undefined) return undefined;
  // The host's netns outlives every container.
  const owner = netnsOwner(sharer, index) ?? partner;
  if (owner.networkMode === 'host') return undefined;
  if (!isUp(partner)) {
    return {
      why: `${partner.name}, whose netns it joined, is ${partner.state}`,
      evidence: `${partner.name} is ${partner.state}`,
      partner,
    };
  }
  const mine = netnsOf(sharer, readings);
  const theirs = netnsOf(partner, readings);
  if (mine !== undefined && theirs !== undefined) {
    if (mine === theirs) return undefined;
    return {
      why: `${partner.name} has another netns by now: it was restarted after ${sharer.name} had joined`,
      evidence: `netns ${mine} of ${sharer.name}, ${theirs} of ${partner.name}`,
      partner,
    };
  }
  if (owner.startedAt === undefined || sharer.startedAt === undefined || owner.startedAt <= sharer.startedAt)
    return undefined;
  const times = `${owner.name} started ${new Date(owner.startedAt).toISOString()}, ${sharer.name} ${new Date(sharer.startedAt).toISOString()}`;
  return { why: `${owner.name} was restarted after ${sharer.name} had joined its netns`, evidence: times, partner };
}

/** The inode of a container's netns in its current run. */
function netnsOf(container: ContainerReading, readings: Readings): number | undefined {
  const inside = readings.inside[container.id]?.value;
  return inside?.pid === container.pid ? inside.netns : undefined;
}

/** A container runs in the netns of a partner that is gone or has got a new one: it has no way out, and nothing tells it. */
export const strandedNetns: Detector = {
  code: 'stranded-netns',
  severity: 'error',
  needs: ['docker'],
  detect: ({ readings }) => {
    const containers = readings.docker.value?.containers ?? [];
    return containers.flatMap(sharer => {
      if (!isUp(sharer) || !sharer.networkMode.startsWith('container:')) return [];
      const stranded = strandedBecause(sharer, containers, readings);
      if (stranded === undefined) return [];
      const { why, evidence, partner } = stranded;
      return [
        {
          subject: { kind: 'container' as const, id: sharer.id, name: sharer.name },
          message: `${sharer.name} is cut off: ${why}`,
          evidence: [
            { source: `docker inspect ${shellName(sharer)}`, text: `NetworkMode ${sharer.networkMode.slice(0, 22)}` },
            { source: partner === undefined ? 'docker ps -a' : 'docker inspect, /proc/PID/ns/net', text: evidence },
          ],
          fix:
            partner === undefined
              ? `Create ${sharer.name} anew with --network container: and the partner's name (with Compose: up --force-recreate)`
              : `docker restart ${shellName(sharer)}${isUp(partner) ? '' : ` once ${partner.name} runs`}`,
          confirm: `docker inspect -f '{{.HostConfig.NetworkMode}} {{.State.StartedAt}}' ${shellName(sharer)}; nsenter -t ${sharer.pid} -n ip addr`,
          containerIds: partner === undefined ? [sharer.id] : [sharer.id, partner.id],
          ports: [],
        },
      ];
    });
  },
};
