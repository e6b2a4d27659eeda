/** Who holds ports now, and whether that stands in a request's way. */
import type { SocketReading } from '../host/readings.ts';
import { claimOfSocket, claimText, type Claim } from './claims.ts';
import { bindConflict, type Conflict } from './conflicts.ts';
import type { FindingContext } from './findings/detector.ts';
import { isUp } from './publishing.ts';
import { claimsFor, type PortRequest } from './requests.ts';
import type { Container, Listener } from './schema.ts';
import { haveSameItems } from './sharing.ts';

/** Somebody's hold on a port. */
export interface Holder {
  claim: Claim;
  /** In the words of the operator: `web's httpd (pid 123)`, `container web`, `nginx (pid 99, nginx.service)`. */
  who: string;
  /** What said it. */
  source: string;
  containerId?: string;
  /** Docker holds it, and not known for whom. */
  isDockers?: boolean;
  /** Docker itself has given it to a container or a service. */
  isAllocated?: boolean;
  /** False when it may not really be in the way (a connection whose SO_REUSEADDR is not known). */
  certain: boolean;
  /** Not certain, but nearly so: a UDP connection is in the way unless both sides have set SO_REUSEADDR. */
  likely?: true;
}

/** What stands in a request's way. */
export interface Blocker {
  /** The claim of the request that cannot be had. */
  asked: Claim;
  holder: Holder;
  verdict: Exclude<Conflict, false>;
  /** Of an `unknown` verdict: it hangs on nothing but a holder that is likely to be in the way. */
  likely?: true;
  /** Of an `unknown` verdict: it hangs on nothing but whether docker-proxy is in use (see `RequestSide`). */
  ifProxied?: true;
}

/** `nginx (pid 99, nginx.service)`; undefined when the process is not known. */
function processText(listener: Pick<Listener, 'pid' | 'process' | 'unit'>): string | undefined {
  if (listener.process === null || listener.pid === null) return undefined;
  const unit = listener.unit === undefined ? '' : `, ${listener.unit}`;
  return `${listener.process} (pid ${listener.pid}${unit})`;
}

/** Names the owner of a listener as the operator would. */
export function ownerText(listener: Pick<Listener, 'pid' | 'process' | 'unit' | 'owner'>): string {
  const { owner } = listener;
  const process = processText(listener);
  if (owner.kind === 'container') {
    const name = owner.containerName ?? owner.containerId?.slice(0, 12) ?? 'a container';
    return owner.via === 'own' && process !== undefined ? `${name}'s ${process}` : `container ${name}`;
  }
  if (owner.service !== undefined)
    return `swarm service ${owner.service}${process === undefined ? '' : ` (through ${process})`}`;
  if (process !== undefined) return process;
  return `a process that is not known${owner.reason === undefined ? '' : ` (${owner.reason})`}`;
}

/** The claim of a listener of the joined facts. */
export function claimOfListener(listener: Listener): Claim {
  const { proto, address, port, v6only, device } = listener;
  return {
    proto,
    address,
    port,
    ...(v6only === undefined || v6only === null ? {} : { v6only }),
    ...(device === undefined ? {} : { device }),
  };
}

const listenerHolder = (listener: Listener): Holder => ({
  claim: claimOfListener(listener),
  who: ownerText(listener),
  source: 'ss -tulnp',
  certain: true,
  ...(listener.owner.containerId === undefined ? {} : { containerId: listener.owner.containerId }),
  ...(listener.owner.kind === 'docker' ? { isDockers: true } : {}),
  ...(listener.owner.via === 'docker-proxy' || listener.owner.via === 'dockerd' ? { isAllocated: true } : {}),
});

/**
 * A socket that holds a port without listening. One with a port of the kernel's ephemeral range was made by connect()
 * and has no SO_REUSEADDR, so that no listener gets its port; another may be what a closed listener left behind, which
 * has it as a rule, so that its port can be had.
 */
function connectionHolder(socket: SocketReading, range: [number, number] | undefined): Holder {
  const [process] = socket.processes ?? [];
  const name = process === undefined ? 'a socket' : `${process.name} (pid ${process.pid})`;
  const certain = range !== undefined && socket.port >= range[0] && socket.port <= range[1];
  return {
    claim: claimOfSocket(socket),
    who: `a connection of ${name} in state ${socket.state}`,
    source: 'ss -tuan',
    certain,
    ...(socket.proto === 'udp' && !certain && { likely: true }),
  };
}

function publishedHolders(container: Container): Holder[] {
  return container.publishedPorts.map(({ proto, hostIp, hostPort }) => ({
    claim: {
      proto,
      address: hostIp === '' ? '0.0.0.0' : hostIp,
      port: hostPort,
      ...(hostIp === '::' ? { v6only: true } : {}),
    },
    who: `container ${container.name}`,
    source: `docker port ${container.name}`,
    containerId: container.id,
    isAllocated: true,
    certain: true,
  }));
}

/** What was made of the containers of a moment, with what else it was made of. */
const known = new WeakMap<readonly Container[], { parts: readonly unknown[]; holders: readonly Holder[] }>();

/**
 * All that holds ports of the host now: its listeners, its connections on ports that containers ask for, and what Docker
 * has mapped for running containers (which it remembers by itself, also for protocols that ss does not list). With a
 * daemon on another machine, only the last.
 */
export function holdersNow({ facts, readings }: Pick<FindingContext, 'facts' | 'readings'>): readonly Holder[] {
  const isLocal = facts.host.docker?.local !== false;
  const { holding } = readings.sockets.value ?? {};
  const range = readings.kernel.value?.localPortRange;
  const parts = [facts.services, facts.listeners, isLocal, holding, range];
  const before = known.get(facts.containers);
  if (before && haveSameItems(before.parts, parts)) return before.holders;
  const holders = holdersOf(facts, isLocal, holding ?? [], range);
  known.set(facts.containers, { parts, holders });
  return holders;
}

function holdersOf(
  facts: FindingContext['facts'],
  isLocal: boolean,
  holding: readonly SocketReading[],
  range: [number, number] | undefined,
): Holder[] {
  const published = facts.containers.filter(isUp).flatMap(publishedHolders);
  const ingress = facts.services.flatMap(service =>
    service.ports
      .filter(port => port.mode === 'ingress' && port.publishedPort > 0)
      .flatMap(port =>
        ['0.0.0.0', '::'].map((address): Holder => ({
          claim: {
            proto: port.proto,
            address,
            port: port.publishedPort,
            ...(address === '::' ? { v6only: true } : {}),
          },
          who: `swarm service ${service.name}`,
          source: `docker service inspect ${service.name}`,
          isAllocated: true,
          certain: address === '0.0.0.0',
        })),
      ),
  );
  if (!isLocal) return [...published, ...ingress];
  const listeners = (facts.listeners ?? []).map(listenerHolder);
  const seen = new Set(listeners.map(holderKey));
  const listening = new Set(listeners.map(({ claim }) => `${claim.proto}/${claim.port}`));
  // Beside a listener, other sockets on its port are the connections it has accepted: the listener says it already.
  const connections = holding
    .filter(socket => !listening.has(`${socket.proto}/${socket.port}`))
    .map(socket => connectionHolder(socket, range));
  return [...listeners, ...[...published, ...ingress].filter(holder => !seen.has(holderKey(holder))), ...connections];
}

/** What a listener and Docker's own record of it have in common. */
const holderKey = ({ claim, who }: Holder): string => `${claim.proto}/${claim.port} ${who}`;

/** The holders that one claim of a request meets, certain ones first. */
function blockersOf(asked: Claim, certain: boolean, held: readonly Holder[], ifProxied?: true): Blocker[] {
  const met: Blocker[] = [];
  for (const holder of held) {
    const verdict = bindConflict(holder.claim, asked);
    if (verdict === false) continue;
    const isSure = verdict === true && certain;
    const isLikely = isSure && holder.likely === true;
    met.push({
      asked,
      holder,
      verdict: isSure && holder.certain ? true : 'unknown',
      ...(isLikely && { likely: true }),
      ...(ifProxied && verdict === true && holder.certain && { ifProxied }),
    });
  }
  return met.sort((a, b) => Number(b.verdict === true) - Number(a.verdict === true));
}

/** What stands in the way of a request at one port, certain ones first. The container's own holds do not count. */
export function blockersAt(request: PortRequest, port: number, held: readonly Holder[]): Blocker[] {
  const others = held.filter(holder => holder.containerId !== request.containerId);
  return claimsFor(request, port)
    .flatMap(({ claim, certain, ifProxied }) => blockersOf(claim, certain, others, ifProxied))
    .sort((a, b) => Number(b.verdict === true) - Number(a.verdict === true));
}

/**
 * What stands in the way of a request: for a fixed port every holder it meets, for a range the first holder of each port
 * when all of them are taken (else nothing), for an ephemeral port nothing. The container's own holds do not count.
 */
export function blockersFor(request: PortRequest, held: readonly Holder[]): Blocker[] {
  if (request.ports === undefined) return [];
  const [from, to] = request.ports;
  if (from === to) return blockersAt(request, from, held);
  const blockers: Blocker[] = [];
  for (let port = from; port <= to; port += 1) {
    const [first] = blockersAt(request, port, held);
    if (first === undefined) return [];
    blockers.push(first);
  }
  // A range is as hard to have as the easiest of its ports.
  const verdict = blockers.every(blocker => blocker.verdict === true) ? true : 'unknown';
  const isLikely = verdict !== true && blockers.every(blocker => blocker.verdict === true || blocker.likely);
  const isIfProxied = verdict !== true && blockers.every(blocker => blocker.verdict === true || blocker.ifProxied);
  return blockers.map(({ asked, holder }) => ({
    asked,
    holder,
    verdict,
    ...(isLikely && { likely: true }),
    ...(isIfProxied && { ifProxied: true }),
  }));
}

/**
 * What may make a start fail that asks for a range of which some ports are free: programs hold so many in a row that Docker may
 * come upon no other within its tries.
 * @param tries how many ports Docker tries (`triesOfRange` of engine.ts)
 * @returns the first holder of each of those ports; nothing for a fixed port, nor where all are held (see `blockersFor`)
 */
export function hindrancesOf(request: PortRequest, held: readonly Holder[], tries: number): Blocker[] {
  // For each address it looks on its own.
  return request.sides.flatMap(side => hindrancesAt({ ...request, sides: [side] }, held, tries));
}

function hindrancesAt(request: PortRequest, held: readonly Holder[], tries: number): Blocker[] {
  const [from, to] = request.ports ?? [0, 0];
  const met: (Blocker | undefined)[] = [];
  if (from === to) return [];
  for (let port = from; port <= to; port += 1) {
    const certain = blockersAt(request, port, held).filter(({ verdict }) => verdict === true);
    // What Docker itself has given away at that address it passes over.
    const isPassed = certain.some(({ asked, holder }) => holder.isAllocated && holder.claim.address === asked.address);
    if (!isPassed) met.push(certain[0]);
  }
  if (!met.includes(undefined)) return [];
  // It goes round: after the last port comes the first.
  let [row, longest] = [0, 0];
  for (const each of [...met, ...met]) {
    row = each ? row + 1 : 0;
    longest = Math.max(longest, row);
  }
  return longest < tries ? [] : met.filter(each => each !== undefined);
}

/** `web1's httpd (pid 123) holds 0.0.0.0:80/tcp`, distinct holders joined; long lists are cut with a count. */
export function blockersText(blockers: readonly Blocker[]): string {
  const lines = new Map<string, Set<string>>();
  for (const { holder } of blockers) {
    const places = lines.get(holder.who) ?? new Set();
    lines.set(holder.who, places.add(claimText(holder.claim)));
  }
  const texts = [...lines].map(([who, places]) => `${who} holds ${listText([...places], 4)}`);
  return listText(texts, 3, '; ');
}

/** Who holds what, as evidence: each once, by what said it; at most six. */
export function holderEvidence(blockers: readonly Blocker[]): { source: string; text: string }[] {
  const lines = new Map(
    blockers.map(({ holder: { who, source, claim } }) => {
      const text = `${who}: ${claimText(claim)}`;
      return [`${source} ${text}`, { source, text }];
    }),
  );
  return [...lines.values()].slice(0, 6);
}

/** Joins texts with `, `, the last with `and`; beyond `most` says how many more there are. */
export function listText(items: readonly string[], most = 5, separator = ', '): string {
  const shown = items.slice(0, most);
  if (items.length > most) return `${shown.join(separator)} and ${items.length - most} more`;
  if (separator !== ', ' || shown.length < 2) return shown.join(separator);
  return `${shown.slice(0, -1).join(', ')} and ${shown.at(-1)}`;
}

/** The distinct container ids among blockers. */
export function blockerContainers(blockers: readonly Blocker[]): string[] {
  return [...new Set(blockers.flatMap(({ holder }) => holder.containerId ?? []))];
}
