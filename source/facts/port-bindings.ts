/** Which published ports belong to which requested binding, for the bindings whose host port Docker picks. */
import type { ContainerReading, PortBindingReading } from '../host/readings.ts';
import type { LedgerBinding } from './port-ledger.ts';
import { bindingsAsked, portsAsked } from './requests.ts';

type Side = LedgerBinding['sides'][number];

const isV6 = ({ hostIp }: Side): boolean => hostIp.includes(':');
const byPort = (a: Side, b: Side): number => a.hostPort - b.hostPort || (a.hostIp < b.hostIp ? -1 : 1);

/** What is published for one container port and not yet given to a request. */
class Pool {
  private sides: Side[];

  constructor(sides: readonly Side[]) {
    this.sides = [...sides].sort(byPort);
  }

  /** Takes everything that a fixed request explains. */
  dropFixed(hostIp: string, port: number): void {
    this.sides = this.sides.filter(side => side.hostPort !== port || (hostIp !== '' && side.hostIp !== hostIp));
  }

  /** Takes the best side that fits, lowest port first. `rank` orders what fits, lowest first. */
  take(fits: (side: Side) => boolean, rank: (side: Side) => number = () => 0): Side | undefined {
    const [best] = this.sides.filter(fits).sort((a, b) => rank(a) - rank(b) || byPort(a, b));
    if (best !== undefined) this.sides = this.sides.filter(side => side !== best);
    return best;
  }

  hasTwin(side: Side): boolean {
    return this.sides.some(other => isV6(other) !== isV6(side) && other.hostPort === side.hostPort);
  }
}

/** Whether a host port may be what this request was given. */
function inRange(hostPort: string, port: number): boolean {
  const range = portsAsked(hostPort);
  return range === undefined || (range[0] <= port && port <= range[1]);
}

/** Requests that fit fewest ports choose first: those with an address, then those with a range. */
const strictness = ({ hostIp, hostPort }: PortBindingReading): number =>
  Number(hostIp === '') * 2 + Number(portsAsked(hostPort) === undefined);

/** The sides of one request, IPv4 first. Docker gives both families one number where it can (27 and later always). */
function sidesFor({ hostIp, hostPort }: PortBindingReading, pool: Pool): Side[] {
  if (hostIp !== '') {
    const side = pool.take(
      item => item.hostIp === hostIp && inRange(hostPort, item.hostPort),
      item => Number(pool.hasTwin(item)),
    );
    return side === undefined ? [] : [side];
  }
  const v4 = pool.take(
    item => !isV6(item) && inRange(hostPort, item.hostPort),
    item => Number(!pool.hasTwin(item)),
  );
  const v6 = pool.take(
    item => isV6(item) && inRange(hostPort, item.hostPort),
    item => Number(item.hostPort !== v4?.hostPort),
  );
  return [v4, v6].filter(side => side !== undefined);
}

/**
 * The bindings of a container whose host port Docker picks (ephemeral, or from a range), each with where it is mapped
 * now, by what is published. A binding without a mapping has no sides.
 */
export function pickedBindings(container: ContainerReading): LedgerBinding[] {
  const asked = bindingsAsked(container);
  const keys = new Set(asked.map(({ proto, containerPort }) => `${containerPort}/${proto}`));
  return [...keys].flatMap(key => {
    const isHere = (port: PortBindingReading) => `${port.containerPort}/${port.proto}` === key;
    const published = container.publishedPorts
      .filter(isHere)
      .map(({ hostIp, hostPort }) => ({ hostIp, hostPort: Number(hostPort) }))
      .filter(({ hostPort }) => Number.isInteger(hostPort) && hostPort > 0);
    const pool = new Pool(published);
    const picked: PortBindingReading[] = [];
    for (const request of asked.filter(isHere)) {
      const range = portsAsked(request.hostPort);
      if (range !== undefined && range[0] === range[1]) pool.dropFixed(request.hostIp, range[0]);
      else picked.push(request);
    }
    return picked
      .toSorted((a, b) => strictness(a) - strictness(b))
      .map(request => ({
        proto: request.proto,
        containerPort: request.containerPort,
        hostIp: request.hostIp,
        request: portsAsked(request.hostPort) === undefined ? '' : request.hostPort,
        sides: sidesFor(request, pool),
      }));
  });
}
