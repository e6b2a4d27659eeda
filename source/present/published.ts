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

/** `8080→80/udp`; tcp goes without saying. */
export function requestedText(port: RequestedPort): string {
  return `${requestedSide(port)}${glyphs.arrow}${port.containerPort}${suffix(port.proto)}`;
}

/** All that Docker has published of a container; routed ports, which have no port of the host, with 0 in its place. */
export function publishedOf({ publishedPorts, routedPorts }: Container): readonly PublishedPort[] {
  if (!routedPorts) return publishedPorts;
  return [...publishedPorts, ...routedPorts.map(port => ({ ...port, hostPort: 0, ephemeral: false }))];
}

function publishedSide(port: PublishedPort): string {
  if (port.hostPort === 0) return 'routed';
  return isWildcard(port.hostIp) ? String(port.hostPort) : socketAddress(port.hostIp, port.hostPort);
}

/** The mappings of a container, those that differ only in the wildcard's family said once: `8080→80`, `127.0.0.1:53→53/udp`. */
export function publishedTexts(ports: readonly PublishedPort[]): string[] {
  const ordered = [...ports].sort((a, b) => a.containerPort - b.containerPort || a.hostPort - b.hostPort);
  return [
    ...new Set(ordered.map(port => `${publishedSide(port)}${glyphs.arrow}${port.containerPort}${suffix(port.proto)}`)),
  ];
}

/** The ports on which a container's own processes listen in the host's netns: `:80`, `:53/udp`. */
export function ownListenerTexts(container: Container): string[] {
  const ports = [...(container.listeners ?? [])].sort((a, b) => a.port - b.port);
  return [...new Set(ports.map(listener => `:${listener.port}${suffix(listener.proto)}`))];
}
