/** What the kernel checks of a packet besides its rules: martians, rp_filter, forwarding; and what IPVS takes. */
import { interfaceSetting } from '../sysctl.ts';
import { isLoopback, parseAddress, placeText, sameSpan, spanText, type Family } from './address.ts';
import type { Chooser } from './chooser.ts';
import { unsureStop } from './hooks.ts';
import type { Packet } from './packet.ts';
import { stop, type Stop } from './stop.ts';
import type { World } from './world.ts';

/** IPVS takes packets for its services on INPUT and leads them where its scheduler says, which is not followed. */
export function balanced(world: World, { destination, direction, mark, port, proto }: Packet): Stop | undefined {
  const taken = world.kernel.ipvs?.some(service => {
    if (direction === 'reply') return false;
    if (service.kind === 'mark') return mark !== 0;
    const own = parseAddress(service.address);
    // Port 0 is a service on all ports.
    const isPort = service.port === 0 || service.port === port[0];
    return service.proto === proto && isPort && own !== undefined && sameSpan(own, destination);
  });
  return taken === true
    ? unsureStop('IPVS', `IPVS has a service on ${placeText(destination, port[0])}, which is not followed`)
    : undefined;
}

/** Martians, and rp_filter for IPv4 (Documentation/networking/ip-sysctl.rst, fib_validate_source). */
export function validate(packet: Packet, iif: string, world: World, chooser: Chooser): Stop | undefined {
  const { source, destination, family } = packet;
  if (family === 6) return undefined;
  const { interfaces, rpFilterAll, routeLocalnetAll } = world.kernel;
  const settings = interfaces[iif];
  const takesLoopback = settings?.routeLocalnet === true || routeLocalnetAll === true;
  if ((isLoopback(source) || isLoopback(destination)) && !takesLoopback) {
    const detail = `${interfaceSetting(iif, 'route_localnet')} is 0: 127.0.0.0/8 is not taken from ${iif}`;
    return stop(isLoopback(destination) ? 'local-only' : 'blocked', iif, 'sysctl', detail);
  }
  if (!isLoopback(source) && world.fib.localType(source) === 'local') {
    return stop(
      'blocked',
      iif,
      'route',
      `${spanText(source)} is an address of the host itself and is not taken from ${iif}`,
    );
  }
  // The kernel looks for the way back as if it had to send there itself (__fib_validate_source).
  const answer = world.fib.lookup({ destination: source, source: destination, mark: 0 });
  if (answer.kind === 'unknown') return unsureStop('route', answer.reason);
  const way = answer.kind === 'route' ? answer.route.reading.device : undefined;
  if (way === iif) return undefined;
  const own = settings?.rpFilter;
  const filter = own === undefined ? undefined : Math.max(own, rpFilterAll ?? 0);
  const detail = `${interfaceSetting(iif, 'rp_filter')} is ${filter ?? 'not known'}, and ${spanText(source)} is reached ${way === undefined ? 'by no route' : `by ${way}`}`;
  if (filter === 0 || (filter === 2 && way !== undefined)) return undefined;
  if (filter === undefined && chooser.choose(2, () => ({ kind: 'sysctl', detail })) === 0) return undefined;
  return stop('blocked', iif, 'sysctl', detail);
}

/** Whether the host forwards what comes by an interface: IPv4 asks the interface, IPv6 the one switch for all. */
export function forwarding(family: Family, iif: string, world: World, chooser: Chooser): Stop | undefined {
  const { interfaces, ipForward, ipv6Forward } = world.kernel;
  const on = family === 4 ? (interfaces[iif]?.forwarding4 ?? (ipForward === false ? false : undefined)) : ipv6Forward;
  if (on === true) return undefined;
  const name = family === 4 ? interfaceSetting(iif, 'forwarding') : 'net.ipv6.conf.all.forwarding';
  const detail = on === false ? `${name} is 0: the host forwards nothing that comes by ${iif}` : `${name} is not known`;
  if (on === undefined && chooser.choose(2, () => ({ kind: 'sysctl', detail })) === 0) return undefined;
  return stop('blocked', 'forwarding', 'sysctl', detail);
}
