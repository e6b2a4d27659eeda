/** What `netdash explain` is asked about, and from where, in the words of the command line. */
import { HostError } from '../host/host.ts';
import type { Proto } from '../host/readings.ts';
import { UsageError } from '../host/usage-error.ts';
import { hasCarrier } from '../facts/carrier.ts';
import type { Snapshot } from '../facts/schema.ts';
import { parseAddress, spanText } from '../facts/walk/address.ts';
import { lonelyKinds, lanInterfaces, type From, type Subject } from '../facts/walk/subjects.ts';
import { nearMatches } from './find-container.ts';

type Facts = Pick<Snapshot, 'containers' | 'interfaces' | 'networks' | 'sources'>;

/** A port number. @throws UsageError */
function portOf(text: string, target: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (port < 1 || port > 65535) throw new UsageError(`'${target}': a port is a number from 1 to 65535`);
  return port;
}

/** The container of that name, id or beginning of an id. @throws UsageError; HostError where Docker cannot be read */
function containerOf(name: string, { containers, sources }: Facts): string {
  const found = containers.find(each => each.name === name || each.id === name);
  if (found) return found.id;
  const begun = /^[0-9a-f]{3,}$/.test(name) ? containers.filter(({ id }) => id.startsWith(name)) : [];
  if (begun.length === 1 && begun[0]) return begun[0].id;
  const docker = sources['docker'];
  if (docker?.state === 'failed') {
    throw new HostError(
      'failed',
      `whether there is a container '${name}' cannot be told: ${docker.reason ?? 'Docker cannot be read'}`,
    );
  }
  const near = nearMatches(
    name,
    containers.map(each => each.name),
  );
  const hint = near.length > 0 ? `; did you mean ${near.join(', ')}?` : '';
  throw new UsageError(`no container '${name}'${hint}`);
}

/**
 * Reads a target: `8080`, `8080/udp`, `10.0.0.5:443`, `[fd00::5]:443/udp`, `web`, `web:80`.
 * @throws UsageError when it is none, or names a container that is not there; HostError when that cannot be told
 */
export function parseSubject(target: string, facts: Facts): Subject {
  const [, rest = '', protoText] = /^(.*?)(?:\/([a-z]+))?$/.exec(target) ?? [];
  if (protoText !== undefined && protoText !== 'tcp' && protoText !== 'udp' && protoText !== 'sctp') {
    throw new UsageError(`'${target}': the protocol is tcp or udp`);
  }
  const proto: { proto?: Proto } = protoText === undefined ? {} : { proto: protoText };
  if (/^\d{1,5}$/.test(rest)) return { kind: 'port', port: portOf(rest, target), ...proto };
  const [, six, name = '', portText] = /^(?:\[([^\]]*)\]|([^:]*))(?::(.*))?$/.exec(rest) ?? [];
  const address = parseAddress(six ?? name);
  if (address && (six !== undefined || /^[\d.]+$/.test(name))) {
    if (portText === undefined)
      throw new UsageError(`'${target}': give a port too, as ${six === undefined ? name : `[${six}]`}:443`);
    return { kind: 'address', address: spanText(address), port: portOf(portText, target), ...proto };
  }
  if (six !== undefined || rest === '' || (name === '' && portText !== undefined)) {
    throw new UsageError(`'${target}' is no target: give a port, ADDRESS:PORT, [IPV6]:PORT, or a container`);
  }
  if (parseAddress(rest)) throw new UsageError(`'${target}': write [${rest}]:PORT`);
  const containerId = containerOf(name, facts);
  return {
    kind: 'container',
    containerId,
    ...(portText !== undefined && { port: portOf(portText, target) }),
    ...proto,
  };
}

/** Why there is no LAN of an interface; undefined where there is no such interface, or nothing more to say. */
function whyNoLan(name: string, { interfaces, networks }: Facts): string | undefined {
  const there = interfaces.find(each => each.name === name);
  if (!there) return undefined;
  if (there.kind === 'loopback') return `${name} is this host's loopback`;
  if (lonelyKinds.has(there.kind)) return `nobody can be on ${name}, of kind ${there.kind}`;
  if (there.networkId !== undefined || name === 'docker_gwbridge') {
    const network = networks.find(({ id }) => id === there.networkId)?.name;
    return `it is the bridge of Docker's network${network === undefined ? 's' : ` ${network}`}`;
  }
  if (!there.up) return `${name} is down`;
  if (!hasCarrier(there)) return `${name} has no carrier`;
  return there.master === undefined ? `${name} has no address of its own` : `it is a port of ${there.master}`;
}

/** Reads `--from`. @throws UsageError */
export function parseFrom(text: string, facts: Facts): From {
  if (text === 'loopback') return { kind: 'loopback' };
  if (text === 'lan') return { kind: 'lan' };
  const [, kind, name = ''] = /^(lan|container):(.+)$/.exec(text) ?? [];
  if (kind === 'container') {
    const containerId = containerOf(name, facts);
    const { state } = facts.containers.find(({ id }) => id === containerId) ?? {};
    if (state !== 'running' && state !== 'paused') throw new UsageError(`container '${name}' does not run`);
    return { kind: 'container', containerId };
  }
  if (kind === 'lan') {
    const names = lanInterfaces(facts).map(each => each.name);
    if (names.includes(name)) return { kind: 'lan', interface: name };
    const why = whyNoLan(name, facts);
    throw new UsageError(
      `no interface '${name}' leads off this host${why === undefined ? '' : ` (${why})`}; there is ${names.join(', ') || 'none'}`,
    );
  }
  const address = parseAddress(text.replace(/^\[(.*)\]$/, '$1'));
  if (address) return { kind: 'address', address: spanText(address) };
  throw new UsageError(`--from ${text}: give loopback, lan, lan:INTERFACE, an address, or container:NAME`);
}
