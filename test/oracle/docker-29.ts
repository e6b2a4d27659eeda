/**
 * The host of the recording 29-nftables again, as far as packets go: networks, addresses and published ports are those that
 * Docker 29 had, made by a dockerd that writes no rules; the rules are Docker 29's own, as its nftables backend left them.
 */
import { fixtureRecording } from '../fixtures/hosts.ts';
import type { Lab } from '../lab/lab.ts';
import type { Case } from './oracle.ts';
import { asked } from './matrix.ts';
import type { Stage } from './stage.ts';

/** Flags of a dockerd that leaves netfilter alone. */
export const withoutRules = ['--iptables=false'];

interface Network {
  Name: string;
  Id: string;
  Driver: string;
  Internal: boolean;
  EnableIPv6: boolean;
  Options: Record<string, string>;
  IPAM: { Config: { Subnet: string; Gateway?: string }[] | null };
}

interface Container {
  Name: string;
  State: { Running: boolean; Paused: boolean };
  HostConfig: { NetworkMode: string };
  NetworkSettings: {
    Ports: Record<string, { HostIp: string; HostPort: string }[] | null>;
    Networks: Record<string, { IPAddress: string; GlobalIPv6Address: string }>;
  };
}

/** What of the recorded host is made again. */
export interface RecordedHost {
  networks: Network[];
  /** Running ones on bridges, in the order in which the default bridge gave its addresses. */
  containers: Container[];
  /** `nft -j list ruleset`. */
  ruleset: string;
}

/** Where the default bridge has put it: the last part of its address; 0 when it is not there. */
const placeOf = ({ NetworkSettings }: Container): number =>
  Number(NetworkSettings.Networks['bridge']?.IPAddress.split('.').at(-1) ?? 0);

/** Reads the recording. */
export async function recordedHost(): Promise<RecordedHost> {
  const [frame] = (await fixtureRecording('29-nftables')).frames;
  const answers = Object.entries(frame?.docker ?? {}).flatMap(([path, value]) =>
    'answer' in value ? [[path, value.answer] as const] : [],
  );
  const tool = frame?.tools?.['nft -j list ruleset'];
  if (tool === undefined || !('stdout' in tool)) throw new Error('the recording has no ruleset');
  const networks = answers.find(([path]) => path === '/networks')?.[1] as Network[];
  const bridges = networks.filter(({ Driver }) => Driver === 'bridge');
  return {
    networks: bridges,
    containers: answers
      .flatMap(([path, answer]) => (/^\/containers\/[0-9a-f]+\/json$/.test(path) ? [answer as Container] : []))
      .filter(({ State, NetworkSettings }) =>
        Object.entries(NetworkSettings.Networks).some(
          ([name, { IPAddress, GlobalIPv6Address }]) =>
            State.Running && IPAddress + GlobalIPv6Address !== '' && bridges.some(({ Name }) => Name === name),
        ),
      )
      .sort((one, other) => placeOf(one) - placeOf(other)),
    ruleset: tool.stdout,
  };
}

const hasDot = (address: string): boolean => address.includes('.');

const must = async (lab: Lab, command: string, input?: string): Promise<string> => {
  const result = await lab.inHost(['sh', '-c', command], input === undefined ? {} : { input });
  if (result.code !== 0) throw new Error(`${command}: ${result.stderr || result.stdout}`);
  return result.stdout;
};

/** Makes networks and containers. @returns the names of the containers that an agent can be in */
export async function populate(lab: Lab, recorded: RecordedHost): Promise<string[]> {
  for (const address of ['10.20.30.100/24', '10.20.30.200/24']) await must(lab, `ip addr add ${address} dev eth0`);
  await lab.inLan(['ip', 'addr', 'add', '10.20.30.1/24', 'dev', 'eth0']);
  for (const { Name, Id, Internal, EnableIPv6, Options, IPAM } of recorded.networks) {
    if (Name === 'bridge') continue;
    const pools = (IPAM.Config ?? []).map(({ Subnet }) => Subnet);
    const name = Options['com.docker.network.bridge.name'] ?? `br-${Id.slice(0, 12)}`;
    await lab.networkCreate(Name, {
      internal: Internal,
      ipv6: EnableIPv6,
      // Docker before 28 knows no network without IPv4.
      ipam: [...(IPAM.Config ?? []), ...(pools.some(hasDot) ? [] : [{ Subnet: '172.31.2.0/24' }])].map(
        ({ Subnet, Gateway }) => ({
          subnet: Subnet,
          // An isolated bridge has no address on the host, and the first container has the one that a bridge would have.
          gateway: Gateway ?? Subnet.replace(/\.0\/24$/, '.254'),
        }),
      ),
      options: { 'com.docker.network.bridge.name': name },
    });
  }
  const names: string[] = [];
  let next = 2;
  for (const container of recorded.containers) {
    const { Name, State, NetworkSettings } = container;
    const [home, ...others] = Object.entries(NetworkSettings.Networks).sort(([one], [other]) =>
      one.localeCompare(other),
    );
    if (!home) throw new Error(`${Name} has no network`);
    const [first, at] = home;
    // The default bridge gives addresses one after the other.
    const place = placeOf(container);
    while (next < place) await lab.run(`filler${next++}`);
    if (place > 0) next += 1;
    const endpoint = { IPAMConfig: { IPv4Address: at.IPAddress, IPv6Address: at.GlobalIPv6Address } };
    const ports = Object.entries(NetworkSettings.Ports).flatMap(([port, bindings]) => {
      const real = (bindings ?? []).filter(({ HostPort }) => HostPort !== '');
      return real.length > 0 ? [[port, real] as const] : [];
    });
    const name = Name.slice(1);
    await lab.run(name, {
      network: first,
      expose: ports.map(([port]) => port),
      hostConfig: { PortBindings: Object.fromEntries(ports) },
      ...(first === 'bridge' ? {} : { body: { NetworkingConfig: { EndpointsConfig: { [first]: endpoint } } } }),
    });
    for (const [network, { IPAddress }] of others) {
      await lab.networkConnect(network, name, { IPAMConfig: { IPv4Address: IPAddress } });
    }
    if (State.Paused) await lab.api('POST', `/containers/${name}/pause`);
    else names.push(name);
  }
  await must(
    lab,
    'sysctl -q -w net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 net.bridge.bridge-nf-call-iptables=1',
  );
  await must(lab, 'sysctl -q -w net.bridge.bridge-nf-call-ip6tables=1');
  // nft opens /dev/stdin by name, which a socket does not allow.
  await must(lab, 'cat | nft -j -f -', recorded.ruleset);
  return names;
}

/** From the LAN, the internet, the host and some containers, to everything. */
export function questions(stage: Stage, recorded: RecordedHost): Case[] {
  const { host6 } = stage.lab.addresses;
  const published = [
    ...new Set(
      recorded.containers.flatMap(({ NetworkSettings }) =>
        Object.entries(NetworkSettings.Ports).flatMap(([port, bindings]) =>
          (bindings ?? []).map(({ HostPort }) => `${HostPort}/${port.split('/')[1] ?? ''}`),
        ),
      ),
    ),
  ].filter(port => !port.startsWith('/'));
  const direct = [...stage.actors.values()].flatMap(({ addresses }) => addresses);
  const cases: Case[] = [];
  for (const from of ['lan', 'internet', 'host', 'web', 'app1', 'multi', 'six', 'plain', 'db', 'v6o']) {
    const isOff = from === 'lan' || from === 'internet' || from === 'host';
    for (const address of [
      '10.20.30.100',
      ...(isOff ? ['10.20.30.200', host6] : []),
      ...(from === 'host' ? ['127.0.0.1', '::1'] : []),
    ]) {
      for (const [port, proto] of published.map(each => each.split('/'))) {
        // Off the host, and to an address that UDP answers come from.
        if (proto === 'udp' && (!isOff || address !== '10.20.30.100')) continue;
        cases.push(asked(stage, from, address, Number(port), proto === 'udp' ? 'udp' : 'tcp'));
      }
    }
    for (const address of direct) cases.push(asked(stage, from, address, 80, 'tcp'));
  }
  for (const address of direct) cases.push(asked(stage, 'lan', address, 88, 'tcp'));
  return cases;
}
