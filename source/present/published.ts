/** A container's ports in a few words. */
import type { Container, PublishedPort, RequestedPort } from '../facts/schema.ts';
import { glyphs } from '../terminal/charset.ts';
import { isWildcard, socketAddress } from './addresses.ts';

const suffix = (proto: string): string => (proto === 'tcp' ? '' : `/${proto}`);

/** What was asked for on the host's side: `8080`, `8000-8010`, `ephemeral`, `127.0.0.1:8080`. */
export function requestedSide(port: RequestedPort): string {
  const { hostPort } = port;
  const number =
    hostPort === null
      ? 'ephemeral'
      : typeof hostPort === 'number'
        ? String(hostPort)
        : `${hostPort.from}-${hostPort.to}`;
  return port.hostIp === '' ? number : socketAddress(port.hostIp, number);
}

/** Mappings of one port each that follow each other on both sides. */
interface Run {
  hostIp: string;
  proto: string;
  host: [from: number, to: number];
  container: [from: number, to: number];
}

const rangeText = ([from, to]: readonly [number, number]): string => (from === to ? String(from) : `${from}-${to}`);

function runText({ hostIp, proto, host, container }: Run): string {
  const side = hostIp === '' ? rangeText(host) : socketAddress(hostIp, rangeText(host));
  return `${side}${glyphs.arrow}${rangeText(container)}${suffix(proto)}`;
}

/** Puts ports in a row together, as `docker ps` does: a container may publish a thousand. */
class Runs {
  readonly texts: (() => string)[] = [];
  readonly #open = new Map<string, Run>();

  /** Takes the next mapping. @param hostIp empty for all addresses */
  add(hostIp: string, hostPort: number, { containerPort, proto }: { containerPort: number; proto: string }): void {
    const key = `${hostIp} ${proto}`;
    const run = this.#open.get(key);
    if (run?.host[1] === hostPort - 1 && run.container[1] === containerPort - 1) {
      run.host[1] = hostPort;
      run.container[1] = containerPort;
      return;
    }
    const begun: Run = { hostIp, proto, host: [hostPort, hostPort], container: [containerPort, containerPort] };
    this.#open.set(key, begun);
    this.texts.push(() => runText(begun));
  }

  /** All of them, in the order in which they began, each once. */
  all(): string[] {
    return [...new Set(this.texts.map(text => text()))];
  }
}

const firstOf = ({ hostPort }: RequestedPort): number => (typeof hostPort === 'number' ? hostPort : 0);

/** What was asked for: `8080→80/udp`, `7000-7003→7000-7003`; tcp goes without saying. */
export function requestedTexts(ports: readonly RequestedPort[]): string[] {
  const runs = new Runs();
  for (const port of [...ports].sort((a, b) => a.containerPort - b.containerPort || firstOf(a) - firstOf(b))) {
    if (typeof port.hostPort === 'number') runs.add(port.hostIp, port.hostPort, port);
    else runs.texts.push(() => `${requestedSide(port)}${glyphs.arrow}${port.containerPort}${suffix(port.proto)}`);
  }
  return runs.all();
}

/** All that Docker has published of a container; routed ports, which have no port of the host, with 0 in its place. */
export function publishedOf({ publishedPorts, routedPorts }: Container): readonly PublishedPort[] {
  if (!routedPorts) return publishedPorts;
  return [...publishedPorts, ...routedPorts.map(port => ({ ...port, hostPort: 0, ephemeral: false }))];
}

/**
 * The mappings of a container, those that differ only in the wildcard's family said once: `8080→80`, `127.0.0.1:53→53/udp`,
 * `7000-7003→7000-7003`.
 */
export function publishedTexts(ports: readonly PublishedPort[]): string[] {
  const runs = new Runs();
  const seen = new Set<string>();
  for (const port of [...ports].sort((a, b) => a.containerPort - b.containerPort || a.hostPort - b.hostPort)) {
    const { hostPort, containerPort, proto } = port;
    const hostIp = isWildcard(port.hostIp) ? '' : port.hostIp;
    const key = `${hostIp} ${hostPort} ${containerPort} ${proto}`;
    if (seen.has(key)) continue;
    seen.add(key);
    if (hostPort === 0) runs.texts.push(() => `routed${glyphs.arrow}${containerPort}${suffix(proto)}`);
    else runs.add(hostIp, hostPort, port);
  }
  return runs.all();
}

/** The ports on which a container's own processes listen in the host's netns: `:80`, `:53/udp`. */
export function ownListenerTexts(container: Container): string[] {
  const ports = [...(container.listeners ?? [])].sort((a, b) => a.port - b.port);
  return [...new Set(ports.map(listener => `:${listener.port}${suffix(listener.proto)}`))];
}
