/** Parses `nft -j list ruleset`: libnftables-json(5). */
import { HostError } from '../host.ts';
import type { ChainReading, Hook, NetfilterFamily, RuleReading } from '../readings.ts';
import { Memo, placed, type NftRule } from './memo.ts';
import {
  asList,
  isObject,
  numberOf,
  textOf,
  type FindSet,
  type Json,
  type JsonObject,
  type NamedSet,
  tagged,
} from './nft-json.ts';
import { readStatements } from './nft-statement.ts';
import { expressionText, statementText, verdictText } from './nft-text.ts';

/** A whole ruleset, the tables that iptables-nft keeps in nftables included. */
export interface Ruleset {
  chains: ChainReading[];
  /** Rules that hold xtables matches or targets, of which nft prints nothing but the name. */
  xtRules: ReadonlySet<RuleReading>;
  /** Elements of sets and maps, by `family table name`. */
  sets: Record<string, string[]>;
  /** Whether a set may change without a word of `nft monitor`: packets put elements into it, or they run out. */
  setsMove: boolean;
}

const families = new Set<string>(['ip', 'ip6', 'inet', 'arp', 'bridge', 'netdev'] satisfies NetfilterFamily[]);
const hooks = new Set<string>([
  'prerouting',
  'input',
  'forward',
  'output',
  'postrouting',
  'ingress',
  'egress',
] satisfies Hook[]);
const isFamily = (text: string | undefined): text is NetfilterFamily => text !== undefined && families.has(text);
const isHook = (text: string | undefined): text is Hook => text !== undefined && hooks.has(text);

function items(stdout: string): JsonObject[] {
  let parsed: Json;
  try {
    parsed = JSON.parse(stdout) as Json;
  } catch {
    throw new HostError(
      'failed',
      `nft printed JSON that cannot be parsed (${stdout.length} bytes): cut off, or nft broke`,
    );
  }
  const list = isObject(parsed) ? parsed['nftables'] : undefined;
  if (!Array.isArray(list)) throw new HostError('failed', 'nft printed JSON without a ruleset');
  return list.filter(item => isObject(item));
}

function readChain(body: JsonObject, dormant: boolean): ChainReading | undefined {
  const family = textOf(body, 'family');
  const [table, name] = [textOf(body, 'table'), textOf(body, 'name')];
  if (!isFamily(family) || table === undefined || name === undefined) return undefined;
  const chain: ChainReading = { backend: 'nft', family, table, name, rules: [] };
  const [hook, type, policy] = [textOf(body, 'hook'), textOf(body, 'type'), textOf(body, 'policy')];
  // The kernel takes the base chains of a dormant table off their hooks. (nft 1.0.6 prints the table's name for any flag.)
  if (dormant || !isHook(hook)) return chain;
  chain.hook = hook;
  chain.priority = numberOf(body, 'prio') ?? 0;
  if (type === 'filter' || type === 'nat' || type === 'route') chain.type = type;
  if (policy === 'accept' || policy === 'drop') chain.policy = policy;
  return chain;
}

function elementText(json: Json): string {
  const value = isObject(json) && isObject(json['elem']) ? (json['elem']['val'] ?? null) : json;
  if (!Array.isArray(value)) return expressionText(value);
  return `${expressionText(value[0] ?? null)} : ${verdictText(value[1] ?? null)}`;
}

/**
 * Parses a ruleset; one with nothing but `metainfo` has truly no rules.
 * @param stdout what `nft -j list ruleset` printed
 * @param memo what was made of the rules that were printed before
 * @throws HostError (failed) when it is not whole JSON
 */
export function parseRuleset(stdout: string, memo: Memo<NftRule> = new Memo()): Ruleset {
  const all = items(stdout);
  const dormant = new Set<string>();
  const sets = new Map<string, NamedSet>();
  let setsMove = false;
  const chains = new Map<string, ChainReading>();
  for (const item of all) {
    for (const kind of ['table', 'set', 'map', 'chain']) {
      const body = item[kind];
      if (!isObject(body)) continue;
      const table = `${textOf(body, 'family') ?? ''} ${textOf(body, kind === 'table' ? 'name' : 'table') ?? ''}`;
      const key = `${table} ${textOf(body, 'name') ?? ''}`;
      if (kind === 'table' && asList(body['flags']).includes('dormant')) dormant.add(table);
      if (kind === 'set' || kind === 'map') {
        sets.set(key, { elements: asList(body['elem']) });
        setsMove ||=
          body['timeout'] !== undefined || asList(body['flags']).some(flag => flag === 'timeout' || flag === 'dynamic');
      }
      const chain = kind === 'chain' ? readChain(body, dormant.has(table)) : undefined;
      if (chain) chains.set(key, chain);
    }
  }
  const filled = filledSets(all);
  setsMove ||= filled.length > 0;
  for (const { name, table, matches } of filled) {
    const set = sets.get(`${table} ${name}`);
    if (set) (set.fillers ??= []).push(matches);
  }
  const xtRules = new Set<RuleReading>();
  // What a rule means hangs on the sets that it asks.
  const known = memo.part('', JSON.stringify([[...sets], filled]));
  for (const item of all) {
    const body = item['rule'];
    if (!isObject(body)) continue;
    const table = `${textOf(body, 'family') ?? ''} ${textOf(body, 'table') ?? ''}`;
    const chain = chains.get(`${table} ${textOf(body, 'chain') ?? ''}`);
    if (!chain) throw new HostError('failed', `nft printed a rule of a chain that it did not print (${table})`);
    const text = JSON.stringify(body);
    const made = known(text, () => readRule(body, chain, name => sets.get(`${table} ${name}`)));
    const rule = placed(made.rule, chain.rules.length + 1);
    if (rule !== made.rule) memo.put('', text, { ...made, rule });
    chain.rules.push(rule);
    if (made.xt) xtRules.add(rule);
  }
  memo.turn();
  const elements = [...sets].map(([key, set]): [string, string[]] => [key, set.elements.map(elementText)]);
  return { chains: [...chains.values()], xtRules, sets: Object.fromEntries(elements), setsMove };
}

/** The sets to which a rule adds elements as packets come by, and what the rule asks of them. */
function filledSets(all: readonly JsonObject[]): { table: string; name: string; matches: Json[] }[] {
  return all.flatMap(({ rule }) => {
    if (!isObject(rule)) return [];
    const table = `${textOf(rule, 'family') ?? ''} ${textOf(rule, 'table') ?? ''}`;
    const statements = asList(rule['expr']);
    const matches = statements.flatMap(statement => {
      const found = tagged(statement);
      return found?.tag === 'match' ? [found.body] : [];
    });
    return statements.flatMap(statement => {
      const found = tagged(statement);
      if (found?.tag !== 'set' && found?.tag !== 'map') return [];
      const name = textOf(found.body, found.tag);
      return name === undefined ? [] : [{ table, name: name.replace(/^@/, ''), matches }];
    });
  });
}

function readRule(body: JsonObject, chain: ChainReading, findSet: FindSet): NftRule {
  const statements = asList(body['expr']);
  const comment = textOf(body, 'comment');
  const handle = numberOf(body, 'handle');
  const { xt, ...meaning } = readStatements(statements, chain.family, findSet);
  const words = statements.map(statementText);
  if (comment !== undefined) words.push(`comment "${comment}"`);
  const rule: RuleReading = {
    number: chain.rules.length + 1,
    ...(handle !== undefined && { handle }),
    text: words.join(' '),
    ...(comment !== undefined && { comment }),
    ...meaning,
  };
  return { rule, xt };
}
