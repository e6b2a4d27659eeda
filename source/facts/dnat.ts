/** Where the rules lead that Docker writes for published ports. */
import type { NetfilterReading, RuleMatch } from '../host/readings.ts';
import { claimKey } from './owners.ts';

/** The address and port that a destination is rewritten to. */
export interface DnatTarget {
  address: string;
  port: number;
}

const single = <T>(list: readonly T[] | undefined): T | undefined => (list?.length === 1 ? list[0] : undefined);

/** What a rule asks of a packet, as far as it counts here; undefined when it asks for several of something. */
function claimOf(matches: readonly RuleMatch[], wildcard: string): string | undefined {
  let proto: string | undefined;
  let port: number | undefined;
  let address: string | undefined = wildcard;
  for (const match of matches) {
    if (match.kind === 'proto' && !match.negate) proto = single(match.protos);
    if (match.kind === 'dport' && !match.negate) {
      const [from, to] = single(match.ports) ?? [];
      port = from === to ? from : undefined;
    }
    if (match.kind === 'daddr')
      address = match.negate ? undefined : single(match.addresses)?.replace(/\/(?:32|128)$/, '');
  }
  if (proto !== 'tcp' && proto !== 'udp' && proto !== 'sctp') return undefined;
  if (port === undefined || address === undefined || address.includes('/')) return undefined;
  return claimKey(proto, address, port);
}

/**
 * The DNAT rules of Docker's chains (nat `DOCKER`; `nat-prerouting-and-output` of its nftables tables) that name one port,
 * by `claimKey` of the host side: the address of the rule, or the family's wildcard where it names none.
 */
export function dnatTargets(netfilter: NetfilterReading | undefined): Map<string, DnatTarget> {
  const targets = new Map<string, DnatTarget>();
  for (const chain of netfilter?.chains ?? []) {
    const isDockers = chain.table === 'nat' ? chain.name === 'DOCKER' : chain.table === 'docker-bridges';
    if (!isDockers) continue;
    for (const { target, matches } of chain.rules) {
      if (target.kind !== 'dnat' || target.address === undefined) continue;
      const key = claimOf(matches, chain.family === 'ip6' ? '::' : '0.0.0.0');
      const port = target.port?.[0] ?? Number(key?.split(' ')[2]);
      if (key === undefined) continue;
      // The first rule that matches wins.
      if (!targets.has(key)) targets.set(key, { address: target.address, port });
    }
  }
  return targets;
}
