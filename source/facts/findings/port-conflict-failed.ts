import type { ContainerReading } from '../../host/readings.ts';
import { bindConflict } from '../conflicts.ts';
import { blockerContainers, holderEvidence, blockersFor, blockersText, holdersNow, type Blocker } from '../holders.ts';
import { claimsFor, hostTraits, requestsOf, type PortRequest } from '../requests.ts';
import type { StartError } from '../start-errors.ts';
import type { Detector, FindingContext, FindingDraft } from './detector.ts';
import { failedStart, uniquePorts } from './shared.ts';
import { shellName } from '../shell-words.ts';

/** What the error is about, for the operator: `port 8080/tcp`, `every port of 7000-7003/tcp`. */
function subjectText(error: StartError, request: PortRequest | undefined): string {
  const proto = error.proto ?? request?.binding.proto;
  const suffix = proto === undefined ? '' : `/${proto}`;
  const range = request?.ports && request.ports[0] !== request.ports[1] ? request.ports : undefined;
  if (range) return `every port of ${range[0]}-${range[1]}${suffix}`;
  return error.port === undefined ? 'every port it may have' : `port ${error.port}${suffix}`;
}

/** Whether two of a container's own fixed bindings ask for the same: Docker then refuses it whoever else there is. */
function asksTwice(requests: readonly PortRequest[], port: number): boolean {
  const claims = requests
    .filter(request => request.ports?.[0] === port && request.ports[1] === port)
    .map(request => claimsFor(request, port));
  return claims.some((mine, i) =>
    claims.slice(i + 1).some(other => mine.some(a => other.some(b => bindConflict(a.claim, b.claim) === true))),
  );
}

function draft(container: ContainerReading, error: StartError, context: FindingContext): FindingDraft {
  const docker = context.readings.docker.value;
  const requests = (docker && requestsOf(container, docker, hostTraits(context.readings))) ?? [];
  const held = holdersNow(context);
  const named = requests.filter(
    ({ binding, ports }) =>
      (error.proto === undefined || binding.proto === error.proto) &&
      (error.port === undefined || (ports !== undefined && ports[0] <= error.port && error.port <= ports[1])),
  );
  const blockers: Blocker[] = named.flatMap(request => blockersFor(request, held));
  const others = requests.filter(request => !named.includes(request)).flatMap(request => blockersFor(request, held));
  const alsoHeld = others.filter(blocker => blocker.verdict === true);
  const what = subjectText(error, named[0]);
  const blind = context.facts.listeners === null && context.facts.host.docker?.local !== false;
  let holder: string;
  if (blockers.length > 0) {
    holder = blockersText(blockers);
    if (blockers.every(blocker => blocker.verdict !== true)) holder += ' (likely; not certain)';
  } else if (error.port !== undefined && asksTwice(named, error.port)) holder = 'it asks for it twice itself';
  else if (blind) holder = 'the holder is not known, for the sockets of this host cannot be read';
  else holder = 'nothing holds it now, so it can be started again';
  if (alsoHeld.length > 0) holder += `; it also asks for ports of which ${blockersText(alsoHeld)}`;
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
    message: `${container.name} did not start: ${what} was taken; ${holder}`,
    evidence: [
      { source: `docker inspect ${shellName(container)}`, text: `State.Error: ${container.error}` },
      ...holderEvidence([...blockers, ...alsoHeld]),
    ],
    fix:
      blockers.length > 0
        ? `Stop the holder or give ${container.name} another host port, then docker start ${container.name}`
        : `docker start ${shellName(container)}`,
    confirm: `docker inspect -f '{{.State.Error}}' ${shellName(container)}${error.port === undefined ? '' : `; ss -tulnp 'sport = :${error.port}'`}`,
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
