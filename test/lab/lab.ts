/**
 * A real Docker host for tests and for a look around: a dockerd in namespaces of its own (PID, mount, network, UTS) with a
 * neighbour on its LAN. It shares nothing with a Docker that this machine may run, and nothing of it outlives the process
 * that started it. (Kernel modules that dockerd asks for stay loaded.)
 */
import { once } from 'node:events';
import { mkdtempSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findBinaries, type DockerChoice, unpackedAt } from './binaries.ts';
import { containerBody, networkBody, type ContainerOptions, type NetworkOptions } from './containers.ts';
import { createDaemon, type Daemon } from './daemon.ts';
import { askEngine, execInContainer } from './engine.ts';
import { importImage } from './image.ts';
import { addresses, startMachine, type LabProcess, type Machine, type SpawnOptions } from './machine.ts';
import type { Result, RunOptions } from './process.ts';
import { seedMission, type Mission } from './seeds/mission.ts';

export { labRequirement } from './requirement.ts';
export { EngineError } from './engine.ts';
export { pageText } from './image.ts';
export type { ContainerOptions, NetworkOptions } from './containers.ts';
export type { LabProcess, SpawnOptions } from './machine.ts';
export type { Result, RunOptions } from './process.ts';
export type { DockerChoice } from './binaries.ts';
export type { Mission } from './seeds/mission.ts';

export interface LabOptions {
  /** `20` (the default) is the dockerd of this machine, else its distribution's; `26` and `28` those of later Debian releases. */
  docker?: DockerChoice;
  /** More arguments for dockerd, such as `--userland-proxy=false`. */
  dockerdArgs?: readonly string[];
  /** `mission`: the containers, networks and listeners of `seeds/mission.ts`; `none` (the default): only the image. */
  seed?: 'mission' | 'none';
  /** The machine's host name; `lab` by default. */
  hostname?: string;
  /** When aborted, the lab is taken down, also in the midst of its start; `startLab` rejects then. */
  signal?: AbortSignal;
  /** Is told what is going on, a line each. */
  report?: (line: string) => void;
}

/** A socket for `listen`: `proto` is tcp by default, `port` 0 lets the kernel pick. */
export interface Listening {
  address: string;
  port: number;
  proto?: 'tcp' | 'udp';
  v6only?: boolean;
}

export interface Lab {
  /** Unique on this machine; also the name of its folder and cgroups. */
  readonly name: string;
  /** dockerd's socket; the same path on the machine and outside. On the machine it is at /run/docker.sock too. */
  readonly socket: string;
  /** Path of a statically linked busybox on the machine. */
  readonly busybox: string;
  /** Its folder, visible on both sides; gone after `stop`. */
  readonly dir: string;
  /** As `GET /version` says, such as `20.10.24+dfsg1`. */
  readonly dockerVersion: string;
  /** Major part of `dockerVersion`. */
  readonly dockerMajor: number;
  /** eth0 of the machine (`host`, `second`, `host6`) and of its neighbour (`lan`, `lan6`). */
  readonly addresses: typeof addresses;
  readonly daemon: Daemon;
  /** What containers may bind of the machine: before a path of it goes `root`; `unpacked` is where the tools are that are not installed. */
  readonly bindable: { readonly root: string; readonly unpacked?: string };
  /** What is true of the `mission` seed. @throws when the lab was started without it */
  readonly mission: Mission;

  /** Runs a program on the machine, to its end: its processes, network, /sys, /run; DOCKER_HOST and XDG_STATE_HOME are the lab's. */
  inHost(command: readonly string[], options?: RunOptions): Promise<Result>;
  /** Starts a program on the machine; it is ended with the lab at the latest. */
  spawnInHost(command: readonly string[], options?: SpawnOptions): Promise<LabProcess>;
  /** argv that runs the command on the machine, for what must be started by others (tmux, script). The environment is not set: see `env`. */
  enter(command: readonly string[], cwd?: string): string[];
  /** What `inHost` and `spawnInHost` put in the environment: PATH, DOCKER_HOST, XDG_STATE_HOME. */
  readonly env: Readonly<Record<string, string>>;
  /** Runs a program with the LAN neighbour's network. */
  inLan(command: readonly string[], options?: RunOptions): Promise<Result>;
  /** Runs a program of the machine with the network (and nothing else) of a running container. */
  inContainer(name: string, command: readonly string[], options?: RunOptions): Promise<Result>;
  /** What a TCP client that asks for `/` gets from there: the answer's text, or undefined for no connection or no answer. */
  fetchFrom(from: 'host' | 'lan', address: string, port: number): Promise<string | undefined>;
  /** A process of the machine, outside Docker, that holds sockets until `close`. @throws with the kernel's reason */
  listen(...sockets: Listening[]): Promise<{ pid: number; ports: number[]; close(): Promise<void> }>;
  /** The docker command line with these arguments, where there is one. */
  docker(args: readonly string[]): Promise<Result>;

  /** The Engine API: parsed JSON. @throws EngineError */
  api(method: string, path: string, body?: unknown): Promise<unknown>;
  /** `GET /containers/NAME/json`. */
  inspect(name: string): Promise<ContainerDetails>;
  /** Returns the id. */
  create(name: string, options?: ContainerOptions): Promise<string>;
  /** Create and start; returns the id. @throws EngineError when it does not start (it is left as created) */
  run(name: string, options?: ContainerOptions): Promise<string>;
  start(name: string): Promise<void>;
  /** Without the ten seconds that a PID 1 which ignores SIGTERM would take. */
  stop(): Promise<void>;
  stop(name: string): Promise<void>;
  restart(name: string): Promise<void>;
  /** Also a running one. */
  remove(name: string): Promise<void>;
  /** Runs a command inside a container, as `docker exec`. */
  exec(name: string, command: readonly string[]): Promise<{ code: number; stdout: string; stderr: string }>;
  networkCreate(name: string, options?: NetworkOptions): Promise<string>;
  networkRemove(name: string): Promise<void>;
  networkConnect(network: string, container: string, endpoint?: Record<string, unknown>): Promise<void>;
  networkDisconnect(network: string, container: string): Promise<void>;
}

/** The parts of a container's inspection that tests ask for (Engine API, `ContainerInspect`). */
export interface ContainerDetails {
  Id: string;
  Name: string;
  RestartCount: number;
  State: {
    Status: string;
    Running: boolean;
    Paused: boolean;
    Pid: number;
    ExitCode: number;
    Error: string;
    StartedAt: string;
  };
  Config: { Hostname: string; Image: string };
  HostConfig: { NetworkMode: string };
  NetworkSettings: {
    SandboxKey: string;
    Ports: Record<string, { HostIp: string; HostPort: string }[] | null>;
    Networks: Record<
      string,
      {
        NetworkID: string;
        EndpointID: string;
        IPAddress: string;
        MacAddress: string;
        GlobalIPv6Address: string;
        Gateway: string;
      }
    >;
  };
}

const here = dirname(fileURLToPath(import.meta.url));

// busybox's nc, with an address and not a name, ends by itself after `-w` seconds.
const fetchScript = `printf 'GET / HTTP/1.0\\r\\n\\r\\n' | "$1" nc -w 2 "$2" "$3"`;

const listenOn = async (machine: Machine, sockets: readonly Listening[]): ReturnType<Lab['listen']> => {
  const holder = await machine.spawn([process.execPath, join(here, 'listener.mjs'), JSON.stringify(sockets)]);
  let complaint = '';
  holder.child.stderr?.on('data', (text: Buffer) => (complaint += text.toString()));
  const [first] = (await Promise.race([
    once(holder.child.stdout ?? holder.child, 'data'),
    holder.exited.then(() => [undefined]),
  ])) as [Buffer | undefined];
  if (first === undefined) throw new Error(complaint.trim());
  return {
    pid: holder.pid,
    ports: JSON.parse(first.toString()) as number[],
    close: async () => {
      await holder.kill('SIGKILL');
      await holder.exited;
    },
  };
};

const folderForLab = (): string => {
  const folder = mkdtempSync(join(tmpdir(), 'netdash-lab-'));
  // Only the name was wanted: the machine makes the folder itself, so that nothing is left if this process dies here.
  rmdirSync(folder);
  return folder;
};

/**
 * Starts a lab. `stop()` without a name ends it; should this process end without that, the lab ends by itself.
 * @throws when the machine cannot host one (see `labRequirement`) or a part does not start; nothing is left then
 */
export const startLab = async (options: LabOptions = {}): Promise<Lab> => {
  const report = options.report ?? (() => undefined);
  const binaries = await findBinaries(options.docker ?? '20', report);
  const dir = folderForLab();
  const name = basename(dir);
  const socket = join(dir, 'run', 'docker.sock');
  const env = {
    PATH: binaries.path,
    DOCKER_HOST: `unix://${socket}`,
    XDG_STATE_HOME: join(dir, 'state'),
  };
  report('starting the machine');
  const { busybox, tree, unpacked } = binaries;
  const machine = await startMachine(dir, name, options.hostname ?? 'lab', env, unpacked);
  const abort = (): void => void machine.stop();
  options.signal?.addEventListener('abort', abort);
  try {
    options.signal?.throwIfAborted();
    report('starting dockerd');
    const daemon = createDaemon(machine, dir, name, tree, options.dockerdArgs ?? []);
    await daemon.start();
    const { Version } = (await askEngine(socket, 'GET', '/version')) as { Version: string };
    await importImage(socket, busybox.here, dir);
    const bindable = { root: tree === '/' ? '' : '/machine', ...(unpacked !== undefined && { unpacked: unpackedAt }) };
    const there = busybox.there;
    const lab = assemble({ machine, daemon, dir, name, socket, env, version: Version, busybox: there, bindable });
    if (options.seed !== 'mission') return lab;
    report(`seeding Docker ${Version}`);
    const mission = await seedMission(lab);
    return Object.defineProperty(lab, 'mission', { value: mission });
  } catch (error) {
    await machine.stop();
    throw error;
  }
};

const assemble = (parts: {
  machine: Machine;
  daemon: Daemon;
  dir: string;
  name: string;
  socket: string;
  env: Record<string, string>;
  version: string;
  busybox: string;
  bindable: Lab['bindable'];
}): Lab => {
  const { machine, daemon, dir, name, socket, env, version, busybox, bindable } = parts;
  const api: Lab['api'] = (method, path, body) => askEngine(socket, method, path, body);
  const post = async (path: string, body?: unknown): Promise<void> => {
    await api('POST', path, body);
  };
  const inspect: Lab['inspect'] = async container =>
    (await api('GET', `/containers/${container}/json`)) as ContainerDetails;
  const create: Lab['create'] = async (container, options = {}) => {
    const answer = await api('POST', `/containers/create?name=${container}`, containerBody(options));
    return (answer as { Id: string }).Id;
  };
  return {
    name,
    socket,
    busybox,
    dir,
    dockerVersion: version,
    dockerMajor: Number.parseInt(version, 10),
    addresses,
    daemon,
    bindable,
    env,
    get mission(): Mission {
      throw new Error('this lab was started without the mission seed');
    },
    inHost: (command, options) => machine.run(command, options),
    spawnInHost: (command, options) => machine.spawn(command, options),
    enter: (command, cwd) => machine.enter(command, cwd),
    inLan: (command, options) => machine.runInLan(command, options),
    inContainer: async (container, command, options) => {
      const { State } = await inspect(container);
      return machine.run(['nsenter', '-t', String(State.Pid), '--net', ...command], options);
    },
    fetchFrom: async (from, address, port) => {
      const command = ['sh', '-c', fetchScript, 'sh', busybox, address, String(port)];
      const { stdout } = await (from === 'lan' ? machine.runInLan(command) : machine.run(command));
      return stdout === '' ? undefined : stdout;
    },
    listen: (...sockets) => listenOn(machine, sockets),
    docker: args => machine.run(['docker', ...args]),
    api,
    inspect,
    create,
    run: async (container, options) => {
      const id = await create(container, options);
      await post(`/containers/${id}/start`);
      return id;
    },
    start: container => post(`/containers/${container}/start`),
    stop: (container?: string) =>
      container === undefined ? machine.stop() : post(`/containers/${container}/stop?t=0`),
    restart: container => post(`/containers/${container}/restart?t=0`),
    remove: async container => {
      await api('DELETE', `/containers/${container}?force=1&v=1`);
    },
    exec: (container, command) => execInContainer(socket, container, command),
    networkCreate: async (network, options = {}) => {
      const answer = await api('POST', '/networks/create', networkBody(network, options));
      return (answer as { Id: string }).Id;
    },
    networkRemove: async network => {
      await api('DELETE', `/networks/${network}`);
    },
    networkConnect: (network, container, endpoint) =>
      post(`/networks/${network}/connect`, { Container: container, EndpointConfig: endpoint }),
    networkDisconnect: (network, container) =>
      post(`/networks/${network}/disconnect`, { Container: container, Force: false }),
  };
};
