/** By which interface of a container that comes in which is sent to a published port. */
import type { NetfilterReading, Readings } from '../../host/readings.ts';
import { dnatTargets, type DnatTarget } from '../dnat.ts';
import { claimKey } from '../owners.ts';
import type { ServedPort } from './behind-port.ts';

const dnats = new WeakMap<NetfilterReading, ReadonlyMap<string, DnatTarget>>();

function dnatsOf(netfilter: NetfilterReading | undefined): ReadonlyMap<string, DnatTarget> {
  const known = netfilter && dnats.get(netfilter);
  if (known) return known;
  const made = dnatTargets(netfilter);
  if (netfilter) dnats.set(netfilter, made);
  return made;
}

/** The addresses to which Docker's rules and docker-proxies lead from the host places of a port. */
function targetsOf({ places }: ServedPort, { netfilter, processes }: Readings): Set<string> {
  const rules = dnatsOf(netfilter.value);
  const proxies = processes.value?.proxies ?? [];
  return new Set(
    places.flatMap(({ proto, address, port }) => {
      const own = proxies.filter(each => each.proto === proto && each.hostIp === address && each.hostPort === port);
      const target = rules.get(claimKey(proto, address, port))?.address;
      return [...own.map(({ containerIp }) => containerIp), ...(target === undefined ? [] : [target])];
    }),
  );
}

/**
 * Whether what is sent to a published port comes in by an interface of its container: that has the address to which Docker leads
 * it (of several networks, Docker publishes by one).
 * @param device as the container's netns calls it
 * @returns undefined where that is not known
 */
export function comesInBy(device: string, served: ServedPort, readings: Readings): boolean | undefined {
  if (device === 'lo') return false;
  const interfaces = readings.inside[served.container.id]?.value?.interfaces;
  const own = interfaces?.find(({ name }) => name === device);
  if (!interfaces || !own) return undefined;
  const targets = targetsOf(served, readings);
  const bearers = interfaces.filter(({ addresses }) => addresses.some(({ address }) => targets.has(address)));
  return bearers.length === 0 ? undefined : bearers.includes(own);
}
