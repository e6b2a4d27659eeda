import type { ContainerReading } from '../../host/readings.ts';
import {
  blockerContainers,
  blockersAt,
  blockersFor,
  blockersText,
  holderEvidence,
  holdersNow,
  listText,
  type Blocker,
} from '../holders.ts';
import { ownClash, ownClashFix, type OwnClash } from '../own-clash.ts';
import { claimsFor, hostTraits, requestsOf, type PortRequest } from '../requests.ts';
import type { StartError } from '../start-errors.ts';
import type { Detector, FindingContext, FindingDraft } from './detector.ts';
import { failedStart, uniquePorts } from './shared.ts';
import { shellName } from '../shell-words.ts';

/** Fixed ports and ranges that requests ask for: `8050/tcp, 7000-7003/udp`. */
const askedText = (requests: readonly PortRequest[]): string =>
  listText(
    [
      ...new Set(
        requests.flatMap(({ ports, binding }) =>
          ports ? [`${ports[0] === ports[1] ? ports[0] : ports.join('-')}/${binding.proto}`] : [],
        ),
      ),
    ],
    8,
  );

/** The range that a request asks for; undefined for a fixed port and an ephemeral one. */
function rangeOf(request: PortRequest | undefined): [number, number] | undefined {
  return request?.ports && request.ports[0] !== request.ports[1] ? request.ports : undefined;
}

/** Docker 28 tries so many ports of a range and names the last: of a longer one, there may have been free ones. */
const mostTries = 10;

/** Whether Docker says that it could have none of the ports that it may take, rather than that it could not have the one it names. */
function isWhole({ port, range: tried }: StartError, range: [number, number] | undefined): boolean {
  if (port === undefined) return true;
  return range !== undefined && tried !== undefined && tried[1] - tried[0] < mostTries;
}

/** What the error is about, for the operator: `port 8080/tcp`, `port 7000/tcp of 7000-7003`, `every port of 7000-7003/tcp`. */
function subjectText(error: StartError, named: readonly PortRequest[]): string {
  const [request] = named;
  const proto = error.proto ?? request?.binding.proto;
  const suffix = proto === undefined ? '' : `/${proto}`;
  if (error.kind === 'taken' && error.port === undefined) {
    const asked = askedText(named);
    return `a port that it asks for${asked === '' ? '' : ` (${asked}; Docker does not say which)`}`;
  }
  const range = rangeOf(request);
  if (isWhole(error, range)) return range ? `every port of ${range.join('-')}${suffix}` : 'every port it may have';
  return `port ${error.port}${suffix}${range ? ` of ${range.join('-')}` : ''}`;
}

const freeText = 'nothing holds it now, so it can be started again';

/** What is said where no holder is seen: of TCP, the kernel lists sockets that listen or are connected, but none that is only bound. */
function unheldText(error: StartError, named: readonly PortRequest[]): string {
  if (error.kind === 'exhausted') return 'whether that is still so is not known';
  const isUdp = named.length > 0 && named.every(({ binding }) => binding.proto === 'udp');
  if (named.some(request => isWhole(error, rangeOf(request)))) return 'not all of them are seen to be held now';
  if (isUdp) return freeText;
  return 'nothing listens on it now; a socket that is bound but does not listen would not show here';
}

/** What to do. */
function fixText(
  container: ContainerReading,
  port: number | undefined,
  { isNever, isHeld, isFree }: { isNever: boolean; isHeld: boolean; isFree: boolean },
): string {
  if (isNever) return ownClashFix(container.name);
  if (isHeld) return `Stop the holder or give ${container.name} another host port, then docker start ${container.name}`;
  const start = `docker start ${shellName(container)}`;
  if (isFree) return start;
  const filter = port === undefined ? '' : ` 'sport = :${port}'`;
  return `Look with ss -tanp${filter} who holds it, then ${start}`;
}

/** What of its own bindings the error was about, where these can never be had: that no port was left says nothing of two fixed ones. */
function neverOf({ kind }: StartError, own: OwnClash | undefined): OwnClash | undefined {
  if (own === undefined || own.kind === 'race') return undefined;
  return kind === 'taken' || own.kind === 'full' ? own : undefined;
}

function draft(container: ContainerReading, said: StartError, context: FindingContext): FindingDraft {
  const docker = context.readings.docker.value;
  const requests = (docker && requestsOf(container, docker, hostTraits(context.readings))) ?? [];
  const held = holdersNow(context);
  const ofProto = requests.filter(({ binding }) => said.proto === undefined || binding.proto === said.proto);
  const own = docker && ownClash(ofProto, { port: said.port, engine: docker.engine, hasFailed: true });
  const race = own?.kind === 'race' && said.kind === 'taken' ? own : undefined;
  const never = neverOf(said, own);
  const error = { ...said, ...(never?.kind === 'twice' && { port: never.ports[0], proto: never.proto }) };
  // Where the text names no port and only one binding can be meant, it is that one's.
  const [only, ...more] = ofProto;
  const [first, last] = only?.ports ?? [];
  if (said.kind === 'taken' && error.port === undefined && more.length === 0 && first !== undefined && first === last) {
    error.port = first;
  }
  const named = ofProto.filter(
    ({ ports }) =>
      error.port === undefined || (ports !== undefined && ports[0] <= error.port && error.port <= ports[1]),
  );
  const blockers: Blocker[] = named.flatMap(request =>
    error.port === undefined || isWhole(error, rangeOf(request))
      ? blockersFor(request, held)
      : blockersAt(request, error.port, held),
  );
  const others = requests.filter(request => !named.includes(request)).flatMap(request => blockersFor(request, held));
  const alsoHeld = others.filter(blocker => blocker.verdict === true);
  const what = subjectText(error, named);
  const blind = context.facts.listeners === null && context.facts.host.docker?.local !== false;
  const unheld = unheldText(error, named);
  let reason: string;
  if (blockers.length > 0) {
    reason = blockersText(blockers);
    if (blockers.every(blocker => blocker.verdict !== true)) reason += ' (likely; not certain)';
  } else if (race) reason = race.text;
  else if (blind) reason = 'the holder is not known, for the sockets of this host cannot be read';
  else reason = unheld;
  if (never) reason = blockers.length > 0 ? `${never.text}; ${reason}` : never.text;
  else reason = `${what} was taken; ${reason}`;
  if (alsoHeld.length > 0) reason += `; it also asks for ports of which ${blockersText(alsoHeld)}`;
  const ports = [...blockers, ...alsoHeld].map(({ asked }) => ({
    proto: asked.proto,
    address: asked.address,
    port: asked.port,
  }));
  const asked = named.flatMap(request =>
    claimsFor(request, error.port ?? request.ports?.[0] ?? 0).map(({ claim }) => claim),
  );
  return {
    subject: { kind: 'container', id: container.id, name: container.name },
    message: `${container.name} did not start: ${reason}`,
    evidence: [
      { source: `docker inspect ${shellName(container)}`, text: `State.Error: ${container.error}` },
      ...holderEvidence([...blockers, ...alsoHeld]),
    ],
    fix: fixText(container, error.port, {
      isNever: never !== undefined,
      isHeld: blockers.length > 0,
      isFree: said.kind === 'exhausted' || race !== undefined || (!blind && unheld === freeText),
    }),
    confirm: `docker inspect -f '{{.State.Error}}' ${shellName(container)}${error.port === undefined ? '' : `; ss -tuanp 'sport = :${error.port}'`}`,
    containerIds: [container.id, ...blockerContainers([...blockers, ...alsoHeld]).filter(id => id !== container.id)],
    ports: uniquePorts(ports.length > 0 ? ports : asked.filter(claim => claim.port > 0)),
  };
}

/** A container is down because a host port that it asks for was taken. That much is Docker's word; who holds it now is looked up by address. */
export const portConflictFailed: Detector = {
  code: 'port-conflict-failed',
  severity: 'error',
  needs: ['docker'],
  detect: context =>
    (context.readings.docker.value?.containers ?? []).flatMap(container => {
      const error = failedStart(container);
      return error?.kind === 'taken' || error?.kind === 'exhausted' ? [draft(container, error, context)] : [];
    }),
};
