/** The daemon itself, its networks and its services, as readings. */
import ipaddr from 'ipaddr.js';
import { canonicalAddress } from './addresses.ts';
import { array, isObject, object, text, texts, textRecord } from './json.ts';
import { isPodmans } from './podman.ts';
import type { EngineReading, NetworkReading, ServiceReading } from './readings.ts';

/** /version and /info together. Either may be undefined when it could not be read; what it would say is then empty. */
export function parseEngine(version: unknown, info: unknown): EngineReading {
  const told = object(info);
  const release = object(version);
  const swarm = object(told['Swarm']);
  const active = text(swarm['LocalNodeState']) === 'active';
  const engine: EngineReading = {
    id: text(told['ID']),
    name: text(told['Name']),
    version: text(release['Version']) || text(told['ServerVersion']),
    apiVersion: text(release['ApiVersion']),
    operatingSystem: text(told['OperatingSystem']),
    kernelVersion: text(told['KernelVersion']) || text(release['KernelVersion']),
    rootless: texts(told['SecurityOptions']).some(option => option.split(',').includes('name=rootless')),
    liveRestore: told['LiveRestoreEnabled'] === true,
    swarm: { active, manager: active && swarm['ControlAvailable'] === true },
  };
  const components = array(release['Components']).map(part => text(object(part)['Name']));
  if (components.includes('Podman Engine') || text(told['BuildahVersion'])) engine.podman = true;
  const backend = text(object(told['FirewallBackend'])['Driver']);
  if (backend) engine.firewallBackend = backend;
  const proxied = array(object(told['FirewallBackend'])['Info']).find(pair => array(pair)[0] === 'EnableUserlandProxy');
  const word = text(array(proxied)[1]);
  if (word === 'true' || word === 'false') engine.userlandProxy = word === 'true';
  return engine;
}

/** `GET /networks`, in order of name. An entry without id is left out. */
export function parseNetworks(json: unknown): NetworkReading[] {
  return array(json)
    .flatMap(parseNetwork)
    .sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : a.id < b.id ? -1 : 1));
}

function parseNetwork(value: unknown): NetworkReading[] {
  if (!isObject(value) || !text(value['Id'])) return [];
  const network: NetworkReading = {
    id: text(value['Id']),
    name: text(value['Name']),
    driver: text(value['Driver']),
    scope: text(value['Scope']),
    internal: value['Internal'] === true,
    ingress: value['Ingress'] === true,
    attachable: value['Attachable'] === true,
    // Since API 1.48; before, a network could not be without IPv4.
    ipv4: value['EnableIPv4'] !== false,
    ipv6: value['EnableIPv6'] === true,
    options: textRecord(value['Options']),
    ipam: array(object(value['IPAM'])['Config']).flatMap(parseIpam),
    created: text(value['Created']),
  };
  if (network.driver === 'bridge' && isPodmans(value)) network.bridge = '';
  const project = text(object(value['Labels'])['com.docker.compose.project']);
  if (project) network.composeProject = project;
  return [network];
}

function parseIpam(value: unknown): NetworkReading['ipam'] {
  const given = object(value);
  const subnet = canonicalCidr(text(given['Subnet']));
  if (!subnet) return [];
  const pool: NetworkReading['ipam'][number] = { subnet };
  // Old networks have the gateway with a prefix length.
  const gateway = canonicalAddress(text(given['Gateway']).split('/')[0]!);
  const ipRange = canonicalCidr(text(given['IPRange']));
  if (gateway) pool.gateway = gateway;
  if (ipRange) pool.ipRange = ipRange;
  return [pool];
}

/** A subnet with its address in canonical form and its host bits cleared; undefined when it is none. */
function canonicalCidr(cidr: string): string | undefined {
  const [address = '', length = ''] = cidr.split('/');
  const canonical = canonicalAddress(address);
  if (!canonical || !/^\d{1,3}$/.test(length)) return undefined;
  try {
    const clean = canonical.includes(':')
      ? ipaddr.IPv6.networkAddressFromCIDR(`${canonical}/${length}`)
      : ipaddr.IPv4.networkAddressFromCIDR(`${canonical}/${length}`);
    return `${canonicalAddress(clean.toString())}/${Number(length)}`;
  } catch {
    return undefined;
  }
}

/** `GET /services`: the ports that swarm publishes, in order of name. */
export function parseServices(json: unknown): ServiceReading[] {
  return array(json)
    .flatMap((value): ServiceReading[] => {
      const service = object(value);
      const id = text(service['ID']);
      if (!id) return [];
      const ports = array(object(service['Endpoint'])['Ports']).flatMap(parseServicePort);
      return [{ id, name: text(object(service['Spec'])['Name']) || id.slice(0, 12), ports }];
    })
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

function parseServicePort(value: unknown): ServiceReading['ports'] {
  const port = object(value);
  const proto = text(port['Protocol']) || 'tcp';
  const targetPort = port['TargetPort'];
  const publishedPort = port['PublishedPort'];
  if (proto !== 'tcp' && proto !== 'udp' && proto !== 'sctp') return [];
  // A published port is absent until swarm has allocated one.
  if (typeof targetPort !== 'number' || typeof publishedPort !== 'number') return [];
  return [{ proto, targetPort, publishedPort, mode: text(port['PublishMode']) === 'host' ? 'host' : 'ingress' }];
}
