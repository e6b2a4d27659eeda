/** What a container's `-p` asks of the host: the claims that Docker makes for it when it starts. */
import type { ContainerReading, DockerReading, PortBindingReading, Proto, Readings } from '../host/readings.ts';
import type { Claim } from './claims.ts';
import { gatewayMode, publishingOf } from './publishing.ts';

/** What decides whether a request also takes the IPv6 wildcard; undefined is unknown. */
export interface HostTraits {
  /** Whether docker-proxy runs for each published port (`--userland-proxy`, on by default). */
  userlandProxy: boolean | undefined;
  /** Whether this kernel has IPv6. */
  ipv6: boolean | undefined;
}

/** An address that a request takes for its port. */
export interface RequestSide {
  address: string;
  v6only?: boolean;
  /** False when it hangs on something unknown whether Docker takes it. */
  certain: boolean;
  /** Not certain for no other reason than that docker-proxy, which is on by default, is not known to be in use: Docker takes it if it is. */
  ifProxied?: true;
}

/** One requested binding of one container. */
export interface PortRequest {
  containerId: string;
  containerName: string;
  binding: PortBindingReading;
  /** First and last host port: equal for a fixed port; of a range Docker takes the first that is free. undefined: ephemeral. */
  ports: [number, number] | undefined;
  sides: RequestSide[];
}

/** The host ports a binding asks for, both ends included; undefined for an ephemeral one ('' or '0'). */
export function portsAsked(hostPort: string): [number, number] | undefined {
  const [from, to] = hostPort.split('-').map(Number);
  if (from === undefined || !Number.isInteger(from) || from <= 0) return undefined;
  return to === undefined || !Number.isInteger(to) ? [from, from] : [from, to];
}

/** `80/tcp` of a binding. */
export const containerPortText = (binding: { containerPort: number; proto: Proto }): string =>
  `${binding.containerPort}/${binding.proto}`;

/** Whether docker-proxies are in use: as the daemon says, or as it shows: none although ports are published means that they are not. */
function isProxied({ docker, processes }: Readings): boolean | undefined {
  const said = docker.value?.engine.userlandProxy;
  if (said !== undefined || processes.value === undefined) return said;
  if (processes.value.proxies.length > 0) return true;
  const publishes = docker.value?.containers.some(
    ({ state, publishedPorts }) =>
      state === 'running' && publishedPorts.some(port => portsAsked(port.hostPort) !== undefined),
  );
  return processes.state === 'ok' && publishes === true ? false : undefined;
}

/** Looks for the traits in what the machine said. */
export function hostTraits(readings: Readings): HostTraits {
  const links = readings.links.value?.links;
  const ipv6 = links?.some(link => link.addresses.some(address => address.family === 6));
  return { userlandProxy: isProxied(readings), ipv6 };
}

/**
 * The claims that Docker would make for each requested binding (and, with `-P`, each exposed port) when the container
 * starts. None when its mode publishes nothing; undefined when that is not known.
 *
 * Without a host address Docker takes `0.0.0.0`, or the network's `host_binding_ipv4`, and with `0.0.0.0` also a v6-only `::`
 * where the kernel has IPv6 and there is a docker-proxy or an IPv6 network to lead it to the container.
 */
export function requestsOf(
  container: ContainerReading,
  docker: DockerReading,
  traits: HostTraits,
): PortRequest[] | undefined {
  const publishing = publishingOf(container, docker.networks);
  if (publishing.kind === 'ignored') return [];
  if (publishing.kind !== 'publishes') return undefined;
  const { networks } = publishing;
  const defaults = new Set(
    networks.map(network => network.options['com.docker.network.bridge.host_binding_ipv4'] || '0.0.0.0'),
  );
  const natted4 = networks.some(network => network.ipv4 && gatewayMode(network, 4) !== 'routed');
  const all4 = networks.every(network => network.ipv4 && gatewayMode(network, 4) !== 'routed');
  const natted6 = networks.some(network => !network.ipv6 || gatewayMode(network, 6) !== 'routed');
  const direct6 = networks.every(network => network.ipv6 && gatewayMode(network, 6) !== 'routed');
  const carried6 = direct6 ? true : traits.userlandProxy;
  const side4 = (address: string, certain = all4): RequestSide[] => (natted4 ? [{ address, certain }] : []);
  const ifProxied = traits.ipv6 === true && carried6 === undefined;
  const side6 = (address: string): RequestSide[] =>
    natted6 && traits.ipv6 !== false && carried6 !== false
      ? [
          {
            address,
            ...(address === '::' ? { v6only: true } : {}),
            certain: traits.ipv6 === true && carried6 === true,
            ...(ifProxied && { ifProxied }),
          },
        ]
      : [];
  const sidesOf = (hostIp: string): RequestSide[] => {
    if (hostIp.includes(':')) return side6(hostIp);
    if (hostIp !== '') return side4(hostIp);
    const only = defaults.size === 1;
    return [...defaults].flatMap(address =>
      address === '0.0.0.0' ? [...side4(address, all4 && only), ...side6('::')] : side4(address, all4 && only),
    );
  };
  return bindingsAsked(container).map(binding => ({
    containerId: container.id,
    containerName: container.name,
    binding,
    ports: portsAsked(binding.hostPort),
    sides: sidesOf(binding.hostIp),
  }));
}

/** Every binding that a container asks for: its `-p`, and with `-P` an ephemeral one for each exposed port without. */
export function bindingsAsked(container: ContainerReading): PortBindingReading[] {
  if (!container.publishAllPorts) return container.requestedPorts;
  const exposed = container.exposedPorts.filter(
    ({ proto, port }) => !container.requestedPorts.some(asked => asked.proto === proto && asked.containerPort === port),
  );
  return [
    ...container.requestedPorts,
    ...exposed.map(({ proto, port }) => ({ proto, containerPort: port, hostIp: '', hostPort: '' })),
  ];
}

/** The claims of a request for one of its host ports. Docker's TCP listeners have SO_REUSEADDR, its UDP ones have not. */
export function claimsFor(
  request: PortRequest,
  port: number,
): ({ claim: Claim } & Pick<RequestSide, 'certain' | 'ifProxied'>)[] {
  const { proto } = request.binding;
  return request.sides.map(({ address, v6only, certain, ifProxied }) => ({
    claim: {
      proto,
      address,
      port,
      ...(v6only === undefined ? {} : { v6only }),
      ...(proto === 'tcp' ? { reuseAddr: true } : {}),
    },
    certain,
    ...(ifProxied && { ifProxied }),
  }));
}
