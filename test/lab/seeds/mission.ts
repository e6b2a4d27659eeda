/**
 * The scenario that netdash was made for: every network mode of Docker, every kind of port conflict, and what looks like one
 * but is none. `plan` says what there is and what is true of it.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ContainerOptions } from '../containers.ts';
import { EngineError } from '../engine.ts';
import type { Lab } from '../lab.ts';
import { addresses } from '../machine.ts';

/** Docker's `State.Status` once the seed is complete. */
type State = 'running' | 'paused' | 'exited' | 'created' | 'looping';

/** A container of the scenario, and what is true of it. */
export interface Seeded {
  options: ContainerOptions;
  /** `created` is one that was never started or whose start failed; `looping` one that Docker starts again and again. */
  state: State;
  /** netdash's word for its network mode. */
  mode: 'bridge' | 'user-bridge' | 'host' | 'container' | 'none' | 'macvlan';
  /** Docker refuses to start it. */
  refused?: boolean;
  /** The finding that it is here for, and who holds what it wants: a container's name, or `listener` for a process outside Docker. */
  finding?: { code: string; holder?: string };
  /** Needs others to be there first. */
  late?: boolean;
}

/** A process of the machine, outside Docker, that holds a port. */
export interface SeededListener {
  proto: 'tcp' | 'udp';
  /** As `ss` shows it; `::` is dual stack. */
  address: string;
  port: number;
  /** As the machine counts. */
  pid: number;
}

/** What is true of the mission seed. */
export interface Mission {
  containers: Readonly<Record<string, Seeded>>;
  listeners: readonly SeededListener[];
  /** The networks made, by name. */
  networks: readonly string[];
  /** The published host port that the administrator's DOCKER-USER rule drops. */
  droppedPort: number;
}

const { host, second } = addresses;
const httpd = (where: string): readonly string[] => ['httpd', '-f', '-p', where, '-h', '/www'];
// As under a supervisor: the container goes on although its httpd could not.
const supervised = (where: string): readonly string[] => ['sh', '-c', `httpd -f -p ${where} -h /www; sleep 100000`];
// The one server for UDP that a static busybox has is for DHCP, on port 67.
const udpServer = ['sh', '-c', "echo 'interface eth0' >/tmp/conf; touch /tmp/leases; exec udhcpd -f /tmp/conf"];

const plan: Record<string, Seeded> = {
  web: { options: { publish: ['8080:80'] }, state: 'running', mode: 'bridge' },
  // An ephemeral port.
  myapp2: { options: { publish: ['80'] }, state: 'running', mode: 'bridge' },

  // Three of the host's network that want port 80.
  web1: { options: { network: 'host', cmd: httpd('0.0.0.0:80') }, state: 'running', mode: 'host' },
  web2: {
    options: { network: 'host', cmd: httpd('80') },
    state: 'exited',
    mode: 'host',
    finding: { code: 'port-conflict-host-mode', holder: 'web1' },
    late: true,
  },
  web3: {
    options: { network: 'host', cmd: supervised('0.0.0.0:80') },
    state: 'running',
    mode: 'host',
    finding: { code: 'port-conflict-host-mode', holder: 'web1' },
    late: true,
  },
  // Two that want one port at two addresses: no conflict.
  duo1: { options: { network: 'host', cmd: httpd(`${host}:8070`) }, state: 'running', mode: 'host' },
  duo2: { options: { network: 'host', cmd: httpd(`${second}:8070`) }, state: 'running', mode: 'host' },

  // Conflicts of published ports.
  clash: {
    options: { publish: ['8080:80'] },
    state: 'created',
    mode: 'bridge',
    refused: true,
    finding: { code: 'port-conflict-failed', holder: 'web' },
    late: true,
  },
  hostclash: {
    options: { publish: ['9090:80'] },
    state: 'created',
    mode: 'bridge',
    refused: true,
    finding: { code: 'port-conflict-failed', holder: 'listener' },
    late: true,
  },
  local: { options: { publish: ['127.0.0.1:8084:80'] }, state: 'running', mode: 'bridge' },
  localclash: {
    options: { publish: ['0.0.0.0:8084:80'] },
    state: 'created',
    mode: 'bridge',
    refused: true,
    finding: { code: 'port-conflict-failed', holder: 'local' },
    late: true,
  },
  range: { options: { publish: ['7000-7003:7000-7003'] }, state: 'running', mode: 'bridge' },
  rangeclash: {
    options: { publish: ['7003-7005:80-82'] },
    state: 'created',
    mode: 'bridge',
    refused: true,
    finding: { code: 'port-conflict-failed', holder: 'range' },
    late: true,
  },
  standby: {
    options: { publish: ['8080:80'] },
    state: 'created',
    mode: 'bridge',
    finding: { code: 'port-conflict-pending', holder: 'web' },
  },
  rival1: {
    options: { publish: ['8200:80'] },
    state: 'created',
    mode: 'bridge',
    finding: { code: 'port-conflict-rivals', holder: 'rival2' },
  },
  rival2: {
    options: { publish: ['8200:80'] },
    state: 'created',
    mode: 'bridge',
    finding: { code: 'port-conflict-rivals', holder: 'rival1' },
  },
  // What looks like a conflict and is none: UDP beside web's TCP, and one port in each address family.
  datagram: {
    options: { publish: ['8080:67/udp'], cmd: udpServer },
    state: 'running',
    mode: 'bridge',
  },
  four: { options: { publish: ['0.0.0.0:8093:80'] }, state: 'running', mode: 'bridge' },
  six: { options: { publish: ['[::]:8093:80'] }, state: 'running', mode: 'bridge' },

  // Networks shared, absent, left behind.
  shared: {
    options: { network: 'container:web', cmd: ['sleep', '100000'] },
    state: 'running',
    mode: 'container',
    late: true,
  },
  nonet: { options: { network: 'none' }, state: 'running', mode: 'none' },
  base: { options: {}, state: 'running', mode: 'bridge' },
  stranded: {
    options: { network: 'container:base', cmd: ['sleep', '100000'] },
    state: 'running',
    mode: 'container',
    finding: { code: 'stranded-netns' },
    late: true,
  },

  // User networks.
  app1: {
    options: { network: 'app', aliases: ['api'], publish: [`${host}:9000:80`, '5000-5001:5000-5001/udp'] },
    state: 'running',
    mode: 'user-bridge',
  },
  app2: { options: { network: 'app', aliases: ['cache', 'redis'] }, state: 'running', mode: 'user-bridge' },
  multi: { options: { network: 'app', publish: ['8082:80'] }, state: 'running', mode: 'user-bridge' },
  db: {
    options: { network: 'backend', publish: ['5433:80'] },
    state: 'running',
    mode: 'user-bridge',
    finding: { code: 'ports-ignored' },
  },
  iso1: { options: { network: 'noicc' }, state: 'running', mode: 'user-bridge' },
  iso2: { options: { network: 'noicc', publish: ['8092:80'] }, state: 'running', mode: 'user-bridge' },
  v6: { options: { network: 'v6net', publish: ['8086:80'] }, state: 'running', mode: 'user-bridge' },
  mv1: {
    options: { network: 'lan', publish: ['8097:80'] },
    state: 'running',
    mode: 'macvlan',
    finding: { code: 'ports-ignored' },
  },
  linked: { options: { links: ['web:w'] }, state: 'running', mode: 'bridge', late: true },

  // States and services.
  crash: {
    options: { restart: 'always', publish: ['8083:80'], cmd: ['sh', '-c', 'sleep 1; exit 3'] },
    state: 'looping',
    mode: 'bridge',
  },
  paused: {
    options: { publish: ['8085:80'] },
    state: 'paused',
    mode: 'bridge',
    finding: { code: 'nothing-listening' },
  },
  old: { options: { publish: ['8088:80'] }, state: 'exited', mode: 'bridge' },
  silent: {
    options: { publish: ['8099:80'], cmd: ['sleep', '100000'] },
    state: 'running',
    mode: 'bridge',
    finding: { code: 'nothing-listening' },
  },
  inward: {
    options: { publish: ['8098:80'], cmd: httpd('127.0.0.1:80') },
    state: 'running',
    mode: 'bridge',
    finding: { code: 'listener-loopback-only' },
  },
  fw: { options: { publish: ['8091:80'] }, state: 'running', mode: 'bridge' },
};

const makeNetworks = async (lab: Lab): Promise<string[]> => {
  const bridge = 'com.docker.network.bridge';
  const { lan } = lab.addresses;
  const subnet = `${lan}/24`.replace(/\d+\/24$/, '0/24');
  const macvlanRange = subnet.replace(/0\/24$/, '64/28');
  await Promise.all([
    lab.networkCreate('app'),
    lab.networkCreate('backend', { internal: true }),
    lab.networkCreate('noicc', { options: { [`${bridge}.enable_icc`]: 'false', [`${bridge}.name`]: 'br-noicc' } }),
    lab.networkCreate('v6net', { ipv6: true, ipam: [{ subnet: 'fd00:1::/64' }] }),
    lab.networkCreate('lan', {
      driver: 'macvlan',
      options: { parent: 'eth0' },
      ipam: [{ subnet, gateway: lan, ipRange: macvlanRange }],
    }),
  ]);
  return ['app', 'backend', 'noicc', 'v6net', 'lan'];
};

const startListeners = async (lab: Lab): Promise<SeededListener[]> => {
  const pages = join(lab.dir, 'www');
  await mkdir(pages);
  await writeFile(join(pages, 'index.html'), 'a process outside Docker\n');
  const web = (where: string): string[] => ['httpd', '-f', '-p', where, '-h', pages];
  const all: [Omit<SeededListener, 'pid'>, string[]][] = [
    [{ proto: 'tcp', address: '::', port: 9090 }, web('9090')],
    [{ proto: 'tcp', address: '127.0.0.1', port: 9091 }, web('127.0.0.1:9091')],
    [{ proto: 'tcp', address: '0.0.0.0', port: 9092 }, web('0.0.0.0:9092')],
  ];
  const started = all.map(async ([what, command]) => {
    const { pid } = await lab.spawnInHost([lab.busybox, ...command], { stdio: 'ignore', cwd: '/' });
    return { ...what, pid };
  });
  const datagrams: Omit<SeededListener, 'pid'> = { proto: 'udp', address: second, port: 5300 };
  const { pid } = await lab.listen(datagrams);
  return [...(await Promise.all(started)), { ...datagrams, pid }];
};

const startOne = async (lab: Lab, name: string, seeded: Seeded): Promise<void> => {
  await lab.create(name, seeded.options);
  if (seeded.state === 'created' && seeded.refused !== true) return;
  const refusal = await lab.start(name).catch((error: unknown) => error);
  if (refusal !== undefined && !(refusal instanceof EngineError)) throw refusal;
  if ((refusal !== undefined) !== (seeded.refused ?? false)) {
    throw new Error(
      refusal ? `${name} did not start: ${String(refusal)}` : `${name} should not have been able to start`,
    );
  }
  if (name === 'multi') await lab.networkConnect('noicc', name);
  if (seeded.state === 'paused') await lab.api('POST', `/containers/${name}/pause`);
  if (name === 'old') await lab.stop(name);
};

const settled = async (lab: Lab, name: string, state: State): Promise<void> => {
  for (;;) {
    const { State, RestartCount } = await lab.inspect(name);
    if (state === 'looping' ? RestartCount > 0 : State.Status === state) return;
    if (state !== 'exited' && state !== 'looping') throw new Error(`${name} is ${State.Status}, not ${state}`);
    await sleep(50);
  }
};

/** Makes the scenario on an empty lab. @throws when a part of it does not come out as planned */
export const seedMission = async (lab: Lab): Promise<Mission> => {
  const [networks, listeners] = await Promise.all([makeNetworks(lab), startListeners(lab)]);
  const all = Object.entries(plan);
  for (const late of [false, true]) {
    const group = all.filter(([, seeded]) => (seeded.late ?? false) === late);
    await Promise.all(group.map(([name, seeded]) => startOne(lab, name, seeded)));
  }

  // The partner of `stranded` is made anew; the sharer stays in the network namespace of the one that is gone.
  await lab.remove('base');
  await lab.run('base', plan['base']?.options);

  // Packets come here after DNAT: the host's port is only in conntrack's original tuple.
  const droppedPort = 8091;
  const rule = `-I DOCKER-USER -p tcp -m conntrack --ctorigdstport ${droppedPort} --ctdir ORIGINAL -j DROP`;
  const inserted = await lab.inHost(['iptables', ...rule.split(' ')]);
  if (inserted.code !== 0) throw new Error(inserted.stderr.trim());

  await Promise.all(all.map(([name, { state }]) => settled(lab, name, state)));
  return { containers: plan, listeners, networks, droppedPort };
};
