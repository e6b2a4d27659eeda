/** Names of IP protocols: iptables, nft and /etc/protocols each have their own for some. */

const byNumber: Record<string, string> = {
  1: 'icmp',
  2: 'igmp',
  4: 'ipencap',
  6: 'tcp',
  17: 'udp',
  33: 'dccp',
  41: 'ipv6',
  47: 'gre',
  50: 'esp',
  51: 'ah',
  58: 'ipv6-icmp',
  89: 'ospf',
  112: 'vrrp',
  132: 'sctp',
  136: 'udplite',
};

const aliases: Record<string, string> = { icmpv6: 'ipv6-icmp', icmp6: 'ipv6-icmp', ipip: 'ipencap', ospfigp: 'ospf' };

/** The one name netdash uses for a protocol given as a name or a number in either tool's way; lower case. */
export function protocolName(text: string): string {
  const name = text.toLowerCase();
  return byNumber[name] ?? aliases[name] ?? name;
}

/** As nft names them (nft(8), icmp_type and icmpv6_type). */
const icmpTypes: Record<4 | 6, Record<string, number>> = {
  4: {
    'echo-reply': 0,
    'destination-unreachable': 3,
    'source-quench': 4,
    redirect: 5,
    'echo-request': 8,
    'router-advertisement': 9,
    'router-solicitation': 10,
    'time-exceeded': 11,
    'parameter-problem': 12,
    'timestamp-request': 13,
    'timestamp-reply': 14,
    'info-request': 15,
    'info-reply': 16,
    'address-mask-request': 17,
    'address-mask-reply': 18,
  },
  6: {
    'destination-unreachable': 1,
    'packet-too-big': 2,
    'time-exceeded': 3,
    'parameter-problem': 4,
    'echo-request': 128,
    'echo-reply': 129,
    'mld-listener-query': 130,
    'mld-listener-report': 131,
    'mld-listener-done': 132,
    'mld-listener-reduction': 132,
    'nd-router-solicit': 133,
    'nd-router-advert': 134,
    'nd-neighbor-solicit': 135,
    'nd-neighbor-advert': 136,
    'nd-redirect': 137,
    'router-renumbering': 138,
    'ind-neighbor-solicit': 141,
    'ind-neighbor-advert': 142,
    'mld2-listener-report': 143,
  },
};

/** The number of an ICMP (4) or ICMPv6 (6) type by nft's name; undefined for names that are not known. */
export const icmpTypeNumber = (family: 4 | 6, name: string): number | undefined =>
  Object.hasOwn(icmpTypes[family], name) ? icmpTypes[family][name] : undefined;
