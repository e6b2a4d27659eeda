/** A claim is a hold on, or a wish for, a local address and port of one netns: what bind() compares. */
import ipaddr from 'ipaddr.js';
import type { Proto, SocketReading } from '../host/readings.ts';

/** One socket's hold on a port, or the one that somebody wants to make. What is absent has the default of a fresh socket. */
export interface Claim {
  proto: Proto;
  /** Canonical text; `0.0.0.0` and `::` are wildcards. */
  address: string;
  port: number;
  /** IPV6_V6ONLY of a `::` claim; absent when it is not known, and without meaning for other addresses. */
  v6only?: boolean;
  /** False for a TCP socket that holds its port without listening (an outgoing connection, TIME-WAIT). */
  listening?: boolean;
  /** SO_REUSEADDR */
  reuseAddr?: boolean;
  /** SO_REUSEPORT */
  reusePort?: boolean;
  /** Effective uid of its maker: SO_REUSEPORT only works among sockets of one user (socket(7)). */
  uid?: number;
  /** The interface it is bound to (SO_BINDTODEVICE, or the zone of a link-local address). */
  device?: string;
}

/**
 * What a claim's address takes. A v4-mapped IPv6 address (`::ffff:a.b.c.d`) is its IPv4 address; `::` is every IPv6 address and,
 * without IPV6_V6ONLY, every IPv4 address too (ipv6(7)); `0.0.0.0` and a v6-only `::` are the wildcard of their family,
 * given as that address.
 */
export function reachOf(claim: Claim): { v4: string | undefined; v6: string | undefined; v4Unknown: boolean } {
  const parsed = ipaddr.parse(claim.address);
  if (parsed instanceof ipaddr.IPv4) return { v4: parsed.toString(), v6: undefined, v4Unknown: false };
  if (parsed.isIPv4MappedAddress()) return { v4: parsed.toIPv4Address().toString(), v6: undefined, v4Unknown: false };
  const v6 = parsed.toString();
  if (v6 !== '::') return { v4: undefined, v6, v4Unknown: false };
  if (claim.v6only === undefined) return { v4: undefined, v6, v4Unknown: true };
  return { v4: claim.v6only ? undefined : '0.0.0.0', v6, v4Unknown: false };
}

/** The claim that a socket of a netns holds. TCP sockets in another state than LISTEN, and UDP ones that are connected, hold their port too. */
export function claimOfSocket(socket: SocketReading): Claim {
  return {
    proto: socket.proto,
    address: socket.address,
    port: socket.port,
    ...(socket.v6only === undefined ? {} : { v6only: socket.v6only }),
    ...(socket.proto === 'tcp' && socket.state !== 'LISTEN' ? { listening: false } : {}),
    ...(socket.device === undefined ? {} : { device: socket.device }),
    uid: socket.uid,
  };
}

/** `0.0.0.0:80/tcp`, `[::]:53/udp`. */
export function claimText(claim: Pick<Claim, 'proto' | 'address' | 'port'>): string {
  return `${claim.address.includes(':') ? `[${claim.address}]` : claim.address}:${claim.port}/${claim.proto}`;
}
