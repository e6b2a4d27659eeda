import type { ContainerReading, NetworkReading } from '../../host/readings.ts';
import { listText } from '../holders.ts';
import { bridgeOfNetwork } from '../link-map.ts';
import { findNetwork, isUp } from '../publishing.ts';
import { interfaceSetting, isTypable } from '../sysctl.ts';
import type { Detector, FindingContext, FindingDraft } from './detector.ts';
import { isElsewhere } from './shared.ts';

/** A bridge network that routes, with its containers that are up. */
interface Routed {
  network: NetworkReading;
  bridge: string;
  containers: ContainerReading[];
}

function routedNetworks({ readings }: FindingContext): Routed[] {
  const docker = readings.docker.value;
  return (docker?.networks ?? []).flatMap(network => {
    const bridge = bridgeOfNetwork(network);
    if (bridge === undefined || network.internal) return [];
    const containers = (docker?.containers ?? []).filter(
      container =>
        isUp(container) &&
        container.endpoints.some(
          endpoint => findNetwork(docker?.networks ?? [], endpoint.networkId ?? endpoint.network) === network,
        ),
    );
    return containers.length > 0 ? [{ network, bridge, containers }] : [];
  });
}

function globalDraft(family: 4 | 6, containers: readonly ContainerReading[]): FindingDraft {
  const name = family === 4 ? 'net.ipv4.ip_forward' : 'net.ipv6.conf.all.forwarding';
  const path = `/proc/sys/${name.replaceAll('.', '/')}`;
  const publishing = containers.filter(container => container.publishedPorts.length > 0);
  return {
    subject: { kind: 'host', id: `ipv${family}`, name },
    message:
      family === 4
        ? `${name} is 0: the host forwards no IPv4, so published ports do not answer to other machines and ${containers.length} containers cannot reach beyond the host`
        : `${name} is 0: the host forwards no IPv6, so ${containers.length} containers with IPv6 addresses are cut off from other machines`,
    evidence: [
      { source: path, text: '0' },
      {
        source: 'docker ps',
        text: `${publishing.length} of them publish ports: ${listText(
          publishing.map(container => container.name),
          6,
        )}`,
      },
    ],
    fix: `sysctl -w ${name}=1, and in /etc/sysctl.d so that it stays`,
    confirm: `cat ${path}`,
    containerIds: containers.map(container => container.id),
    ports: [],
  };
}

function interfaceDraft(name: string, role: string, containers: readonly ContainerReading[]): FindingDraft {
  const path = `/proc/sys/net/ipv4/conf/${name}/forwarding`;
  const setting = interfaceSetting(name, 'forwarding');
  return {
    subject: { kind: 'link', id: name, name },
    message: `${setting} is 0: what comes in by ${name} (${role}) is not forwarded`,
    evidence: [
      { source: path, text: '0' },
      { source: '/proc/sys/net/ipv4/ip_forward', text: '1' },
    ],
    ...(isTypable(name) ? { fix: `sysctl -w ${setting}=1`, confirm: `cat ${path}` } : { fix: `Set ${setting} to 1.` }),
    containerIds: containers.map(container => container.id),
    ports: [],
  };
}

/**
 * The kernel does not forward although containers hang on networks that need it. For IPv4 the setting of the interface by
 * which a packet comes in counts as well as the global one (ip_forward sets all of them); for IPv6 only the global one
 * decides (ip-sysctl: `conf/all/forwarding`). docker info is no witness: the daemon remembers what it saw at its start.
 */
export const forwardingOff: Detector = {
  code: 'forwarding-off',
  severity: 'error',
  needs: ['docker', 'kernel'],
  helpedBy: ['links'],
  detect: context => {
    const { readings } = context;
    const kernel = readings.kernel.value;
    if (kernel === undefined || isElsewhere(readings.docker.value?.engine)) return [];
    const routed = routedNetworks(context);
    const onFamily = (family: 4 | 6) => [
      ...new Set(
        routed.flatMap(({ network, containers }) =>
          containers.filter(container =>
            container.endpoints.some(endpoint => {
              const isHere = endpoint.networkId === network.id || endpoint.network === network.name;
              return isHere && (family === 4 ? endpoint.ipv4 : endpoint.ipv6) !== undefined;
            }),
          ),
        ),
      ),
    ];
    const drafts: FindingDraft[] = [];
    const on4 = onFamily(4);
    const on6 = onFamily(6);
    if (kernel.ipForward === false && on4.length > 0) drafts.push(globalDraft(4, on4));
    if (kernel.ipv6Forward === false && on6.length > 0) drafts.push(globalDraft(6, on6));
    if (kernel.ipForward === false || on4.length === 0) return drafts;
    const isOff = (name: string) => kernel.interfaces[name]?.forwarding4 === false;
    for (const { network, bridge, containers } of routed) {
      if (network.ipv4 && isOff(bridge))
        drafts.push(interfaceDraft(bridge, `bridge of network ${network.name}`, containers));
    }
    const uplinks = new Set(
      (readings.links.value?.routes ?? [])
        .filter(({ family, destination, table }) => family === 4 && destination === 'default' && table !== 'local')
        .flatMap(({ device }) => device ?? []),
    );
    for (const name of uplinks) if (isOff(name)) drafts.push(interfaceDraft(name, 'the way of the default route', on4));
    return drafts;
  },
};
