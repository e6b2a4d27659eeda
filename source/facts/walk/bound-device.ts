/** Who gets to a socket that is bound to an interface of the host (SO_BINDTODEVICE, socket(7)). */
import type { Interface } from '../schema.ts';
import { boundAddress, isLoopback, parseAddress } from './address.ts';

/**
 * Whether the host itself gets to a socket that is bound to an interface: what it sends to an address of its own counts as come by
 * the interface that has that address (inet_iif in include/net/route.h), so that at the address of another one it is refused.
 * @param bound the address that the socket is bound to
 * @param device the interface, with its addresses
 */
export function hostMeets(bound: string, { name, addresses }: Pick<Interface, 'name' | 'addresses'>): boolean {
  const text = boundAddress(bound);
  const address = parseAddress(text);
  if (address && isLoopback(address)) return name === 'lo';
  return text === '0.0.0.0' || text === '::' || addresses.some(own => own.address === text);
}
