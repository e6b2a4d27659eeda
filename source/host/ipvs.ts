/** The services of the kernel's load balancer, from /proc/net/ip_vs (net/netfilter/ipvs/ip_vs_ctl.c). */
import type { IpvsService } from './readings.ts';
import { canonicalAddress } from './netfilter/addresses.ts';

/** Where the kernel lists them; not there when ip_vs is not loaded. */
export const ipvsFile = '/proc/net/ip_vs';

/** `0A4D0064` is 10.77.0.100; IPv6 stands in brackets. */
function addressOf(text: string): string | undefined {
  const bytes = /^[0-9A-F]{8}$/.test(text) ? text.match(/../g) : null;
  return canonicalAddress(
    bytes ? bytes.map(byte => Number.parseInt(byte, 16)).join('.') : text.replace(/^\[|\]$/g, ''),
  );
}

/** The services; lines of their real servers, which begin with an arrow, and what is not understood are passed over. */
export function parseIpvs(text: string): IpvsService[] {
  return text.split('\n').flatMap((line): IpvsService[] => {
    if (/^FWM {2}/.test(line)) return [{ kind: 'mark' }];
    const found = /^(TCP|UDP|SCTP)\s+(\[?[0-9A-Fa-f:]+?\]?):([0-9A-F]{4})\s/.exec(line);
    const [, proto = '', place = '', port = ''] = found ?? [];
    const address = addressOf(place);
    if (address === undefined) return [];
    return [
      { kind: 'port', proto: proto.toLowerCase() as 'tcp' | 'udp' | 'sctp', address, port: Number.parseInt(port, 16) },
    ];
  });
}
