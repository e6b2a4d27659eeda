/**
 * Addresses that this host does not have (any more) though something of it is there for them: a socket stays bound to an address
 * that is taken from its interface, and Docker goes on publishing at it. The kernel takes nothing for such an address (its
 * local table lacks it, ip-route(8)), nor do Docker's rules, which ask for `addrtype --dst-type LOCAL` (iptables-extensions(8)).
 */
import type { Listener, Snapshot } from '../schema.ts';
import {
  covers,
  isLinkLocal,
  isLoopback,
  isMulticast,
  isSingle,
  parseAddress,
  prefixLengthOf,
  sameSpan,
  spanText,
  type Span,
} from './address.ts';
import { unsureStop } from './hooks.ts';
import type { Packet } from './packet.ts';
import { stop, type Stop } from './stop.ts';
import type { World } from './world.ts';

type Facts = Pick<Snapshot, 'containers' | 'listeners'>;

const keyOf = ({ from, family }: Span, port: number, proto: string): string => `${family} ${from} ${port} ${proto}`;

/** Tells whether a listener of the host is bound to just this address and port, or Docker publishes a port there. */
export function holdingOf({ containers, listeners }: Facts): (address: Span, port: number, proto: string) => boolean {
  let keys: Set<string> | undefined;
  const make = (): Set<string> => {
    const published = containers.flatMap(({ publishedPorts }) =>
      publishedPorts.map(({ hostIp, hostPort, proto }) => ({ address: hostIp, port: hostPort, proto })),
    );
    return new Set(
      [...published, ...(listeners ?? [])].flatMap(
        ({ address: text, port, proto }: Pick<Listener, 'address' | 'port' | 'proto'>) => {
          const address = parseAddress(text);
          return address ? [keyOf(address, port, proto)] : [];
        },
      ),
    );
  };
  return (address, port, proto) => (keys ??= make()).has(keyOf(address, port, proto));
}

/**
 * Whether an address is a single host's, and none of these interfaces has it. One whose interface is down may be answered all the
 * same (of IPv4 it is, measured on 6.18: its route in the local table stays). @param text such as `192.0.2.7`
 */
export function isLost(text: string, interfaces: Snapshot['interfaces']): boolean {
  const address = parseAddress(text);
  if (!address || isLoopback(address) || isLinkLocal(address) || isMulticast(address)) return false;
  if (['0.0.0.0', '::', '255.255.255.255'].includes(spanText(address))) return false;
  return !interfaces.some(({ addresses }) => addresses.some(own => own.address === spanText(address)));
}

/** Until its detection of duplicates is over (1 to 2 s, RFC 4862), and where that failed, an address of an interface has no local route. */
export const notYetUsed = (name: string, address: Span): Stop =>
  unsureStop(name, `${name} has ${spanText(address)}, but the kernel does not use it (yet)`);

/**
 * Why nobody gets to what is held for the packet's destination; undefined where the host has that address, or holds nothing for it.
 * @param by the host's interface by which it would send such a packet on, where it has a route for it
 */
export function lostAddress(packet: Packet, by: string | undefined, world: World): Stop | undefined {
  const { destination, direction, port, proto } = packet;
  if (direction === 'reply' || !isSingle(destination) || !world.isHeld(destination, port[0], proto)) return undefined;
  if (world.fib.localType(destination) !== undefined) return undefined;
  if (world.routesGap !== undefined) return unsureStop('route', world.routesGap);
  const text = spanText(destination);
  const lacking = `this host does not have the address ${text}`;
  const names = [...world.links.keys()];
  const own = (name: string) => world.addresses(name, destination.family);
  const bearers = names.filter(name => own(name).some(({ address }) => sameSpan(address, destination)));
  const [bearer] = bearers;
  const isDown = bearers.every(name => world.links.get(name)?.up === false);
  if (bearer !== undefined) {
    if (!isDown) return notYetUsed(bearer, destination);
    return stop('blocked', bearer, 'route', `${lacking} while the interface is off: ${bearer} is down`);
  }
  const isOnLink = (name: string) => own(name).some(({ subnet }) => !isSingle(subnet) && covers(subnet, destination));
  const device = names.find(isOnLink) ?? by;
  const near = device === undefined ? [] : own(device).filter(({ subnet }) => covers(subnet, destination));
  const length =
    Math.max(...near.map(({ subnet }) => prefixLengthOf(subnet)), 0) || (destination.family === 4 ? 32 : 128);
  return stop('blocked', 'route', 'route', lacking, {
    lacks: { address: `${text}/${length}`, ...(device !== undefined && { interface: device }) },
  });
}
