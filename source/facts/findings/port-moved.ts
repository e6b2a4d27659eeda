import { isUp } from '../publishing.ts';
import type { PortChange } from '../schema.ts';
import type { Detector } from './detector.ts';
import { placeText, uniquePorts } from './shared.ts';
import { shellName } from '../shell-words.ts';

/** How long a change of port stays a finding. */
const lateMs = 15 * 60_000;

const sides = (side: PortChange['from']): string => {
  const ports = new Set(side.map(({ hostPort }) => hostPort));
  return ports.size === 1
    ? String([...ports][0])
    : side.map(({ hostIp, hostPort }) => placeText(hostIp, hostPort)).join(' ');
};

const places = (side: PortChange['from']): string =>
  side.map(({ hostIp, hostPort }) => placeText(hostIp, hostPort)).join(', ');

/** An ephemeral port changed in the last quarter of an hour: whoever has the old number is talking to nobody, or to another container. */
export const portMoved: Detector = {
  code: 'port-moved',
  severity: 'info',
  needs: ['docker'],
  detect: ({ facts, now }) => {
    const latest = new Map<string, { change: PortChange; count: number }>();
    for (const change of facts.portChanges) {
      if (now - Date.parse(change.at) > lateMs) continue;
      if (!facts.containers.some(({ id }) => id === change.containerId)) continue;
      const key = `${change.containerId}:${change.containerPort}/${change.proto}`;
      const seen = latest.get(key);
      if (seen === undefined) latest.set(key, { change, count: 1 });
      else if (seen.change.at >= change.at) latest.set(key, { ...seen, count: seen.count + 1 });
      else latest.set(key, { change, count: seen.count + 1 });
    }
    return [...latest].map(([key, { change, count }]) => {
      const container = facts.containers.find(({ id }) => id === change.containerId);
      const name = container?.name ?? change.containerName;
      // What does not run has given its port back: the number is that of its last run.
      const isNow = container !== undefined && isUp(container);
      const shell = shellName({ name, id: change.containerId });
      const port = `${change.containerPort}/${change.proto}`;
      const again = count > 1 ? `, the last of ${count} changes in 15 minutes` : '';
      return {
        subject: { kind: 'port' as const, id: key, name: `${name} ${port}` },
        message: `${name} ${port} moved from host port ${sides(change.from)} to ${sides(change.to)} (${change.cause})${again}${isNow ? '' : '; it is not running, and its next start may take yet another'}`,
        evidence: [
          isNow
            ? {
                source: `docker port ${shell} ${port}`,
                text: `was ${places(change.from)}; is ${places(change.to)} since ${change.at}`,
              }
            : {
                source: `docker inspect ${shell}`,
                text: `state ${container?.state}; was ${places(change.from)}, and last, from ${change.at}, ${places(change.to)}`,
              },
        ],
        fix: `Publish a fixed port (-p HOSTPORT:${change.containerPort}) if something relies on the number`,
        confirm: isNow ? `docker port ${shell} ${port}` : `docker inspect -f '{{.State.Status}}' ${shell}`,
        containerIds: [change.containerId],
        ports: isNow
          ? uniquePorts(
              change.to.map(({ hostIp, hostPort }) => ({ proto: change.proto, address: hostIp, port: hostPort })),
            )
          : [],
      };
    });
  },
};
