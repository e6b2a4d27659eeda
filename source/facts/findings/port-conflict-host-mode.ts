import type { ContainerReading } from '../../host/readings.ts';
import { claimText, type Claim } from '../claims.ts';
import { bindConflict } from '../conflicts.ts';
import { claimOfListener, listText, ownerText } from '../holders.ts';
import { netnsOwner, modeIndex } from '../network-mode.ts';
import { isUp } from '../publishing.ts';
import type { Container, Listener } from '../schema.ts';
import { wantedPorts, type WantedPort } from '../wanted-ports.ts';
import type { Detector, FindingContext, FindingDraft } from './detector.ts';
import { graceMs, isElsewhere, uniquePorts, wasRaised } from './shared.ts';
import { shellName } from '../shell-words.ts';

/** A program that cannot bind gives up at once, or after a few tries. */
const soonMs = 60_000;

/** Ended by itself with an error: exits by a signal (128 and up, save 255, which is exit(-1)) and Docker's own 125-127 are no bind failures. */
const gaveUp = (exitCode: number): boolean => (exitCode > 0 && exitCode < 125) || exitCode === 255;

/** The listeners of the netns that a container joined, and when they were read; undefined when they are not known. */
function listenersAround(
  container: ContainerReading,
  { facts, readings }: FindingContext,
): { listeners: Listener[]; readAt: number } | undefined {
  const owner = netnsOwner(container, modeIndex(readings.docker.value?.containers ?? [], []));
  if (owner === undefined) return undefined;
  const isHost = owner.networkMode === 'host';
  const listeners = isHost ? facts.listeners : facts.containers.find(({ id }) => id === owner.id)?.listeners;
  const readAt = isHost ? readings.sockets.at : readings.inside[owner.id]?.at;
  return listeners && readAt !== undefined ? { listeners, readAt } : undefined;
}

const claimOf = ({ proto, port, address = '0.0.0.0' }: WantedPort): Claim => ({ proto, port, address });

/**
 * Whether a listener takes what a program wants. Where the program's address is not known it wants a wildcard, of either
 * family, so that a `::` listener of which IPV6_V6ONLY is not known is in its way as well.
 */
function isInTheWay(listener: Listener, wanted: WantedPort): boolean {
  const verdict = bindConflict(claimOfListener(listener), claimOf(wanted));
  return verdict === true || (verdict === 'unknown' && wanted.address === undefined);
}

/** A wanted port with the listener of somebody else that is in its way. */
interface Clash {
  wanted: WantedPort;
  listener: Listener;
}

/** Who holds what this container wants. A listener without a known owner only counts when the container cannot be its owner. */
function clashesOf(container: ContainerReading, listeners: readonly Listener[], isDown: boolean): Clash[] {
  return wantedPorts(container).flatMap(wanted =>
    listeners
      .filter(({ owner }) =>
        owner.kind === 'unknown' && owner.containerId === undefined ? isDown : owner.containerId !== container.id,
      )
      .filter(listener => isInTheWay(listener, wanted))
      .map(listener => ({ wanted, listener })),
  );
}

/** Whether the holder's container has been there before this one gave up: a later one cannot be the reason. */
function wasThere(clash: Clash, container: ContainerReading, context: FindingContext): boolean {
  const holder = context.readings.docker.value?.containers.find(({ id }) => id === clash.listener.owner.containerId);
  if (holder?.startedAt === undefined || container.finishedAt === undefined) return true;
  return holder.startedAt <= container.finishedAt;
}

/** What it did, about the ports that it wants, up to the word `taken`; a guess at what it wants is told as one. */
type How = (ports: string, isGuess: boolean) => string;

const gaveUpText =
  (what: string): How =>
  (ports, isGuess) =>
    isGuess
      ? `${what}; port ${ports}, which its image exposes and it may want, is`
      : `${what} and wants port ${ports}, which is`;

const runsText: How = (ports, isGuess) =>
  `runs without a listener on port ${ports}, which its ${isGuess ? 'image exposes' : 'command line names'} and which is`;

function draft(container: ContainerReading, clashes: readonly Clash[], how: How): FindingDraft {
  const mode = container.networkMode === 'host' ? 'host network' : 'shared netns';
  const first = clashes[0];
  // What an image exposes is a label: no program need bind it.
  const isGuess = clashes.every(({ wanted }) => wanted.isGuess === true);
  const wants = listText([...new Set(clashes.map(({ wanted }) => `${wanted.port}/${wanted.proto}`))]);
  const holders = [
    ...new Set(clashes.map(({ listener }) => `${ownerText(listener)} holds ${claimText(claimOfListener(listener))}`)),
  ];
  const others = clashes.flatMap(({ listener }) => listener.owner.containerId ?? []);
  return {
    subject: { kind: 'container', id: container.id, name: container.name },
    message: `${container.name} (${mode}) ${how(wants, isGuess)} taken: ${holders.join('; ')}`,
    evidence: [
      {
        source: `docker inspect ${shellName(container)}`,
        text: `NetworkMode ${container.networkMode.slice(0, 22)}, state ${container.state}, exit code ${container.exitCode}; ${isGuess ? 'may want' : 'wants'} ${wants} by ${first?.wanted.from}: ${container.command.join(' ')}`,
      },
      ...holders.map(text => ({ source: 'ss -tulnp', text })),
    ],
    fix: `Let one of the two listen on another port, or each on an address of its own; docker logs ${shellName(container)} has its own words`,
    confirm: `docker logs --tail 20 ${shellName(container)}; ss -tulnp 'sport = :${first?.wanted.port}'`,
    containerIds: [...new Set([container.id, ...others])],
    ports: uniquePorts(clashes.map(({ listener }) => listener)),
  };
}

/** The listeners that a running container has itself; null when that is not known for certain. */
function ownListeners(facts: Container | undefined, around: readonly Listener[]): Listener[] | null {
  if (facts === undefined || facts.listeners === null) return null;
  return around.filter(({ owner }) => owner.containerId === facts.id && owner.via === 'own');
}

/**
 * A container in the host's netns, or in another container's, gave up or runs without its listener while somebody else
 * has the port that it wants. Docker knows nothing of such a conflict: no mapping is asked of it.
 */
export const portConflictHostMode: Detector = {
  code: 'port-conflict-host-mode',
  severity: 'error',
  needs: ['docker', 'sockets'],
  undecided: (context, { subject }) => {
    const container = context.readings.docker.value?.containers.find(({ id }) => id === subject.id);
    if (container === undefined) return false;
    const owner = netnsOwner(container, modeIndex(context.readings.docker.value?.containers ?? [], []));
    return (
      owner !== undefined && (owner === container || isUp(owner)) && listenersAround(container, context) === undefined
    );
  },
  detect: context => {
    const docker = context.readings.docker.value;
    if (docker === undefined || isElsewhere(docker.engine)) return [];
    return docker.containers.flatMap(container => {
      if (container.networkMode !== 'host' && !container.networkMode.startsWith('container:')) return [];
      if (container.startedAt === undefined || container.inspectError !== undefined) return [];
      const around = listenersAround(container, context);
      if (around === undefined) return [];
      const raisedBefore = wasRaised('port-conflict-host-mode', container.id, context);
      if (container.state === 'exited' || container.state === 'restarting') {
        const ranMs = (container.finishedAt ?? 0) - container.startedAt;
        if (!gaveUp(container.exitCode) || container.oomKilled || ranMs > soonMs) return [];
        const clashes = clashesOf(container, around.listeners, true).filter(clash =>
          wasThere(clash, container, context),
        );
        const ended = container.state === 'restarting' ? 'keeps exiting' : 'exited';
        return clashes.length > 0 ? [draft(container, clashes, gaveUpText(`${ended} with ${container.exitCode}`))] : [];
      }
      if (container.state !== 'running') return [];
      const isYoung = around.readAt - container.startedAt < graceMs;
      if (isYoung && !raisedBefore) return [];
      const own = ownListeners(
        context.facts.containers.find(({ id }) => id === container.id),
        around.listeners,
      );
      if (own === null) return [];
      const wanted = wantedPorts(container);
      if (wanted.some(port => own.some(listener => listener.port === port.port && listener.proto === port.proto)))
        return [];
      const clashes = clashesOf(container, around.listeners, false);
      return clashes.length > 0 ? [draft(container, clashes, runsText)] : [];
    });
  },
};
