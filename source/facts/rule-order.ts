/** In which order the kernel comes to rules. */
import type { ChainReading, Hook, RuleReading } from '../host/readings.ts';

/** A rule, or the policy of its chain, in its place. */
export interface PlacedRule {
  chain: ChainReading;
  /** Absent: this is the chain's policy, which decides after all its rules. */
  rule?: RuleReading;
}

/** The hooks in the order in which a packet that is routed passes them (nf_tables wiki, "Netfilter hooks"). */
const hookOrder: Hook[] = ['ingress', 'prerouting', 'input', 'forward', 'output', 'postrouting', 'egress'];
const familyOrder = ['netdev', 'bridge', 'arp', 'ip', 'ip6', 'inet'];

const compareText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** Base chains as packets meet them: by hook, then priority; what runs at the same place, by family and name. */
function compareBases(a: ChainReading, b: ChainReading): number {
  return (
    hookOrder.indexOf(a.hook ?? 'egress') - hookOrder.indexOf(b.hook ?? 'egress') ||
    (a.priority ?? 0) - (b.priority ?? 0) ||
    familyOrder.indexOf(a.family) - familyOrder.indexOf(b.family) ||
    compareText(a.backend, b.backend) ||
    compareText(a.table, b.table) ||
    compareText(a.name, b.name)
  );
}

const nowhere: readonly string[] = [];

/** The names of the chains of its own table that a rule may go to, each once, in order. */
export function chainsAfter({ target }: RuleReading): readonly string[] {
  if (target.kind === 'jump' || target.kind === 'goto') return [target.chain];
  if (target.kind !== 'vmap') return nowhere;
  return [...new Set(target.entries.flatMap(entry => (entry.chain === undefined ? [] : [entry.chain])))];
}

/** Chains by table and name: a chain can only go to chains of its own table, of the same backend. */
export class ChainIndex {
  private readonly chains = new Map<string, ChainReading>();

  constructor(chains: readonly ChainReading[]) {
    for (const chain of chains) this.chains.set(ChainIndex.key(chain, chain.name), chain);
  }

  private static key(chain: ChainReading, name: string): string {
    return `${chain.backend} ${chain.family} ${chain.table} ${name}`;
  }

  /** The chain of that name in the table of `from`. */
  find(from: ChainReading, name: string): ChainReading | undefined {
    return this.chains.get(ChainIndex.key(from, name));
  }
}

/**
 * All rules in evaluation order: base chains by hook and priority, each chain that is jumped to right after the first rule
 * that leads to it, the policy after a base chain's last rule, and chains that nothing leads to at the end.
 */
export function evaluationOrder(chains: readonly ChainReading[]): PlacedRule[] {
  const index = new ChainIndex(chains);
  const placed: PlacedRule[] = [];
  const done = new Set<ChainReading>();
  const place = (chain: ChainReading): void => {
    if (done.has(chain)) return;
    done.add(chain);
    for (const rule of chain.rules) {
      placed.push({ chain, rule });
      for (const name of chainsAfter(rule)) {
        const next = index.find(chain, name);
        if (next) place(next);
      }
    }
    if (chain.hook !== undefined && chain.policy !== undefined) placed.push({ chain });
  };
  chains
    .filter(chain => chain.hook !== undefined)
    .sort(compareBases)
    .forEach(place);
  chains.forEach(place);
  return placed;
}

/** The hooks from which each chain is reached; a chain that nothing leads to has none. */
export function hooksByChain(chains: readonly ChainReading[]): Map<ChainReading, ReadonlySet<Hook>> {
  const index = new ChainIndex(chains);
  const found = new Map<ChainReading, Set<Hook>>(chains.map(chain => [chain, new Set()]));
  const reach = (chain: ChainReading, hook: Hook): void => {
    const hooks = found.get(chain);
    if (!hooks || hooks.has(hook)) return;
    hooks.add(hook);
    for (const rule of chain.rules) {
      for (const name of chainsAfter(rule)) {
        const next = index.find(chain, name);
        if (next) reach(next, hook);
      }
    }
  };
  for (const chain of chains) if (chain.hook !== undefined) reach(chain, chain.hook);
  return found;
}
