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
