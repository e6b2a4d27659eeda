/** Whose a socket is, told by `ss`, docker-proxy's own arguments and cgroups: nothing that netdash concludes. */
import assert from 'node:assert/strict';
import type { Lab } from '../lab/lab.ts';

/** A listening socket, as `ss` tells of it. */
export interface HostSocket {
  proto: 'tcp' | 'udp';
  address: string;
  port: number;
  pid: number;
  process: string;
  v6only?: boolean;
}

/** Every listener of the lab's machine. */
export async function hostSockets(lab: Lab): Promise<HostSocket[]> {
  const { stdout } = await lab.inHost(['ss', '-H', '-tulnpe']);
  return stdout.split('\n').flatMap(line => {
    const match = /^(tcp|udp)\s+\S+\s+\d+\s+\d+\s+(\S+):(\d+)\s+\S+\s+users:\(\("([^"]*)",pid=(\d+)/.exec(line);
    if (!match) return [];
    const [, proto, local = '', port, process = '', pid] = match;
    const v6only = /v6only:(\d)/.exec(line)?.[1];
    return [
      {
        proto: proto as 'tcp' | 'udp',
        address: local === '*' ? '::' : local.replace(/^\[|\]$/g, ''),
        port: Number(port),
        pid: Number(pid),
        process,
        ...(v6only === undefined ? {} : { v6only: v6only === '1' }),
      },
    ];
  });
}

/** Finds the container of a socket by what its process is. */
export interface Owners {
  /** Name of the container, or undefined for a process outside Docker. */
  of(socket: HostSocket): string | undefined;
  /** Whether the socket comes and goes with a container that crashes over and over. */
  isRestless(socket: { port: number }): boolean;
}

// With `--link`, a container also has its alias in the other as a name: `/linked/w`.
const nameOf = (names: readonly string[]): string =>
  names.find(name => name.lastIndexOf('/') === 0)?.slice(1) ?? assert.fail(names.join());

/** Asks Docker for addresses and ids, and the machine for command lines and cgroups. */
export async function hostPortsOf(lab: Lab): Promise<Owners> {
  const list = (await lab.api('GET', '/containers/json')) as { Id: string; Names: string[] }[];
  const byAddress = new Map<string, string>();
  const byPort = new Map<string, string>();
  for (const { Names } of list) {
    const name = nameOf(Names);
    const { NetworkSettings } = await lab.inspect(name);
    for (const network of Object.values(NetworkSettings.Networks)) {
      if (network.IPAddress) byAddress.set(network.IPAddress, name);
      if (network.GlobalIPv6Address) byAddress.set(network.GlobalIPv6Address, name);
    }
    for (const [port, bindings] of Object.entries(NetworkSettings.Ports ?? {})) {
      for (const { HostIp, HostPort } of bindings ?? [])
        byPort.set(`${port.split('/')[1]} ${HostIp} ${HostPort}`, name);
    }
  }
  const names = new Map(list.map(({ Id, Names }) => [Id, nameOf(Names)]));
  const sockets = await hostSockets(lab);
  const owners = new Map<number, string>();
  const dockerd = new Set<number>();
  for (const pid of new Set(sockets.map(socket => socket.pid))) {
    const { stdout: cmdline } = await lab.inHost(['cat', `/proc/${pid}/cmdline`]);
    const { stdout: cgroup } = await lab.inHost(['cat', `/proc/${pid}/cgroup`]);
    const args = cmdline.split('\0');
    const id = /[0-9a-f]{64}/.exec(cgroup)?.[0];
    const owner =
      args[0]?.endsWith('docker-proxy') === true
        ? byAddress.get(args[args.indexOf('-container-ip') + 1] ?? '')
        : id && names.get(id);
    if (owner) owners.set(pid, owner);
    if (args[0]?.endsWith('dockerd') === true) dockerd.add(pid);
  }
  return {
    of: socket =>
      dockerd.has(socket.pid) ? byPort.get(`${socket.proto} ${socket.address} ${socket.port}`) : owners.get(socket.pid),
    isRestless: ({ port }) => port === 8083,
  };
}
