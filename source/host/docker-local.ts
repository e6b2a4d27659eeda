/**
 * Whether a daemon's containers live on this kernel. It need not: the daemon may be on another machine, or in the virtual
 * machine of Docker Desktop, or netdash may run in a container without the host's PID namespace.
 */
import { HostError, type Host } from './host.ts';
import type { ContainerReading, EngineReading, NetworkReading } from './readings.ts';

/** The verdict for `EngineReading`. */
export type Locality = Pick<EngineReading, 'local' | 'localReason'>;

/** How many running containers are looked at before they count as absent. */
const witnesses = 4;

/**
 * Looks for the daemon's containers, or without any running for its bridges, among what this kernel has. Asks nothing of
 * Docker, and needs no privilege.
 */
export async function judgeLocality(
  host: Host,
  engine: EngineReading,
  containers: readonly ContainerReading[],
  networks: readonly NetworkReading[],
): Promise<Locality> {
  const [kernel] = host.readFiles(['/proc/sys/kernel/osrelease']);
  if (typeof kernel === 'string' && engine.kernelVersion && kernel.trim() !== engine.kernelVersion) {
    return { local: false, localReason: `the daemon runs on kernel ${engine.kernelVersion}, this is ${kernel.trim()}` };
  }
  const running = containers.filter(({ pid, inspectError }) => pid > 0 && !inspectError).slice(0, witnesses);
  if (running.length > 0) return judgeByProcess(host, running);
  return judgeByBridge(host, networks);
}

function judgeByProcess(host: Host, running: readonly ContainerReading[]): Locality {
  for (const container of running) {
    const [cgroup, addresses] = host.readFiles([
      `/proc/${container.pid}/cgroup`,
      `/proc/${container.pid}/net/fib_trie`,
    ]);
    const named = `process ${container.pid} of ${container.name}`;
    if (typeof cgroup === 'string' && cgroup.includes(container.id)) {
      return { local: true, localReason: `${named} is here, in the cgroup of that container` };
    }
    // Where cgroups are hidden or set by hand (--cgroup-parent), the addresses of the process's netns tell.
    const own = container.endpoints.flatMap(({ ipv4 }) => (ipv4 ? [ipv4] : []));
    const here = typeof addresses === 'string' ? addresses.split(/[\s/]+/) : [];
    if (own.some(address => here.includes(address))) {
      return { local: true, localReason: `${named} is here, with an address of that container` };
    }
    if (cgroup instanceof HostError && cgroup.code === 'denied') {
      return { localReason: `${named} may not be looked at: ${cgroup.message}` };
    }
  }
  const names = running.map(({ name, pid }) => `${name} (${pid})`).join(', ');
  return { local: false, localReason: `no process of its running containers is here: ${names}` };
}

async function judgeByBridge(host: Host, networks: readonly NetworkReading[]): Promise<Locality> {
  // docker0 is on every Docker host; a bridge named after a network's id is on that daemon's host alone.
  const bridges = networks
    .filter(({ driver, options }) => driver === 'bridge' && !options['com.docker.network.bridge.name'])
    .map(({ id }) => `br-${id.slice(0, 12)}`);
  if (bridges.length === 0) {
    return { localReason: 'no container runs and no network has a bridge of its own, by which to tell' };
  }
  let devices: string;
  try {
    devices = await host.readFile('/proc/self/net/dev');
  } catch (error) {
    return { localReason: error instanceof Error ? error.message : String(error) };
  }
  const names = new Set(devices.split('\n').map(line => line.split(':')[0]!.trim()));
  const found = bridges.find(bridge => names.has(bridge));
  return found
    ? { local: true, localReason: `its bridge ${found} is here` }
    : { local: false, localReason: `none of its bridges is here: ${bridges.slice(0, 3).join(', ')}` };
}
