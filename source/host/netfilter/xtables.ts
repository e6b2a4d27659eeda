/** Parses what iptables-save and ip6tables-save print, with `-c`, in the nft and in the legacy flavour. */
import type { ChainReading, Hook, NetfilterBackend, RuleMatch, RuleReading, RuleTarget } from '../readings.ts';
import { Memo, namesOf, placed, type SavedRule } from './memo.ts';
import { ruleLines, tokenize, type Token } from './tokens.ts';
import { matchOption } from './xtables-matches.ts';
import { parseTarget } from './xtables-targets.ts';

/** What one run of a saver said. */
export interface SaveOutput {
  /** Which kernel interface it reads; undefined when it printed no header, as it does when there are no tables. */
  flavour?: 'nft' | 'legacy';
  /** Chains of the tables that were printed to their COMMIT. */
  chains: ChainReading[];
  /** Names of those tables. */
  tables: string[];
  /** Tables that it began and did not end. */
  unfinished: string[];
  /** Tables that it refuses to print since nft put rules into them that iptables cannot express. */
  incompatible: string[];
  /** It warns that legacy tables exist besides. */
  legacyPresent: boolean;
  /** Lines that netdash does not understand. */
  strange: string[];
}

/** The hooks and priorities at which the kernel runs each table's built-in chains (linux/netfilter_ipv4.h, iptables(8)). */
const priorities: Record<string, number | Partial<Record<Hook, number>>> = {
  raw: -300,
  mangle: -150,
  nat: { prerouting: -100, input: 100, output: -100, postrouting: 100 },
  filter: 0,
  security: 50,
};

const builtInHooks: Record<string, Hook> = {
  PREROUTING: 'prerouting',
  INPUT: 'input',
  FORWARD: 'forward',
  OUTPUT: 'output',
  POSTROUTING: 'postrouting',
};

function hookOf(table: string, chain: string): Pick<ChainReading, 'hook' | 'priority' | 'type'> {
  const hook = builtInHooks[chain];
  const found = priorities[table];
  const priority = typeof found === 'number' ? found : hook && found?.[hook];
  if (hook === undefined || priority === undefined) return {};
  const type = table === 'nat' ? 'nat' : table === 'mangle' && hook === 'output' ? 'route' : 'filter';
  return { hook, priority, type };
}

/** Match modules that only say which protocol's options follow: without options they ask nothing. */
const protocolModules = new Set(['tcp', 'udp', 'sctp', 'dccp', 'udplite', 'icmp', 'icmp6', 'ipv6-icmp']);

/** Match modules that ask for an extension header of IPv6, or for IPsec: without it they do not match, whatever they ask. */
const headerModules = new Set(['rt', 'frag', 'hbh', 'dst', 'ah', 'esp', 'mh']);

const notEvaluated = (module: string, text: string): RuleMatch =>
  headerModules.has(module) ? { kind: 'never', negate: false, text } : { kind: 'unknown', text };

const startsPart = (token: Token | undefined): boolean =>
  token === undefined || (!token.quoted && /^-[mjg]$/.test(token.text));

const shown = (token: Token): string =>
  token.quoted ? `"${token.text.replaceAll(/["\\]/g, character => `\\${character}`)}"` : token.text;

/** Reads the words after `-A CHAIN`. */
class RuleParser {
  readonly matches: RuleMatch[] = [];
  readonly comments: string[] = [];
  target: RuleTarget = { kind: 'none' };
  private at = 0;
  private readonly tokens: readonly Token[];
  private readonly isChain: (name: string) => boolean;

  constructor(tokens: readonly Token[], isChain: (name: string) => boolean) {
    this.tokens = tokens;
    this.isChain = isChain;
    this.options('');
    while (this.at < tokens.length) {
      const word = this.tokens[this.at]?.text;
      const name = this.tokens[this.at + 1]?.text ?? '';
      this.at += 2;
      if (word === '-m') this.module(name);
      else this.finish(word === '-g' ? '-g' : '-j', name);
    }
  }

  private finish(verb: '-j' | '-g', name: string): void {
    const options = this.tokens.slice(this.at).map(token => token.text);
    this.target = parseTarget(verb, name, options, this.isChain);
    this.at = this.tokens.length;
  }

  private module(name: string): void {
    const start = this.at;
    const first = this.matches.length;
    this.options(name);
    if (name === 'addrtype') this.limitTypes(first);
    if (this.at > start || protocolModules.has(name)) return;
    this.matches.push(notEvaluated(name, `-m ${name}`));
  }

  /** `--limit-iface-in` and its like say of the types before or after them whose addresses count. */
  private limitTypes(first: number): void {
    const own = this.matches.splice(first);
    const limits = own.flatMap(
      match => /--limit-iface-(in|out)$/.exec(match.kind === 'unknown' ? match.text : '') ?? [],
    );
    const on = limits[1] === 'in' ? 'iif' : limits[1] === 'out' ? 'oif' : undefined;
    const isPlain = on !== undefined && limits.length === 2;
    for (const match of own) {
      if (isPlain && (match.kind === 'dsttype' || match.kind === 'srctype')) this.matches.push({ ...match, on });
      else if (!isPlain || match.kind !== 'unknown') this.matches.push(match);
    }
  }

  /** Reads the options of one module up to the next `-m`, `-j` or `-g`. */
  private options(module: string): void {
    while (!startsPart(this.tokens[this.at])) {
      const start = this.at;
      const negate = this.tokens[start]?.text === '!' && !this.tokens[start]?.quoted;
      const name = this.tokens[start + (negate ? 1 : 0)]?.text ?? '';
      this.at = start + (negate ? 2 : 1);
      if (module === 'comment' && name === '--comment') {
        this.comments.push(this.tokens[this.at++]?.text ?? '');
        continue;
      }
      const option = matchOption(module, name);
      const values = this.tokens.slice(this.at, this.at + (option?.arity ?? 0)).map(token => token.text);
      const match = option && values.length === option.arity ? option.read(negate, values) : undefined;
      if (option && match) this.at += option.arity;
      else this.skipOption();
      this.matches.push(match ?? notEvaluated(module, this.textFrom(start, module)));
    }
  }

  /** Passes over the values of an option that is not understood: all up to the next option. */
  private skipOption(): void {
    for (;;) {
      const token = this.tokens[this.at];
      if (!token || startsPart(token)) return;
      if (!token.quoted && (token.text === '!' || /^--?[a-z]/.test(token.text))) return;
      this.at++;
    }
  }

  private textFrom(start: number, module: string): string {
    const words = this.tokens.slice(start, this.at).map(shown).join(' ');
    return module === '' ? words : `-m ${module} ${words}`;
  }
}

/** A line of a rule, with its counters apart: `[packets:bytes] -A CHAIN …`. */
const ruleLine = /^(?:\[(\d+):(\d+)\] )?(-A .+)$/s;

/** Reads `-A CHAIN …`; undefined when it is no rule. */
function parseRule(text: string, isChain: (name: string) => boolean): SavedRule | undefined {
  const [, chain, ...tokens] = tokenize(text);
  if (!chain) return undefined;
  const parsed = new RuleParser(tokens, isChain);
  const rule: RuleReading = {
    number: 0,
    text,
    ...(parsed.comments.length > 0 && { comment: parsed.comments.join('; ') }),
    matches: parsed.matches,
    target: parsed.target,
  };
  return { chain: chain.text, rule };
}

/** A table whose COMMIT has not come yet. */
interface OpenTable {
  name: string;
  backend: NetfilterBackend;
  chains: Map<string, ChainReading>;
  /** Of its rules, from the first one on. */
  known?: (text: string, make: () => SavedRule) => SavedRule;
}

/** Takes a rule into its chain. @returns false for a line that is none */
function takeRule(line: string, table: OpenTable, memo: Memo<SavedRule>): boolean {
  const found = ruleLine.exec(line);
  const text = found?.[3];
  if (!found || text === undefined) return false;
  const { chains } = table;
  const isChain = (name: string): boolean => chains.has(name) && builtInHooks[name] === undefined;
  table.known ??= memo.part(table.name, namesOf(chains));
  const parsed = table.known(text, () => parseRule(text, isChain) ?? nothing);
  const chain = chains.get(parsed.chain);
  if (parsed === nothing || !chain) return false;
  const counters = found[1] === undefined ? {} : { packets: Number(found[1]), bytes: Number(found[2]) };
  const rule = placed(parsed.rule, chain.rules.length + 1, counters);
  if (rule !== parsed.rule) memo.put(table.name, text, { chain: parsed.chain, rule });
  chain.rules.push(rule);
  return true;
}

const nothing: SavedRule = { chain: '', rule: { number: 0, text: '', matches: [], target: { kind: 'none' } } };

/**
 * Parses the output of a saver.
 * @param stdout what `iptables-save -c` (or a relative) printed
 * @param family whose rules they are
 * @param memo what was made of the rules that were printed before
 */
export function parseSave(stdout: string, family: 'ip' | 'ip6', memo: Memo<SavedRule> = new Memo()): SaveOutput {
  const output: SaveOutput = {
    chains: [],
    tables: [],
    unfinished: [],
    incompatible: [],
    legacyPresent: false,
    strange: [],
  };
  let table: OpenTable | undefined;
  for (const line of ruleLines(stdout)) {
    if (line.startsWith('#')) {
      readComment(line, output);
    } else if (line.startsWith('*')) {
      if (table) output.unfinished.push(table.name);
      const backend = output.flavour === 'legacy' ? 'iptables-legacy' : 'iptables-nft';
      table = { name: line.slice(1).trim(), backend, chains: new Map() };
    } else if (line === 'COMMIT' && table) {
      output.tables.push(table.name);
      output.chains.push(...table.chains.values());
      table = undefined;
    } else if (line.startsWith(':') && table) {
      const chain = parseChain(line, table.name, family, table.backend);
      if (chain) table.chains.set(chain.name, chain);
      else output.strange.push(line);
    } else if (line !== '') {
      if (!table || !takeRule(line, table, memo)) output.strange.push(line);
    }
  }
  memo.turn();
  if (table) output.unfinished.push(table.name);
  return output;
}

function readComment(line: string, output: SaveOutput): void {
  // Debian 10's iptables-nft-save called itself xtables-save and had no "(nf_tables)".
  if (line.startsWith('# Generated by ')) output.flavour = /nf_tables|xtables-save/.test(line) ? 'nft' : 'legacy';
  const incompatible = /^# Table `([^']+)' is incompatible/.exec(line)?.[1];
  if (incompatible !== undefined) output.incompatible.push(incompatible);
  if (/^# Warning: ip6?tables-legacy tables present/.test(line)) output.legacyPresent = true;
}

/** Reads `:FORWARD DROP [12:720]` or `:DOCKER - [0:0]`. */
function parseChain(
  line: string,
  table: string,
  family: 'ip' | 'ip6',
  backend: NetfilterBackend,
): ChainReading | undefined {
  const found = /^:(\S+) (\S+)(?: \[(\d+):(\d+)\])?$/.exec(line);
  const name = found?.[1];
  if (!found || name === undefined) return undefined;
  const policy = found[2]?.toLowerCase();
  const base = policy === '-' ? {} : hookOf(table, name);
  return {
    backend,
    family,
    table,
    name,
    ...base,
    ...((policy === 'accept' || policy === 'drop') && { policy }),
    ...(policy !== '-' && found[3] !== undefined && { packets: Number(found[3]), bytes: Number(found[4]) }),
    rules: [],
  };
}
