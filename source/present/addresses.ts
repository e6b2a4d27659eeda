/** Addresses and ports in the forms that the tables show and sort by. */
import ipaddr from 'ipaddr.js';

/** `address:port`, with brackets round IPv6. */
export function socketAddress(address: string, port: number | string): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

/** Whether it is the address of every interface, in either family, or that of IPv4 mapped into IPv6; '' is Docker's way to say so. */
export function isWildcard(address: string): boolean {
  return address === '' || address === '::' || /^(::ffff:)?0\.0\.0\.0$/i.test(address);
}

/** The family in which an address is met: one of IPv4 that is mapped into IPv6 is met as itself (ipv6(7)). */
export function familyOf(address: string): 4 | 6 {
  return address.includes(':') && !/^::ffff:\d+\./i.test(address) ? 6 : 4;
}

/** Whether only the host itself can reach it (127.0.0.0/8, ::1, and the former mapped into IPv6). */
export function isLoopback(address: string): boolean {
  return /^(::ffff:)?127\./i.test(address) || address === '::1';
}

/** Text by which addresses and CIDR sort in numeric order, IPv4 before IPv6; anything else sorts behind, as text. */
export function addressKey(address: string): string {
  const [bare = '', prefix = ''] = address.split('/');
  if (!ipaddr.isValid(bare)) return `9${address}`;
  const hex = ipaddr
    .parse(bare)
    .toByteArray()
    .map(byte => byte.toString(16).padStart(2, '0'))
    .join('');
  return `${hex.length === 8 ? 4 : 6}${hex}/${prefix.padStart(3, '0')}`;
}
