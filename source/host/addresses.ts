/** IP addresses in the one text form that readings use. */
import ipaddr from 'ipaddr.js';

/**
 * The address in canonical text: IPv6 compressed and in lower case (RFC 5952), v4-mapped as `::ffff:a.b.c.d`, without a
 * zone (`%eth0`). undefined when it is no address; IPv4 must be four decimal parts.
 */
export function canonicalAddress(address: string): string | undefined {
  const bare = address.split('%')[0]!;
  if (!bare.includes(':'))
    return ipaddr.IPv4.isValidFourPartDecimal(bare) ? ipaddr.IPv4.parse(bare).toString() : undefined;
  if (!ipaddr.IPv6.isValid(bare)) return undefined;
  const parsed = ipaddr.IPv6.parse(bare);
  return parsed.isIPv4MappedAddress() ? `::ffff:${parsed.toIPv4Address().toString()}` : parsed.toRFC5952String();
}
