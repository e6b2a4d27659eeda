/** What independent tools show of a netns, brought into one form with what the readers say. */
import type { InsideReading, SocketReading } from '../../source/host/readings.ts';

/** A socket as `ss -tuln` writes its address. */
export function asSs({ proto, family, address, port, v6only, device }: SocketReading): string {
  const zone = device ? `%${device}` : '';
  const text = family === 4 ? address : address === '::' && v6only === false ? '*' : `[${address}]`;
  return `${proto} ${text}${zone}:${port}`;
}

/** The protocol and local address of a line of `ss -H -tuln`. */
export function ssKey(line: string): string {
  const fields = line.split(/\s+/);
  return `${fields[0]} ${fields[4]}`;
}

/** An element of what `ip -j -d addr` prints, as far as it is compared. */
export interface IpLink {
  ifindex: number;
  ifname: string;
  link?: string;
  link_index?: number;
  link_type: string;
  address: string;
  addr_info: { local: string; prefixlen: number; scope: string }[];
}

const text = (address: string, length: number, scope: string) => `${address}/${length} ${scope}`;

/** What `ip` shows, in a form to compare. */
export function fromIp(links: IpLink[]): unknown {
  const index = new Map(links.map(({ ifname, ifindex }) => [ifname, ifindex]));
  return links.map(link => ({
    name: link.ifname,
    ifindex: link.ifindex,
    iflink: link.link_index ?? (link.link === undefined ? link.ifindex : index.get(link.link)),
    mac: link.link_type === 'ether' ? link.address : undefined,
    peerInside: link.link !== undefined ? true : link.link_index !== undefined ? false : undefined,
    addresses: link.addr_info.map(({ local, prefixlen, scope }) => text(local, prefixlen, scope)).sort(),
  }));
}

/** What a reading has, in the same form. */
export function interfaces({ interfaces: list }: InsideReading): unknown {
  return list
    ?.map(({ name, ifindex, iflink, mac, peerInside, addresses }) => ({
      name,
      ifindex,
      iflink,
      mac,
      peerInside,
      addresses: addresses.map(({ address, prefixLength, scope }) => text(address, prefixLength, scope)).sort(),
    }))
    .sort((a, b) => a.ifindex - b.ifindex);
}
