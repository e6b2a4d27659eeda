/**
 * `GET /containers/{id}/json` as a reading. The shape follows the daemon's API version (1.41 of Docker 20.10 to 1.5x of 29) and
 * Podman's likeness of it, so nothing is taken for granted; the environment is not looked at.
 */
import { canonicalAddress } from './addresses.ts';
import { array, isObject, number, object, text, texts, textRecord, time } from './json.ts';
import type { ContainerReading, ContainerState, EndpointReading, PortBindingReading, Proto } from './readings.ts';

const states = ['created', 'running', 'paused', 'restarting', 'removing', 'exited', 'dead'] as const;

/** Podman's own words for states that Docker does not have. */
const podmanStates: Record<string, ContainerState> = {
  configured: 'created',
  initialized: 'created',
  stopping: 'running',
  stopped: 'exited',
};

/** Docker's `State.Status`; undefined for a word that neither Docker nor Podman has. */
export function containerState(status: unknown): ContainerState | undefined {
  const word = text(status).toLowerCase();
  return states.find(state => state === word) ?? podmanStates[word];
}

const keptLabels = [
  'com.docker.compose.project',
  'com.docker.compose.service',
  'com.docker.swarm.service.id',
  'com.docker.swarm.service.name',
];

/** Of all labels the few that netdash uses. */
export function usedLabels(labels: unknown): Record<string, string> {
  return Object.fromEntries(Object.entries(textRecord(labels)).filter(([name]) => keptLabels.includes(name)));
}

/** The name to show of `Names` or `Name`: without slash, and none of those that `--link` gives it in other containers (`/web/db`). */
export function containerName(names: readonly string[], id: string): string {
  const bare = names.map(name => name.replace(/^\//, '')).filter(name => name !== '');
  return bare.find(name => !name.includes('/')) ?? bare[0] ?? id.slice(0, 12);
}

/** `80/tcp`, `53/udp`, `8000-8010/tcp`, `80` as single ports; empty for anything else. */
export function parsePorts(key: string): { proto: Proto; port: number }[] {
  const [, from, to, name] = /^(\d{1,5})(?:-(\d{1,5}))?(?:\/(\w+))?$/.exec(key) ?? [];
  const proto = name === undefined ? 'tcp' : name.toLowerCase();
  if (from === undefined || (proto !== 'tcp' && proto !== 'udp' && proto !== 'sctp')) return [];
  const first = Number(from);
  const last = to === undefined ? first : Number(to);
  if (last < first || last > 65535) return [];
  return Array.from({ length: last - first + 1 }, (_, index) => ({ proto, port: first + index }));
}

/**
 * A port map (`HostConfig.PortBindings`, `NetworkSettings.Ports`): `{}`, `{"80/tcp": null}` and
 * `{"80/tcp": [{"HostIp": "", "HostPort": ""}]}` all occur. A port without a binding gives nothing.
 */
export function parsePortMap(value: unknown): PortBindingReading[] {
  const bindings: PortBindingReading[] = [];
  for (const [key, list] of Object.entries(object(value))) {
    for (const { proto, port: containerPort } of parsePorts(key)) {
      for (const entry of array(list)) {
        if (!isObject(entry)) continue;
        const given = entry['HostPort'];
        const hostIp = text(entry['HostIp']);
        bindings.push({
          proto,
          containerPort,
          hostIp: canonicalAddress(hostIp) ?? hostIp,
          hostPort: typeof given === 'number' ? String(given) : text(given),
        });
      }
    }
  }
  return bindings;
}

/** A given mapping, whose address Podman leaves empty for all of IPv4 (it binds no other socket). */
export const onEveryAddress = (port: PortBindingReading): PortBindingReading =>
  port.hostIp === '' && port.hostPort !== '' ? { ...port, hostIp: '0.0.0.0' } : port;

/** The network that Docker calls so is always its own: nobody else can give one that name. */
const defaultBridge = 'bridge';

/** An entry of `NetworkSettings.Networks`. @param id the container's, whose short form the daemon puts among the aliases before API 1.45 */
export function parseEndpoint(network: string, value: unknown, id: string): EndpointReading {
  const given = object(value);
  const endpoint: EndpointReading = {
    network,
    aliases: texts(given['Aliases']).filter(alias => alias !== id.slice(0, 12)),
    links: texts(given['Links']),
  };
  const address = (name: string): string | undefined => canonicalAddress(text(given[name]));
  const ipv4 = address('IPAddress');
  const ipv6 = address('GlobalIPv6Address');
  const gateway = address('Gateway');
  const gateway6 = address('IPv6Gateway');
  const mac = text(given['MacAddress']).toLowerCase();
  const networkId = text(given['NetworkID']);
  // Podman has the name there, and calls its default network `bridge` in the list of networks alone.
  if (networkId === network) endpoint.network = network === 'podman' ? 'bridge' : network;
  // The default bridge is made anew whenever the daemon starts: a container that has not run since has the id of one that is gone.
  else if (networkId && network !== defaultBridge) endpoint.networkId = networkId;
  if (text(given['EndpointID'])) endpoint.endpointId = text(given['EndpointID']);
  if (ipv4) Object.assign(endpoint, { ipv4, ipv4PrefixLength: number(given['IPPrefixLen']) });
  if (ipv6) Object.assign(endpoint, { ipv6, ipv6PrefixLength: number(given['GlobalIPv6PrefixLen']) });
  if (mac) endpoint.mac = mac;
  if (gateway) endpoint.gateway = gateway;
  if (gateway6) endpoint.gateway6 = gateway6;
  if (typeof given['GwPriority'] === 'number') endpoint.gatewayPriority = given['GwPriority'];
  return endpoint;
}

/** `NetworkSettings.Networks`, in order of name. */
export function parseEndpoints(networks: unknown, id: string): EndpointReading[] {
  return Object.entries(object(networks))
    .map(([name, value]) => parseEndpoint(name, value, id))
    .sort((a, b) => (a.network < b.network ? -1 : 1));
}

/** `/web:/linked/w` is `web:w`. */
function parseLink(link: string): string {
  const [target = '', alias = ''] = link.split(':');
  return `${target.replace(/^\//, '')}:${alias.split('/').at(-1)}`;
}

/** Whether a capability is in a list, with or without `CAP_`. */
const has = (list: unknown, name: string): boolean =>
  texts(list).some(item => item.toUpperCase().replace(/^CAP_/, '') === name);

/**
 * Whether a container has NET_ADMIN, which is not among the capabilities that Docker gives by itself. `CapDrop` takes it from
 * `ALL`, but not from who names it in `CapAdd` (moby, oci/caps TweakCapabilities).
 */
function mayChangeRules(hostConfig: Record<string, unknown>): boolean {
  const { Privileged, CapAdd, CapDrop } = hostConfig;
  return Privileged === true || has(CapAdd, 'NET_ADMIN') || (has(CapAdd, 'ALL') && !has(CapDrop, 'NET_ADMIN'));
}

/**
 * An inspect answer as a reading. Never throws: parts that are missing or malformed get their empty value, and
 * `inspectError` names them.
 * @param id the id asked for, used when the answer has none
 * @param inspectedAt when it was answered, ms since the epoch
 */
export function parseInspect(json: unknown, id: string, inspectedAt: number): ContainerReading {
  const answer = object(json);
  const missing = ['State', 'HostConfig', 'NetworkSettings', 'Config'].filter(part => !isObject(answer[part]));
  const state = object(answer['State']);
  const hostConfig = object(answer['HostConfig']);
  const settings = object(answer['NetworkSettings']);
  const config = object(answer['Config']);
  const fullId = text(answer['Id']) || id;
  const status = containerState(state['Status']);
  if (isObject(answer['State']) && !status) missing.push('State.Status');
  const reading: ContainerReading = {
    id: fullId,
    name: containerName([text(answer['Name'])], fullId),
    image: text(config['Image']) || text(answer['Image']),
    created: time(answer['Created']) ?? 0,
    state: status ?? 'dead',
    exitCode: number(state['ExitCode']),
    error: text(state['Error']),
    oomKilled: state['OOMKilled'] === true,
    pid: number(state['Pid']),
    restartCount: number(answer['RestartCount']),
    restartPolicy: text(object(hostConfig['RestartPolicy'])['Name']) || 'no',
    hostname: text(config['Hostname']),
    dns: texts(hostConfig['Dns']),
    command: [text(answer['Path']), ...texts(answer['Args'])].filter((word, index) => index > 0 || word !== ''),
    networkMode: text(hostConfig['NetworkMode']) || 'default',
    links: texts(hostConfig['Links']).map(parseLink).sort(),
    labels: usedLabels(config['Labels']),
    endpoints: parseEndpoints(settings['Networks'], fullId),
    requestedPorts: parsePortMap(hostConfig['PortBindings']),
    publishAllPorts: hostConfig['PublishAllPorts'] === true,
    exposedPorts: Object.keys(object(config['ExposedPorts'])).flatMap(parsePorts),
    publishedPorts: parsePortMap(settings['Ports']).map(onEveryAddress),
    sandboxKey: text(settings['SandboxKey']),
    inspectedAt,
  };
  const startedAt = time(state['StartedAt']);
  const finishedAt = time(state['FinishedAt']);
  const health = text(object(state['Health'] ?? state['Healthcheck'])['Status']);
  if (mayChangeRules(hostConfig)) reading.mayChangeRules = true;
  if (startedAt !== undefined) reading.startedAt = startedAt;
  if (finishedAt !== undefined) reading.finishedAt = finishedAt;
  if (health === 'starting' || health === 'healthy' || health === 'unhealthy') reading.health = health;
  if (missing.length > 0) reading.inspectError = `Docker's answer lacks ${missing.join(', ')}`;
  return reading;
}
