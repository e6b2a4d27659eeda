/** The stage of the oracle: a lab with containers in every network option, and an agent in each network namespace. */
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Question, Verdict } from '../../source/facts/walk/walk.ts';
import { startLab, type ContainerOptions, type Lab, type LabOptions } from '../lab/lab.ts';
import { firewallTools } from './firewall-tree.ts';
import { LineProcess } from './line-process.ts';

const here = dirname(fileURLToPath(import.meta.url));

/** A socket that an agent opens. */
export interface Socket {
  proto: 'tcp' | 'udp';
  address: string;
  port: number;
  v6only?: boolean;
}

/** What really happened. */
export type Outcome = { outcome: string; text?: string };

/** A container of the stage. */
export interface Actor {
  name: string;
  id: string;
  addresses: string[];
}

export interface Stage {
  lab: Lab;
  /** By name. */
  actors: Map<string, Actor>;
  /** Rules as Docker made them, by family, in the words of iptables-save. */
  baseline: { 4: string; 6: string };
  /** Names of the bridges, and the host's addresses on them. */
  bridges: { name: string; addresses: string[] }[];
  probe(
    from: string,
    target: { address: string; port: number; proto: 'tcp' | 'udp' },
    timeoutMs: number,
    /** Address of its netns to ask from; the kernel's choice otherwise. */
    source?: string,
  ): Promise<Outcome>;
  listen(at: string, sockets: readonly Socket[]): Promise<void>;
  judge(questions: readonly Question[]): Promise<{ verdicts: Verdict[]; missing: string[] }>;
  stop(): Promise<void>;
}

/** One set of daemon flags. */
export interface StageOptions extends Pick<LabOptions, 'docker' | 'dockerdArgs' | 'report'> {
  title: string;
  /** Done on the machine before there are containers; dockerd is started again afterwards. */
  beforehand?: (lab: Lab) => Promise<void>;
  /** Makes other networks and containers than the usual ones; gives the names of those that shall have an agent. */
  populate?: (lab: Lab) => Promise<readonly string[]>;
}

async function must(
  lab: Lab,
  command: readonly string[],
  where: 'host' | 'lan' = 'host',
  input?: string,
): Promise<string> {
  const options = input === undefined ? {} : { input };
  const result = await (where === 'host' ? lab.inHost(command, options) : lab.inLan(command, options));
  if (result.code !== 0) throw new Error(`${command.join(' ')}: ${result.stderr || result.stdout}`);
  return result.stdout;
}

const everybody = [
  'web',
  'web2',
  'app1',
  'app2',
  'six1',
  'six2',
  'closed1',
  'closed2',
  'inner1',
  'plain1',
  'both',
  'mac1',
  'hosted',
  'paused',
];

/** The usual networks, and of the usual containers those that are named; a host with fewer is read sooner. */
export async function populateWith(lab: Lab, cast: readonly string[]): Promise<readonly string[]> {
  const run = async (name: string, options: ContainerOptions): Promise<void> => {
    if (cast.includes(name)) await lab.run(name, options);
  };
  const networks = [
    ['app', { ipam: [{ subnet: '172.30.1.0/24' }] }],
    ['six', { ipv6: true, ipam: [{ subnet: '172.30.2.0/24' }, { subnet: 'fd00:30:2::/64' }] }],
    ['closed', { ipam: [{ subnet: '172.30.3.0/24' }], options: { 'com.docker.network.bridge.enable_icc': 'false' } }],
    ['inner', { internal: true, ipam: [{ subnet: '172.30.4.0/24' }] }],
    [
      'plain',
      { ipam: [{ subnet: '172.30.5.0/24' }], options: { 'com.docker.network.bridge.enable_ip_masquerade': 'false' } },
    ],
  ] as const;
  for (const [name, options] of networks) {
    const bridge = { 'com.docker.network.bridge.name': `br-${name}` };
    await lab.networkCreate(name, {
      ...options,
      options: { ...bridge, ...('options' in options ? options.options : {}) },
    });
  }
  await lab.networkCreate('mac', {
    driver: 'macvlan',
    ipam: [{ subnet: '10.77.0.0/24', gateway: lab.addresses.lan, ipRange: '10.77.0.64/27' }],
    options: { parent: 'eth0' },
  });
  await run('web', { publish: ['8080:80', '5300:53/udp', '8088:88'] });
  await run('web2', { publish: ['127.0.0.1:8084:80', '10.77.0.200:8090:80'] });
  await run('app1', { network: 'app', publish: ['8081:80', '5301:53/udp', '8089:89'] });
  await run('app2', { network: 'app' });
  await run('six1', { network: 'six', publish: ['8086:80', '5302:53/udp'] });
  await run('six2', { network: 'six' });
  await run('closed1', { network: 'closed', publish: ['8082:80'] });
  await run('closed2', { network: 'closed' });
  await run('inner1', { network: 'inner' });
  await run('plain1', { network: 'plain', publish: ['8083:80'] });
  await run('both', { network: 'app', publish: ['8087:80'] });
  if (cast.includes('both')) await lab.networkConnect('six', 'both');
  await run('mac1', { network: 'mac' });
  await run('hosted', { network: 'host', cmd: ['httpd', '-f', '-p', '8070', '-h', '/www'] });
  await run('paused', { publish: ['8085:80'] });
  if (cast.includes('paused')) await lab.api('POST', '/containers/paused/pause');
  return cast.filter(name => name !== 'paused' && name !== 'hosted');
}

/** Addresses of someone who is not on the host's LAN; the neighbour has them too, and is the host's default route. */
export const internet = { 4: '203.0.113.5', 6: '2001:db8:5::5' } as const;

/** Sets the stage. */
export async function setStage(options: StageOptions): Promise<Stage> {
  const { title: _, beforehand, populate = (lab: Lab) => populateWith(lab, everybody), ...labOptions } = options;
  const lab = await startLab(labOptions);
  try {
    if (beforehand) {
      await beforehand(lab);
      await lab.daemon.stop();
      await lab.daemon.start();
    }
    return await furnish(lab, await populate(lab));
  } catch (error) {
    await lab.stop();
    throw error;
  }
}

async function furnish(lab: Lab, names: readonly string[]): Promise<Stage> {
  const actors = new Map<string, Actor>();
  const agents = new Map<string, LineProcess>();
  const agent = [process.execPath, join(here, 'agent.mjs')];
  agents.set('host', await LineProcess.start(lab, agent));
  agents.set('lan', await LineProcess.start(lab, ['nsenter', '--net=/run/netns/lan', ...agent]));
  const running = (await lab.api('GET', '/containers/json')) as { Names: string[] }[];
  for (const name of running.map(({ Names: [first = ''] }) => first.slice(1))) {
    const { Id, State, NetworkSettings } = await lab.inspect(name);
    const addresses = Object.values(NetworkSettings.Networks).flatMap(each =>
      [each.IPAddress, each.GlobalIPv6Address].filter(address => address !== ''),
    );
    actors.set(name, { name, id: Id, addresses });
    if (names.includes(name)) {
      agents.set(name, await LineProcess.start(lab, ['nsenter', '-t', String(State.Pid), '--net', ...agent]));
    }
  }
  for (const subnet of ['172.16.0.0/12']) {
    await must(lab, ['ip', 'route', 'add', subnet, 'via', lab.addresses.host], 'lan');
  }
  await must(lab, ['ip', '-6', 'route', 'add', 'fd00::/16', 'via', lab.addresses.host6], 'lan');
  await must(lab, ['ip', '-6', 'route', 'add', 'default', 'via', lab.addresses.lan6]);
  await must(lab, ['ip', 'address', 'add', `${internet[4]}/32`, 'dev', 'eth0'], 'lan');
  await must(lab, ['ip', 'address', 'add', `${internet[6]}/128`, 'dev', 'eth0', 'nodad'], 'lan');
  const path = `PATH=${lab.env['PATH'] ?? ''}:${firewallTools(lab)}`;
  const judge = await LineProcess.start(lab, [
    'env',
    path,
    process.execPath,
    '--import',
    'tsx',
    join(here, 'judge.ts'),
  ]);
  const bridges = JSON.parse(await must(lab, ['ip', '-j', 'addr', 'show', 'type', 'bridge'])) as {
    ifname?: string;
    addr_info?: { local: string; scope: string }[];
  }[];
  const agentOf = (name: string): LineProcess => {
    const found = agents.get(name);
    if (!found) throw new Error(`nobody is at ${name}`);
    return found;
  };
  return {
    lab,
    actors,
    baseline: { 4: await must(lab, ['iptables-save']), 6: await must(lab, ['ip6tables-save']) },
    bridges: bridges.flatMap(({ ifname, addr_info: info = [] }) =>
      ifname === undefined
        ? []
        : [{ name: ifname, addresses: info.filter(({ scope }) => scope === 'global').map(({ local }) => local) }],
    ),
    probe: (from, target, timeoutMs, source) =>
      agentOf(from).ask<Outcome>({ do: 'probe', ...target, timeoutMs, ...(source === undefined ? {} : { source }) }),
    listen: async (at, sockets) => {
      const { outcome, text } = await agentOf(at).ask<Outcome>({ do: 'listen', sockets });
      if (outcome !== 'ok') throw new Error(`${at} cannot listen: ${text}`);
    },
    judge: questions => judge.ask({ questions }),
    stop: () => lab.stop(),
  };
}
