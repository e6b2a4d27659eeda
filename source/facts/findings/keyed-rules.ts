/** Rules by what they ask for, so that those of one container are found among thousands. */
import type { RuleReading } from '../../host/readings.ts';

/**
 * What a rule asks for that only one container has: its address, else a port; undefined: it may be anybody's.
 * @param isContainers tells addresses that can only be a container's
 */
export function keyOf({ matches }: RuleReading, isContainers: (address: string) => boolean): string | undefined {
  let port: string | undefined;
  for (const match of matches) {
    if ((match.kind === 'daddr' || match.kind === 'saddr') && !match.negate && match.addresses.length === 1) {
      const address = (match.addresses[0] ?? '').replace(/\/(32|128)$/, '');
      if (isContainers(address)) return address;
    }
    if ((match.kind === 'dport' || match.kind === 'ctorigdport') && !match.negate) {
      const [range, more] = match.ports;
      if (range && !more && range[0] === range[1]) port = String(range[0]);
    }
  }
  return port;
}

/** The addresses and ports that a rule translates to, which rules ask for from then on. */
function leadsOf({ target, effects = [] }: RuleReading): string[] {
  return [target, ...effects].flatMap(each => {
    if (each.kind !== 'dnat' && each.kind !== 'redirect') return [];
    const address = each.kind === 'dnat' ? each.address : undefined;
    return [...(address === undefined ? [] : [address]), ...(each.port ? [String(each.port[0])] : [])];
  });
}

/** Rules by the one container's address, or the one port, that they ask for. */
export class KeyedRules {
  readonly #rules = new Map<string, { order: number; text: string }[]>();
  readonly #leads = new Map<string, string[]>();
  readonly #all: string[] = [];
  #count = 0;

  /** To be called in the order of the rules. @param text all that tells what the rule does and where it stands among the common ones */
  add(key: string, text: string, rule: RuleReading): void {
    this.#count += 1;
    this.#all.push(text);
    const list = this.#rules.get(key);
    const item = { order: this.#count, text };
    if (list) list.push(item);
    else this.#rules.set(key, [item]);
    const leadsTo = leadsOf(rule);
    if (leadsTo.length > 0) this.#leads.set(key, [...(this.#leads.get(key) ?? []), ...leadsTo]);
  }

  /** All of them. */
  whole(): string {
    return this.#all.join('\n');
  }

  /** Whether any rule asks for it. */
  has(key: string): boolean {
    return this.#rules.has(key);
  }

  /** Those of several keys, and of the addresses and ports that they translate to, in the order in which they stand. */
  textOf(keys: ReadonlySet<string>): string {
    const all = new Set(keys);
    for (const key of keys) for (const other of this.#leads.get(key) ?? []) all.add(other);
    const found = [...all].flatMap(key => this.#rules.get(key) ?? []);
    return found
      .toSorted((a, b) => a.order - b.order)
      .map(({ text }) => text)
      .join('\n');
  }
}
