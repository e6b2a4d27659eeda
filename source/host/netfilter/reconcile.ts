/**
 * Joins what iptables-save and nft say of the same rules. Tables of iptables-nft live in nftables, so both print them, and
 * each loses something: nft prints xtables matches without their arguments, and iptables-save silently drops what it does
 * not know of rules that nft put into its tables (`ip saddr { a, b } accept` becomes `-A FORWARD -j ACCEPT`; measured with
 * iptables 1.8.9, 1.8.11 and 1.8.13).
 */
import type { ChainReading, RuleMatch, RuleReading } from '../readings.ts';
import { meaningOf, withHandle } from './memo.ts';
import type { Ruleset } from './nft.ts';

const chainKey = (chain: ChainReading): string => `${chain.family} ${chain.table} ${chain.name}`;

const matchKey = (match: RuleMatch): string => (match.kind === 'unknown' ? 'unknown' : JSON.stringify(sorted(match)));

/** What a rule means, whatever the order of its matches; what is not evaluated counts but is not compared. */
function meaningKey(rule: RuleReading): string {
  // NFLOG is a statement of its own to iptables and a kind of log to nft.
  const passes = rule.target.kind === 'log' || rule.target.kind === 'continue';
  const target = passes ? 'log' : rule.target.kind === 'unknown' ? 'unknown' : JSON.stringify(rule.target);
  return `${rule.matches.map(matchKey).sort().join(' ')} ${target} ${rule.effects?.length ?? 0}`;
}

/** The same match with lists and keys in order, and prefixes of names in one way (`eth+` is nft's `eth*`). */
const sorted = (match: RuleMatch): [string, unknown][] =>
  Object.entries(match)
    .map(([key, value]): [string, unknown] => [
      key,
      Array.isArray(value) ? value.map(item => String(item).replace(/\*$/, '+')).sort() : value,
    ])
    .sort(([a], [b]) => (a < b ? -1 : 1));

/** A chain that no packet comes to by itself. */
function unhooked({ backend, family, table, name, rules }: ChainReading): ChainReading {
  return { backend, family, table, name, rules };
}

/** The chains of both, each once, and the chains on which the two disagree. */
export interface Joined {
  chains: ChainReading[];
  /** `family table chain` of chains with another number of rules in one than in the other: they changed in between. */
  unequal: string[];
  /** How many of the chains' rules are xtables rules that only nft gave, so that their arguments are unknown. */
  halfRead: number;
}

/**
 * Takes each chain from the tool that reads it right. A chain that iptables-save printed keeps its rules, but a rule
 * without xtables parts that nft reads otherwise is nft's; every other chain is nft's.
 * @param saved chains of `iptables-save` and its relatives, of any backend
 * @param ruleset of nft; undefined when nft gave nothing, and then `saved` stays as it is
 */
export function joinTools(saved: readonly ChainReading[], ruleset: Ruleset | undefined): Joined {
  if (!ruleset) return { chains: [...saved], unequal: [], halfRead: 0 };
  const rest = new Map(ruleset.chains.map(chain => [chainKey(chain), chain]));
  const unequal: string[] = [];
  const chains = saved.map((chain): ChainReading => {
    const native = chain.backend === 'iptables-nft' ? rest.get(chainKey(chain)) : undefined;
    if (!native) return chain;
    rest.delete(chainKey(chain));
    if (native.rules.length !== chain.rules.length) {
      unequal.push(chainKey(chain));
      return chain;
    }
    const rules = chain.rules.map((rule, index) => {
      const other = native.rules[index];
      if (!other) return rule;
      if (!ruleset.xtRules.has(other) && meaningOf(other, meaningKey) !== meaningOf(rule, meaningKey)) return other;
      return other.handle === undefined ? rule : withHandle(rule, other.handle);
    });
    // A built-in chain is only off its hook when nft has made its table dormant.
    return native.hook === undefined ? { ...unhooked(chain), rules } : { ...chain, rules };
  });
  const left = [...rest.values()];
  const halfRead = left.flatMap(chain => chain.rules).filter(rule => ruleset.xtRules.has(rule)).length;
  return { chains: [...chains, ...left], unequal, halfRead };
}
