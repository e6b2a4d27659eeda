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
import { authorOf, hasFirewalldChains } from './rule-authors.ts';
import { RuleNaming, wordsOfRule } from './rule-naming.ts';
import { evaluationOrder, hooksByChain, type PlacedRule } from './rule-order.ts';
import type { Rule } from './schema.ts';
import { reuse } from './sharing.ts';

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

/** The rows, and which of them is of which rule (or chain, for its policy). */
export interface RuleRows {
  rows: Rule[];
  made: ReadonlyMap<RuleReading | ChainReading, Rule>;
  /** What they were made of. */
  netfilter: NetfilterReading;
  docker?: DockerReading;
  naming: RuleNaming;
}

/** Whose row may be another one although no rule has changed and no network: undefined when it may be anybody's. */
function renamedSince(
  before: RuleRows | undefined,
  netfilter: NetfilterReading,
  docker: DockerReading | undefined,
  naming: RuleNaming,
): ReadonlySet<string> | undefined {
  const isSame =
    before?.netfilter === netfilter &&
    before.docker?.networks === docker?.networks &&
    before.docker?.engine.rootless === docker?.engine.rootless;
  return isSame ? naming.changedFrom(before.naming) : undefined;
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
 * @param before rows of the moment before: those that say the same keep their identity
 */
export function nextRuleRows(netfilter: NetfilterReading, docker?: DockerReading, before?: RuleRows): RuleRows {
  const naming = new RuleNaming(docker);
  const hooks = hooksByChain(netfilter.chains);
  const firewalld = hasFirewalldChains(netfilter);
  const made = new Map<RuleReading | ChainReading, Rule>();
  const renamed = renamedSince(before, netfilter, docker, naming);
  const rows = evaluationOrder(netfilter.chains).map(({ chain, rule }: PlacedRule): Rule => {
    const last = before?.made.get(rule ?? chain);
    const isStill = renamed && (!rule || wordsOfRule(rule)?.every(word => !renamed.has(word)) === true);
    if (last && isStill) {
      made.set(rule ?? chain, last);
      return last;
    }
    const { packets, bytes } = rule ?? chain;
    const row: Rule = {
      backend: chain.backend,
      family: chain.family,
      table: chain.table,
      chain: chain.name,
      number: rule?.number ?? 0,
      text: rule?.text ?? policyText(chain),
      action: rule ? actionText(rule.target) : (chain.policy ?? ''),
      author: authorOf(chain, rule, naming, firewalld),
      containerIds: rule ? naming.containers(chain, rule, hooks.get(chain) ?? noHooks) : [],
      networkIds: rule ? naming.networks(chain, rule) : [],
    };
    if (chain.hook !== undefined) row.hook = chain.hook;
    if (rule?.handle !== undefined) row.handle = rule.handle;
    if (packets !== undefined) row.packets = packets;
    if (bytes !== undefined) row.bytes = bytes;
    const kept = reuse(last, row);
    made.set(rule ?? chain, kept);
    return kept;
  });
  return { rows: reuse(before?.rows, rows), made, netfilter, naming, ...(docker && { docker }) };
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
