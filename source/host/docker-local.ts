/**
 * Whether a daemon's containers live on this kernel, and beside the network namespace that netdash runs in. They need not:
 * the daemon may be on another machine, or in the virtual machine of Docker Desktop, or netdash may run in a container
 * without the host's PID or network namespace.
 */
import { HostError, type Host } from './host.ts';
import { containerIdOf, parseStat } from './proc-pid.ts';
import type { ContainerReading, EngineReading, NetworkReading } from './readings.ts';

/** The verdict for `EngineReading`. */
export type Locality = Pick<EngineReading, 'local' | 'localReason' | 'networkHere'>;

/** How many running containers are looked at before they count as absent. */
const witnesses = 4;

/**
 * Looks for the daemon's containers, or without any running for its bridges, among what this kernel has. Asks nothing of
 * Docker, and needs no privilege.
 */
export function judgeLocality(
  host: Host,
  engine: EngineReading,
  containers: readonly ContainerReading[],
  networks: readonly NetworkReading[],
): Locality {
  const [kernel] = host.readFiles(['/proc/sys/kernel/osrelease']);
  if (typeof kernel === 'string' && engine.kernelVersion && kernel.trim() !== engine.kernelVersion) {
    return { local: false, localReason: `the daemon runs on kernel ${engine.kernelVersion}, this is ${kernel.trim()}` };
  }
  const running = containers.filter(({ pid, inspectError }) => pid > 0 && !inspectError).slice(0, witnesses);
  if (running.length === 0) return judgeByBridge(host, networks);
  const { verdict, witness } = judgeByProcess(host, running);
  if (verdict.local === false && hidesProcesses(host)) {
    const byBridge = judgeByBridge(host, networks);
    if (byBridge.local !== undefined) return byBridge;
    return { localReason: 'processes of others are hidden from this user (/proc is mounted with hidepid)' };
  }
  if (verdict.local === false) return hasOwnBridge(host, networks) ? { ...verdict, networkHere: true } : verdict;
  if (verdict.local !== true || engine.rootless || !witness) return verdict;
  const apart = otherNetwork(host, witness, networks);
  return apart === undefined ? verdict : { local: false, localReason: apart };
}

/** Whether a user is shown no processes but his own: the first one is always there. */
function hidesProcesses(host: Host): boolean {
  const [init] = host.readFiles(['/proc/1/stat']);
  return init instanceof HostError && (init.code === 'gone' || init.code === 'missing');
}

/** The names of the interfaces of the netns that netdash runs in. @throws HostError */
function deviceNames(host: Host): Set<string> {
  const [devices] = host.readFiles(['/proc/self/net/dev']);
  if (typeof devices !== 'string') throw devices ?? new HostError('failed', '/proc/self/net/dev: nothing read');
  return new Set(devices.split('\n').map(line => line.split(':')[0]!.trim()));
}

/** The bridges that are named after a network's id, which no other daemon's host has. Podman counts its own. */
const ownBridges = (networks: readonly NetworkReading[]): string[] =>
  networks
    .filter(
      ({ driver, options, bridge }) =>
        driver === 'bridge' && bridge === undefined && !options['com.docker.network.bridge.name'],
    )
    .map(({ id }) => `br-${id.slice(0, 12)}`);

function hasOwnBridge(host: Host, networks: readonly NetworkReading[]): boolean {
  try {
    const names = deviceNames(host);
    return ownBridges(networks).some(bridge => names.has(bridge));
  } catch {
    return false;
  }
}

/**
 * Why the netns that netdash runs in is not the daemon's; undefined when it is, or nothing speaks against it. The parent of
 * a container's first process (containerd-shim, conmon) runs beside the daemon.
 */
function otherNetwork(host: Host, pid: number, networks: readonly NetworkReading[]): string | undefined {
  const [stat] = host.readFiles([`/proc/${pid}/stat`]);
  const parent = typeof stat === 'string' ? parseStat(stat)?.ppid : undefined;
  const [own, theirs] = host.readLinks(['/proc/self/ns/net', `/proc/${parent ?? 0}/ns/net`]);
  const words = 'netdash runs in another network namespace than Docker (in a container, give it --net=host)';
  // A parent that was lost is replaced by init, whose netns tells nothing.
  if (typeof own === 'string' && typeof theirs === 'string' && parent !== 1) return own === theirs ? undefined : words;
  const bridges = networks
    .filter(({ driver, bridge }) => driver === 'bridge' && bridge !== '')
    .map(({ id, options, bridge }) => bridge ?? (options['com.docker.network.bridge.name'] || `br-${id.slice(0, 12)}`));
  try {
    const names = deviceNames(host);
    return bridges.length > 0 && !bridges.some(bridge => names.has(bridge)) ? words : undefined;
  } catch {
    return undefined;
  }
}

/** @returns the verdict, and the host pid of a container's process that it rests on */
function judgeByProcess(host: Host, running: readonly ContainerReading[]): { verdict: Locality; witness?: number } {
  for (const container of running) {
    const [cgroup, addresses] = host.readFiles([
      `/proc/${container.pid}/cgroup`,
      `/proc/${container.pid}/net/fib_trie`,
    ]);
    const named = `process ${container.pid} of ${container.name}`;
    if (typeof cgroup === 'string' && cgroup.includes(container.id)) {
      const localReason = `${named} is here, in the cgroup of that container`;
      return { verdict: { local: true, localReason }, witness: container.pid };
    }
    // The same number here may be a process of another daemon's container, with the same address.
    if (typeof cgroup === 'string' && containerIdOf(cgroup) !== undefined) continue;
    // Where cgroups are hidden or set by hand (--cgroup-parent), the addresses of the process's netns tell.
    const own = container.endpoints.flatMap(({ ipv4 }) => (ipv4 ? [ipv4] : []));
    const here = typeof addresses === 'string' ? addresses.split(/[\s/]+/) : [];
    if (own.some(address => here.includes(address))) {
      const localReason = `${named} is here, with an address of that container`;
      return { verdict: { local: true, localReason }, witness: container.pid };
    }
    if (cgroup instanceof HostError && cgroup.code === 'denied') {
      return { verdict: { localReason: `${named} may not be looked at: ${cgroup.message}` } };
    }
  }
  const names = running.map(({ name, pid }) => `${name} (${pid})`).join(', ');
  return { verdict: { local: false, localReason: `no process of its running containers is here: ${names}` } };
}

function judgeByBridge(host: Host, networks: readonly NetworkReading[]): Locality {
  // docker0 is on every Docker host.
  const bridges = ownBridges(networks);
  if (bridges.length === 0) {
    return { localReason: 'no container runs and no network has a bridge of its own, by which to tell' };
  }
  let names: Set<string>;
  try {
    names = deviceNames(host);
  } catch (error) {
    return { localReason: error instanceof Error ? error.message : String(error) };
  }
  const found = bridges.find(bridge => names.has(bridge));
  return found
    ? { local: true, localReason: `its bridge ${found} is here` }
    : { local: false, localReason: `none of its bridges is here: ${bridges.slice(0, 3).join(', ')}` };
}
