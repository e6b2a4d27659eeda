/** The rules of a host, made ready for walking: base chains by family and hook in the order of the kernel. */
import type { ChainReading, Hook, NetfilterReading, RuleReading, RuleTarget } from '../../host/readings.ts';
import type { Rule } from '../schema.ts';
import type { Family } from './address.ts';
import { testOfAll, type MatchWorld, type Test } from './matches.ts';
import { readyMap, type NatEntry, type ReadyMap, type VerdictEntry } from './maps.ts';
import type { Packet } from './packet.ts';
import { shortcut } from './shortcut.ts';
import type { DecidedBy } from './verdict.ts';

export interface ReadyRule {
  readonly chain: ReadyChain;
  readonly rule: RuleReading;
  readonly test: Test;
  readonly effects: readonly RuleTarget[];
  readonly target: RuleTarget;
  /** Whether nothing of the packet's way hangs on it (LOG, a counter). */
  readonly idle: boolean;
  /** Where jump, goto and the entries of a map lead. */
  readonly next: ReadonlyMap<string, ReadyChain>;
  readonly map?: ReadyMap<VerdictEntry>;
  readonly natMap?: ReadyMap<NatEntry>;
}

export interface ReadyChain {
  readonly reading: ChainReading;
  readonly rules: ReadyRule[];
  /** Those of them that a packet may match, in order. */
  candidates(packet: Packet): readonly ReadyRule[];
}

/** The chains of one hook for one family. */
export interface ReadyHook {
  /** Those before the kernel translates addresses. */
  before: ReadyChain[];
  /** Of type nat. */
  nat: ReadyChain[];
  after: ReadyChain[];
}

export interface Ruleset {
  hook(family: Family, hook: Hook): ReadyHook;
  /** Base chains of the families bridge and netdev, which see frames. */
  frames: ReadyChain[];
  /** Base chains of the family arp. */
  arp: ReadyChain[];
  /** How a rule, or without one the policy of a base chain, is shown. */
  describe(chain: ReadyChain, rule?: ReadyRule): DecidedBy;
}

/** Where the kernel translates: all chains of type nat run there, whatever their own priority (net/netfilter/nf_nat_proto.c). */
const natPriority: Partial<Record<Hook, number>> = { prerouting: -100, output: -100, input: 100, postrouting: 100 };

const familiesOf: Partial<Record<ChainReading['family'], readonly Family[]>> = { ip: [4], ip6: [6], inet: [4, 6] };

const idleKinds = new Set<RuleTarget['kind']>(['none', 'log', 'continue']);

const chainKey = ({ backend, family, table }: ChainReading, name: string): string =>
  `${backend} ${family} ${table} ${name}`;

/** Makes the rules ready. @param rows of the same reading, for who wrote what */
export function readyRules(netfilter: NetfilterReading, rows: readonly Rule[], world: MatchWorld): Ruleset {
  const chains = new Map<string, ReadyChain>();
  for (const reading of netfilter.chains) chains.set(chainKey(reading, reading.name), emptyChain(reading));
  for (const chain of chains.values())
    for (const rule of chain.reading.rules) chain.rules.push(readyRule(rule, chain, chains, world));

  const hooks = new Map<string, ReadyHook>();
  const frames: ReadyChain[] = [];
  const arp: ReadyChain[] = [];
  const bases = [...chains.values()]
    .filter(({ reading }) => reading.hook !== undefined)
    .sort((a, b) => (a.reading.priority ?? 0) - (b.reading.priority ?? 0) || rank(a) - rank(b));
  for (const base of bases) {
    const { family, hook, type, priority = 0 } = base.reading;
    if (family === 'arp') arp.push(base);
    if (hook === undefined || family === 'arp') continue;
    const families = hook === 'ingress' || hook === 'egress' ? undefined : familiesOf[family];
    if (!families) frames.push(base);
    for (const each of families ?? []) {
      const key = `${each} ${hook}`;
      const there = hooks.get(key) ?? { before: [], nat: [], after: [] };
      hooks.set(key, there);
      const translates = natPriority[hook] ?? Number.POSITIVE_INFINITY;
      (type === 'nat' ? there.nat : priority < translates ? there.before : there.after).push(base);
    }
  }
  // Made when the first rule is shown.
  let authors: ReadonlyMap<string, Rule> | undefined;
  const empty: ReadyHook = { before: [], nat: [], after: [] };
  return {
    hook: (family, hook) => hooks.get(`${family} ${hook}`) ?? empty,
    frames,
    arp,
    describe: (chain, rule) => describe(chain, rule, (authors ??= byPlace(rows))),
  };
}

/** Of one priority, what was registered last runs first, and nobody tells that. Legacy tables are mostly there second. */
const rank = ({ reading }: ReadyChain): number => (reading.backend === 'iptables-legacy' ? 0 : 1);

const byPlace = (rows: readonly Rule[]): ReadonlyMap<string, Rule> =>
  new Map(rows.map(row => [`${row.backend} ${row.family} ${row.table} ${row.chain} ${row.number}`, row]));

function emptyChain(reading: ChainReading): ReadyChain {
  const rules: ReadyRule[] = [];
  let way: ((packet: Packet) => readonly ReadyRule[]) | undefined;
  // Made when the first packet comes, for most chains are never walked.
  return { reading, rules, candidates: packet => (way ??= shortcut(rules))(packet) };
}

function readyRule(
  rule: RuleReading,
  chain: ReadyChain,
  chains: ReadonlyMap<string, ReadyChain>,
  world: MatchWorld,
): ReadyRule {
  const { target, effects = [] } = rule;
  const next = new Map<string, ReadyChain>();
  const lead = (name: string | undefined) => {
    const found = name === undefined ? undefined : chains.get(chainKey(chain.reading, name));
    if (found && name !== undefined) next.set(name, found);
  };
  if (target.kind === 'jump' || target.kind === 'goto') lead(target.chain);
  if (target.kind === 'vmap') for (const entry of target.entries) lead(entry.chain);
  const map = target.kind === 'vmap' ? readyMap(target, world) : undefined;
  const natMap = target.kind === 'natmap' ? readyMap(target, world) : undefined;
  // Made when the first packet comes: of many rules only few are ever asked.
  let test: Test | undefined;
  return {
    chain,
    rule,
    test: packet => (test ??= testOfAll(rule.matches, world))(packet),
    effects,
    target,
    idle: [...effects, target].every(({ kind }) => idleKinds.has(kind)),
    next,
    ...(map && { map }),
    ...(natMap && { natMap }),
  };
}

function describe(chain: ReadyChain, ready: ReadyRule | undefined, rows: ReadonlyMap<string, Rule>): DecidedBy {
  const { backend, family, table, name, policy } = chain.reading;
  const row = rows.get(`${backend} ${family} ${table} ${name} ${ready?.rule.number ?? 0}`);
  const where = `${family} ${table} ${name}`;
  const { packets, bytes } = ready?.rule ?? chain.reading;
  const decided: DecidedBy = {
    kind: ready ? 'rule' : 'policy',
    family,
    table,
    chain: name,
    detail: ready
      ? `${where} rule ${ready.rule.number}: ${ready.rule.text}`
      : `policy ${policy ?? 'accept'} of ${where}`,
  };
  if (ready) {
    decided.rule = ready.rule.number;
    decided.text = ready.rule.text;
    if (ready.rule.handle !== undefined) decided.handle = ready.rule.handle;
  }
  if (packets !== undefined) decided.packets = packets;
  if (bytes !== undefined) decided.bytes = bytes;
  if (row && row.author !== 'unknown') decided.author = row.author;
  return decided;
}
