/** Netfilter rules as rows: in evaluation order, with what they do, who wrote them and whom they are about. */
import type {
  ChainReading,
  DockerReading,
  Hook,
  NetfilterReading,
  Range,
  RuleReading,
  RuleTarget,
} from '../host/readings.ts';
import { authorOf, hasFirewalldChains, hasTellingPlaces } from './rule-authors.ts';
import type { Places } from './owners.ts';
import { RuleNaming, wordsOfRule } from './rule-naming.ts';
import { evaluationOrder, hooksByChain, type PlacedRule } from './rule-order.ts';
import type { Rule } from './schema.ts';
import { reuse, sameItems } from './sharing.ts';

const portText = ([from, to]: Range): string => (from === to ? String(from) : `${from}-${to}`);
const hex = (value: number): string => `0x${value.toString(16)}`;

function placeText(address: string | undefined, port: Range | undefined): string {
  const host = address?.includes(':') && port ? `[${address}]` : (address ?? '');
  return port ? `${host}:${portText(port)}` : host;
}

/** What a target does, in a few words: `accept`, `dnat 172.17.0.2:80`, `jump DOCKER-USER`, `continue`. */
export function actionText(target: RuleTarget): string {
  switch (target.kind) {
    case 'none':
    case 'continue':
      return 'continue';
    case 'accept':
    case 'drop':
    case 'return':
    case 'log':
      return target.kind;
    case 'reject':
      return target.with === undefined ? 'reject' : `reject ${target.with}`;
    case 'jump':
    case 'goto':
      return `${target.kind} ${target.chain}`;
    case 'vmap':
      return `vmap ${target.key}`;
    case 'natmap':
      return `nat by ${target.key}`;
    case 'netmap':
      return `netmap ${target.prefix}`;
    case 'dnat':
    case 'snat':
      return `${target.kind} ${placeText(target.address, target.port)}`.trim();
    case 'redirect':
    case 'masquerade':
      return `${target.kind} ${placeText(undefined, target.port)}`.trim();
    case 'mark':
      return `mark ${hex(target.value)}/${hex(target.mask)}`;
    case 'setconnmark':
      return `connmark ${hex(target.value)}/${hex(target.mask)}`;
    case 'savemark':
      return 'connmark from mark';
    case 'restoremark':
      return 'mark from connmark';
    case 'unknown':
      break;
  }
  return `unknown: ${target.text}`;
}

function policyText(chain: ChainReading): string {
  return chain.backend === 'nft'
    ? `policy ${chain.policy ?? ''}`
    : `-P ${chain.name} ${(chain.policy ?? '').toUpperCase()}`;
}

const noHooks: ReadonlySet<Hook> = new Set();

/** A row, and what it was made of beside what Docker has. */
interface MadeRow {
  rule: RuleReading;
  chain: string;
  row: Rule;
}

/** The rows, and which of them is of which rule. */
export interface RuleRows {
  rows: Rule[];
  made: ReadonlyMap<RuleReading, MadeRow>;
  /** The rows of policies, by `placeKey`. */
  policies: ReadonlyMap<string, Rule>;
  /** What they were made of. */
  docker?: DockerReading;
  addresses?: Places['addresses'];
  naming: RuleNaming;
}

/** All that the row of a rule takes from the rule's chain, as one text. */
function chainText(chain: ChainReading, hooks: ReadonlySet<Hook>, firewalld: boolean): string {
  const { backend, family, table, name, type, hook } = chain;
  const length = hasTellingPlaces(chain) ? chain.rules.length : undefined;
  return [backend, family, table, name, type, hook, [...hooks].sort().join(' '), firewalld, length].join('\0');
}

/** The naming of before where it would be the same, else a new one. */
function nextNaming(
  docker: DockerReading | undefined,
  addresses: Places['addresses'] | undefined,
  before: RuleRows | undefined,
): RuleNaming {
  const isSame =
    before &&
    hasSameNetworks(before.docker, docker) &&
    before.docker?.containers === docker?.containers &&
    before.addresses === addresses;
  return isSame ? before.naming : new RuleNaming(docker, addresses);
}

const hasSameNetworks = (a: DockerReading | undefined, b: DockerReading | undefined): boolean =>
  a?.networks === b?.networks && a?.engine.rootless === b?.engine.rootless;

/** Whether a rule names none of these words, so that it is about the same containers as before. */
function namesNone(rule: RuleReading, words: ReadonlySet<string>): boolean {
  return words.size === 0 || wordsOfRule(rule)?.every(word => !words.has(word)) === true;
}

/** The rows of before by what their rules ask, which a rule keeps when another one before it in its chain comes or goes. */
function byMatches(before: RuleRows): Map<RuleReading['matches'], MadeRow> {
  const rows = new Map<RuleReading['matches'], MadeRow>();
  for (const entry of before.made.values()) rows.set(entry.rule.matches, entry);
  return rows;
}

/** Whether two rules of a chain differ in nothing but what `place` puts into their rows. */
const isMoved = (a: RuleReading, b: RuleReading, chain: ChainReading): boolean =>
  a.matches === b.matches &&
  a.target === b.target &&
  a.text === b.text &&
  a.comment === b.comment &&
  (a.number === b.number || !hasTellingPlaces(chain));

/** What of a row changes all the time, and decides nothing else in it. */
function place(row: Rule, { number, handle, packets, bytes }: Partial<RuleReading>): Rule {
  row.number = number ?? 0;
  if (handle !== undefined) row.handle = handle;
  if (packets !== undefined) row.packets = packets;
  if (bytes !== undefined) row.bytes = bytes;
  return row;
}

/** The row of the same rule elsewhere in its chain, or with other counters. */
function movedRow({ row }: MadeRow, rule: RuleReading): Rule {
  const { handle: _, packets: __, bytes: ___, ...rest } = row;
  return place(rest, rule);
}

/** A row made of nothing that is known yet. */
function freshRow(
  { chain, rule }: PlacedRule,
  hooks: ReadonlySet<Hook>,
  { naming, firewalld }: { naming: RuleNaming; firewalld: boolean },
): Rule {
  const row: Rule = {
    backend: chain.backend,
    family: chain.family,
    table: chain.table,
    chain: chain.name,
    number: 0,
    text: rule?.text ?? policyText(chain),
    action: rule ? actionText(rule.target) : (chain.policy ?? ''),
    author: authorOf(chain, rule, naming, firewalld),
    containerIds: rule ? naming.containers(chain, rule, hooks) : [],
    networkIds: rule ? naming.networks(chain, rule) : [],
  };
  if (chain.hook !== undefined) row.hook = chain.hook;
  return place(row, rule ?? { packets: chain.packets, bytes: chain.bytes });
}

const placeKey = ({ backend, family, table, chain, number, text }: Rule): string =>
  `${backend} ${family} ${table} ${chain} ${number} ${text}`;

/** Puts the rows of rules that are gone in the place of those of new rules which say the very same. */
function keepRows(fresh: readonly MadeRow[], made: Map<RuleReading, MadeRow>, before: RuleRows): void {
  const gone = new Map<string, Rule>();
  for (const { rule, row } of before.made.values()) if (!made.has(rule)) gone.set(placeKey(row), row);
  for (const entry of fresh) entry.row = reuse(gone.get(placeKey(entry.row)), entry.row);
}

/**
 * All rules as rows in evaluation order (`evaluationOrder`), the policies of base chains among them with number 0.
 * @param docker undefined when there is no daemon whose containers live on this host: rows then name no container
 */
export function ruleRows(netfilter: NetfilterReading, docker?: DockerReading): Rule[] {
  return nextRuleRows(netfilter, docker).rows;
}

/**
 * `ruleRows` with what is needed for the next time.
 * @param before rows of the moment before: those that say the same keep their identity, and only those are made again which
 * may say something else
 * @param addresses all that each running container has, by its id
 */
export function nextRuleRows(
  netfilter: NetfilterReading,
  docker?: DockerReading,
  before?: RuleRows,
  addresses?: Places['addresses'],
): RuleRows {
  const naming = nextNaming(docker, addresses, before);
  const hooks = hooksByChain(netfilter.chains);
  const having = { naming, firewalld: hasFirewalldChains(netfilter) };
  const made = new Map<RuleReading, MadeRow>();
  const fresh: MadeRow[] = [];
  const policies = new Map<string, Rule>();
  // With other networks any rule may be about another one.
  const renamed = before && hasSameNetworks(before.docker, docker) ? naming.changedFrom(before.naming) : undefined;
  const texts = new Map<ChainReading, string>();
  for (const chain of netfilter.chains)
    texts.set(chain, chainText(chain, hooks.get(chain) ?? noHooks, having.firewalld));
  let moved: ReturnType<typeof byMatches> | undefined;

  const entryOf = (placed: PlacedRule, rule: RuleReading, chain: string): MadeRow => {
    let last = before?.made.get(rule);
    if (before && !last) {
      moved ??= byMatches(before);
      last = moved.get(rule.matches);
    }
    const isStill = last?.chain === chain && renamed !== undefined && namesNone(rule, renamed);
    if (last?.rule === rule && isStill) return last;
    if (last && isStill && isMoved(last.rule, rule, placed.chain)) return { rule, chain, row: movedRow(last, rule) };
    const row = freshRow(placed, hooks.get(placed.chain) ?? noHooks, having);
    const entry = { rule, chain, row: reuse(last?.row, row) };
    fresh.push(entry);
    return entry;
  };
  const entries = evaluationOrder(netfilter.chains).map((placed): { row: Rule } => {
    const { chain, rule } = placed;
    if (rule) {
      const entry = entryOf(placed, rule, texts.get(chain) ?? '');
      made.set(rule, entry);
      return entry;
    }
    const policy = freshRow(placed, noHooks, having);
    const row = reuse(before?.policies.get(placeKey(policy)), policy);
    policies.set(placeKey(row), row);
    return { row };
  });
  if (before && fresh.length > 0) keepRows(fresh, made, before);
  const rows = sameItems(
    before?.rows,
    entries.map(({ row }) => row),
  );
  return { rows, made, policies, naming, ...(docker && { docker }), ...(addresses && { addresses }) };
}

/** A rule that sends packets to another destination. */
export interface DnatRule {
  family: 4 | 6;
  /** tcp, udp…; absent when it asks for none or for several. */
  proto?: string;
  /** The destination address that it asks for; absent: any, or more than one. */
  hostIp?: string;
  /** The destination ports that it asks for; absent: any. */
  hostPorts?: Range[];
  /** Absent when it is a range or unchanged. */
  toAddress?: string;
  toPort?: Range;
  rule: RuleReading;
  chain: ChainReading;
  /** Hooks from which it is reached; empty when nothing leads to its chain. */
  hooks: ReadonlySet<Hook>;
}

const dnatsOf = new WeakMap<NetfilterReading, readonly DnatRule[]>();

/** Every DNAT with a fixed destination; those through a map are not among them. Worked out once for each reading. */
export function dnatRules(netfilter: NetfilterReading): readonly DnatRule[] {
  const known = dnatsOf.get(netfilter) ?? findDnats(netfilter);
  dnatsOf.set(netfilter, known);
  return known;
}

function findDnats(netfilter: NetfilterReading): DnatRule[] {
  const hooks = hooksByChain(netfilter.chains);
  return netfilter.chains.flatMap(chain =>
    chain.rules.flatMap(rule => {
      const dnat = dnatOf(rule, chain);
      return dnat ? [{ ...dnat, hooks: hooks.get(chain) ?? noHooks }] : [];
    }),
  );
}

function dnatOf(rule: RuleReading, chain: ChainReading): Omit<DnatRule, 'hooks'> | undefined {
  const { target } = rule;
  if (target.kind !== 'dnat') return undefined;
  const single = target.address !== undefined && !target.address.includes('-');
  const family = chain.family === 'ip6' || target.address?.includes(':') ? 6 : 4;
  const dnat: Omit<DnatRule, 'hooks'> = { family, rule, chain };
  if (single) dnat.toAddress = target.address;
  if (target.port) dnat.toPort = target.port;
  for (const match of rule.matches) {
    if (match.kind === 'unknown' || match.negate) continue;
    if (match.kind === 'proto' && match.protos.length === 1) dnat.proto = match.protos[0];
    if (match.kind === 'dport') dnat.hostPorts = match.ports;
    if (match.kind === 'daddr' && match.addresses.length === 1) {
      dnat.hostIp = /^([^/]+)\/(?:32|128)$/.exec(match.addresses[0] ?? '')?.[1];
    }
  }
  return dnat;
}
