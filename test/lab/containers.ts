/** What `docker run`, `docker network create` and their like do, in the words of the Engine API. */
import { imageName } from './image.ts';

export interface ContainerOptions {
  image?: string;
  /** In place of the image's command. */
  cmd?: readonly string[];
  /** Docker's network mode or a network's name: `host`, `none`, `container:web`, `app`… */
  network?: string;
  /** As `docker run -p` takes them: `8080:80`, `80`, `127.0.0.1:8084:80`, `[::1]:8093:80`, `7000-7003:7000-7003/udp`. */
  publish?: readonly string[];
  /** As `docker run --expose`: `81`, `53/udp`. */
  expose?: readonly string[];
  aliases?: readonly string[];
  /** A fixed IPv4 address on the network. */
  ip?: string;
  /** As `docker run --link`: `web:w`. */
  links?: readonly string[];
  restart?: 'no' | 'always' | 'on-failure' | 'unless-stopped';
  labels?: Record<string, string>;
  env?: readonly string[];
  /** Merged over the request, for whatever is not listed here. */
  body?: Record<string, unknown>;
  /** Merged over the request's HostConfig. */
  hostConfig?: Record<string, unknown>;
}

interface Binding {
  HostIp: string;
  HostPort: string;
}

const numbers = (range: string): number[] => {
  const [first = Number.NaN, last = first] = range.split('-').map(Number);
  return Array.from({ length: last - first + 1 }, (_, index) => first + index);
};

/** Reads one `-p` value into the API's port bindings, keyed `80/tcp`. */
export const parsePublish = (value: string): [string, Binding][] => {
  const match = /^(?:(\[[^\]]*\]|[^:]*):)??(?:([\d-]*):)?([\d-]+)(?:\/(\w+))?$/.exec(value);
  const [, address = '', hostPort = '', containerPort = '', proto = 'tcp'] = match ?? [];
  if (match === null) throw new Error(`not a port to publish: ${value}`);
  const HostIp = address.replace(/^\[|\]$/g, '');
  const inside = numbers(containerPort);
  const outside = hostPort === '' ? [] : numbers(hostPort);
  // A range for one container port lets Docker pick from it; equal ranges are mapped one to one.
  return inside.map((port, index) => [
    `${port}/${proto}`,
    { HostIp, HostPort: inside.length === outside.length ? String(outside[index]) : hostPort },
  ]);
};

/** The body of `POST /containers/create`. */
export const containerBody = (options: ContainerOptions): Record<string, unknown> => {
  const bindings: Record<string, Binding[]> = {};
  for (const [port, binding] of (options.publish ?? []).flatMap(parsePublish)) (bindings[port] ??= []).push(binding);
  const exposed = [
    ...Object.keys(bindings),
    ...(options.expose ?? []).map(port => (port.includes('/') ? port : `${port}/tcp`)),
  ];
  const { network } = options;
  return {
    Image: options.image ?? imageName,
    Cmd: options.cmd,
    Env: options.env,
    Labels: options.labels,
    // As PID 1, busybox ignores SIGTERM: each stop would take ten seconds.
    StopSignal: 'SIGKILL',
    ExposedPorts: Object.fromEntries(exposed.map(port => [port, {}])),
    HostConfig: {
      NetworkMode: network,
      PortBindings: bindings,
      Links: options.links,
      RestartPolicy: { Name: options.restart ?? 'no' },
      ...options.hostConfig,
    },
    NetworkingConfig:
      network !== undefined && (options.aliases !== undefined || options.ip !== undefined)
        ? {
            EndpointsConfig: {
              [network]: {
                Aliases: options.aliases,
                IPAMConfig: options.ip === undefined ? undefined : { IPv4Address: options.ip },
              },
            },
          }
        : undefined,
    ...options.body,
  };
};

export interface NetworkOptions {
  driver?: string;
  internal?: boolean;
  attachable?: boolean;
  ipv6?: boolean;
  /** One for each address pool. */
  ipam?: readonly { subnet: string; gateway?: string; ipRange?: string }[];
  /** Driver options. */
  options?: Record<string, string>;
}

/** The body of `POST /networks/create`. */
export const networkBody = (name: string, options: NetworkOptions): Record<string, unknown> => ({
  Name: name,
  CheckDuplicate: true,
  Driver: options.driver ?? 'bridge',
  Internal: options.internal ?? false,
  Attachable: options.attachable ?? false,
  EnableIPv6: options.ipv6 ?? false,
  Options: options.options,
  IPAM: options.ipam && {
    Config: options.ipam.map(pool => ({ Subnet: pool.subnet, Gateway: pool.gateway, IPRange: pool.ipRange })),
  },
});
