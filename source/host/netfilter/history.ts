/** Since when a host has had its rules, as far as netdash has looked. */
import type { Host } from '../host.ts';
import type { NetfilterReading, RuleReading } from '../readings.ts';

interface Memory {
  at: number;
  /** When each rule was first seen; undefined for those of the first reading. */
  seen: Map<string, number | undefined>;
}

const memories = new WeakMap<Host, Memory>();

/**
 * Puts on each rule when a reading of this host first had it (`seenAt`), and on the reading when the one before was made.
 * Identical rules of one chain are told apart by their order.
 */
export function rememberRules(host: Host, reading: NetfilterReading): NetfilterReading {
  const before = memories.get(host);
  const now = host.now();
  const seen: Memory['seen'] = new Map();
  const chains = reading.chains.map(chain => {
    const place = `${chain.backend} ${chain.family} ${chain.table} ${chain.name}`;
    const rules = chain.rules.map((rule): RuleReading => {
      let key = `${place} ${identity(rule)}`;
      while (seen.has(key)) key += ' again';
      const seenAt = before && (before.seen.has(key) ? before.seen.get(key) : now);
      seen.set(key, seenAt);
      return seenAt === undefined ? rule : { ...rule, seenAt };
    });
    return { ...chain, rules };
  });
  memories.set(host, { at: now, seen });
  return { ...reading, chains, ...(before && { previousAt: before.at }) };
}

/** A rule's text without counters, which nft prints in the middle of it. */
const identity = (rule: RuleReading): string => rule.text.replaceAll(/counter packets \d+ bytes \d+/g, 'counter');
