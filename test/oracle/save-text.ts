/** Rules in the words of iptables-save, to be changed and given to iptables-restore. */

type Hooks = Record<string, readonly string[]>;

const builtIn: Hooks = {
  raw: ['PREROUTING', 'OUTPUT'],
  mangle: ['PREROUTING', 'INPUT', 'FORWARD', 'OUTPUT', 'POSTROUTING'],
  nat: ['PREROUTING', 'INPUT', 'OUTPUT', 'POSTROUTING'],
  filter: ['INPUT', 'FORWARD', 'OUTPUT'],
};

interface Table {
  /** Policy of a built-in chain, `-` for others. */
  chains: Map<string, string>;
  rules: string[];
}

/** The tables of one family. */
export class SaveText {
  readonly #tables = new Map<string, Table>();

  constructor(text: string) {
    for (const [name, chains] of Object.entries(builtIn)) {
      this.#tables.set(name, { chains: new Map(chains.map(chain => [chain, 'ACCEPT'])), rules: [] });
    }
    let table: Table | undefined;
    for (const line of text.split('\n')) {
      if (line.startsWith('*')) table = this.#tables.get(line.slice(1));
      const chain = /^:(\S+) (\S+)/.exec(line);
      if (chain) table?.chains.set(chain[1] ?? '', chain[2] ?? '-');
      if (line.startsWith('-A ')) table?.rules.push(line);
    }
  }

  #table(name: string): Table {
    const table = this.#tables.get(name);
    if (!table) throw new Error(`no table ${name}`);
    return table;
  }

  has(table: string, chain: string): boolean {
    return this.#table(table).chains.has(chain);
  }

  policy(table: string, chain: string, policy: 'ACCEPT' | 'DROP'): void {
    this.#table(table).chains.set(chain, policy);
  }

  chain(table: string, chain: string): void {
    const { chains } = this.#table(table);
    if (!chains.has(chain)) chains.set(chain, '-');
  }

  /** In front of all others of the chain. */
  insert(table: string, chain: string, ...rules: string[]): void {
    this.#table(table).rules.unshift(...rules.map(rule => `-A ${chain} ${rule}`));
  }

  append(table: string, chain: string, ...rules: string[]): void {
    this.#table(table).rules.push(...rules.map(rule => `-A ${chain} ${rule}`));
  }

  flush(table: string, chain: string): void {
    const found = this.#table(table);
    found.rules = found.rules.filter(rule => !rule.startsWith(`-A ${chain} `));
  }

  /** Takes away the rules of which the text holds this. */
  drop(table: string, text: string): void {
    const found = this.#table(table);
    found.rules = found.rules.filter(rule => !rule.includes(text));
  }

  toString(): string {
    return [...this.#tables]
      .flatMap(([name, { chains, rules }]) => [
        `*${name}`,
        ...[...chains].map(([chain, policy]) => `:${chain} ${policy} [0:0]`),
        ...rules,
        'COMMIT',
        '',
      ])
      .join('\n');
  }
}
