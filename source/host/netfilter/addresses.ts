/** Addresses as rules write them, in one canonical form. */
import { isIPv4, isIPv6 } from 'node:net';
import ipaddr from 'ipaddr.js';

/** The canonical text of an address (IPv6 compressed, lower case), or undefined when it is none. */
export function canonicalAddress(text: string): string | undefined {
  if (isIPv4(text)) return text;
  return isIPv6(text) ? ipaddr.IPv6.parse(text).toString() : undefined;
}

/** How many leading ones a netmask has, or undefined when they are not all in front (`255.0.255.0`). */
function maskLength(mask: string): number | undefined {
  if (!isIPv4(mask) && !isIPv6(mask)) return undefined;
  return ipaddr.parse(mask).prefixLengthFromSubnetMask() ?? undefined;
}

/**
 * The canonical CIDR of `address`, `address/length` or `address/netmask`; a single address gets /32 or /128.
 * undefined for anything else, a netmask with holes included: such a match has no CIDR.
 */
export function canonicalCidr(text: string): string | undefined {
  const slash = text.indexOf('/');
  const address = canonicalAddress(slash < 0 ? text : text.slice(0, slash));
  if (address === undefined) return undefined;
  const bits = address.includes(':') ? 128 : 32;
  if (slash < 0) return `${address}/${bits}`;
  const mask = text.slice(slash + 1);
  const length = /^\d{1,3}$/.test(mask) ? Number(mask) : maskLength(mask);
  return length === undefined || length > bits ? undefined : `${address}/${length}`;
}

/** The canonical form of `from-to`; undefined when either end is no address. */
export function canonicalAddressRange(text: string): string | undefined {
  const [from, to, more] = text.split('-');
  const first = from === undefined ? undefined : canonicalAddress(from);
  const last = to === undefined ? undefined : canonicalAddress(to);
  return first === undefined || last === undefined || more !== undefined ? undefined : `${first}-${last}`;
}
