/** Reads everything of a host once, one source after the other, as the simplest collector would. */
import { readDocker } from '../../source/host/docker.ts';
import type { Host } from '../../source/host/host.ts';
import { readInside } from '../../source/host/inside.ts';
import { readKernel } from '../../source/host/kernel.ts';
import { readLinks } from '../../source/host/links.ts';
import { readNetfilter } from '../../source/host/netfilter/netfilter.ts';
import { readProcesses } from '../../source/host/processes.ts';
import type { Outcome, Reading, Readings } from '../../source/host/readings.ts';
import { readSockets } from '../../source/host/sockets.ts';

async function outcome<T>(host: Host, read: () => Promise<Outcome<T>>): Promise<Reading<T>> {
  try {
    const { value, missing } = await read();
    return { state: missing === undefined ? 'ok' : 'partial', reason: missing, at: host.now(), value };
  } catch (error) {
    return { state: 'failed', reason: error instanceof Error ? error.message : String(error) };
  }
}

/** All readings of a host; vitals are left `pending`. */
export async function readOnce(host: Host): Promise<Readings> {
  const docker = await outcome(host, () => readDocker(host));
  const links = await outcome(host, () => readLinks(host));
  const sockets = await outcome(host, () => readSockets(host));
  const pids = sockets.value?.listeners.flatMap(({ processes }) => processes?.map(({ pid }) => pid) ?? []) ?? [];
  const processes = await outcome(host, () => readProcesses(host, { pids }));
  const names = links.value?.links.map(({ name }) => name) ?? [];
  const kernel = await outcome(host, () => readKernel(host, names));
  const netfilter = await outcome(host, () => readNetfilter(host));
  const inside: Readings['inside'] = {};
  const hostLinks = links.value?.links ?? [];
  for (const { id, pid } of docker.value?.containers ?? []) {
    if (pid === 0) continue;
    const options = { containerId: id, pid, hostLinks, listeners: true };
    inside[id] = await outcome(host, () => readInside(host, options));
  }
  return { docker, links, sockets, netfilter, kernel, processes, vitals: { state: 'pending' }, inside };
}
