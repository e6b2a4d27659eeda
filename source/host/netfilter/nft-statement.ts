/** What an nft rule means: its statements, in order, to matches, effects and a target. */
import type { NetfilterFamily, Range, RuleMatch, RuleReading, RuleTarget } from '../readings.ts';
import { canonicalAddress, canonicalAddressRange } from './addresses.ts';
import {
  asList,
  child,
  isObject,
  numberOf,
  tagged,
  textOf,
  type FindSet,
  type Json,
  type JsonObject,
} from './nft-json.ts';
import { readMatch } from './nft-match.ts';
import { expressionText, statementText } from './nft-text.ts';

/** The meaning of a rule; `xt` says that it holds matches or targets of xtables, whose arguments nft does not print. */
export type RuleMeaning = Pick<RuleReading, 'packets' | 'bytes' | 'matches' | 'effects' | 'target'> & { xt: boolean };

/** Statements that may end the rule early, by rate, amount or a full set. */
const gates = new Set(['limit', 'quota', 'ct count', 'meter', 'set', 'map', 'connlimit', 'last']);

/** Statements that go on and change nothing that a match could see. */
const passing = new Set(['ct helper', 'ct timeout', 'ct expectation', 'flow', 'dup', 'secmark', 'ct secmark']);

const unknownTarget = (statement: Json): RuleTarget => ({ kind: 'unknown', text: statementText(statement) });

function portRange(json: Json | undefined): Range | undefined {
  if (typeof json === 'number') return [json, json];
  const found = tagged(json);
  const [from, to] = found?.tag === 'range' ? asList(found.body) : [];
  return typeof from === 'number' && typeof to === 'number' ? [from, to] : undefined;
}

/** What a map has: `@name`, or its elements on the spot. */
const mapElements = (data: Json | undefined, findSet: FindSet): Json[] | undefined =>
  typeof data === 'string' ? findSet(data.replace(/^@/, ''))?.elements : asList(isObject(data) ? data['set'] : null);

/** `dnat to tcp dport map { 9100 : 172.17.0.2 . 80 }`. */
function natMap(kind: 'dnat' | 'snat', body: JsonObject, findSet: FindSet): RuleTarget | undefined {
  const entries: Extract<RuleTarget, { kind: 'natmap' }>['entries'] = [];
  for (const item of mapElements(body['data'], findSet) ?? [null]) {
    const [key, value] = asList(item);
    const [given, port, more] = tagged(value)?.tag === 'concat' ? asList(tagged(value)?.body) : [value];
    const address = typeof given === 'string' ? canonicalAddress(given) : undefined;
    if (key === undefined || tagged(key)?.tag === 'elem' || address === undefined) return undefined;
    if (more !== undefined || (port !== undefined && typeof port !== 'number')) return undefined;
    const target = { kind, address, ...(port !== undefined && { port: [port, port] as Range }) };
    entries.push({ key: expressionText(key), target });
  }
  return { kind: 'natmap', key: expressionText(body['key'] ?? null), entries };
}

/** dnat, snat, masquerade and redirect; a prefix in their place is not understood. */
function nat(
  kind: 'dnat' | 'snat' | 'masquerade' | 'redirect',
  body: Json,
  statement: Json,
  findSet: FindSet,
): RuleTarget {
  if (!isObject(body)) return body === null && kind !== 'dnat' && kind !== 'snat' ? { kind } : unknownTarget(statement);
  const port = portRange(body['port']);
  if (body['port'] !== undefined && !port) return unknownTarget(statement);
  if (kind === 'masquerade' || kind === 'redirect') return { kind, ...(port && { port }) };
  const given = body['addr'];
  const map = child(given, 'map');
  if (map && (kind === 'dnat' || kind === 'snat')) {
    return port ? unknownTarget(statement) : (natMap(kind, map, findSet) ?? unknownTarget(statement));
  }
  const range = tagged(given)?.tag === 'range' ? canonicalAddressRange(expressionText(given ?? null)) : undefined;
  const address = typeof given === 'string' ? canonicalAddress(given) : range;
  if (given !== undefined && address === undefined) return unknownTarget(statement);
  return { kind, ...(address !== undefined && { address }), ...(port && { port }) };
}

const isMark = (json: Json | undefined, of: 'meta' | 'ct' = 'meta'): boolean => {
  const found = tagged(json);
  return found?.tag === of && textOf(found.body, 'key') === 'mark' && textOf(found.body, 'dir') === undefined;
};

const whole = { packetMask: 0xffffffff, connMask: 0xffffffff };

/** `meta mark set …`: a number, the connection's mark, or `mark and/or/xor` a number; `ct mark set …`. undefined when it is more. */
function markEffect(body: Json): RuleTarget | undefined {
  if (!isObject(body)) return undefined;
  const set = body['value'];
  if (isMark(body['key'], 'ct')) {
    if (typeof set === 'number') return { kind: 'setconnmark', value: set, mask: 0xffffffff };
    return isMark(set) ? { kind: 'savemark', ...whole } : undefined;
  }
  if (!isMark(body['key'])) return undefined;
  if (isMark(set, 'ct')) return { kind: 'restoremark', ...whole };
  if (typeof set === 'number') return { kind: 'mark', value: set, mask: 0xffffffff };
  const operation = tagged(set);
  const [left, value, more] = asList(operation?.body);
  if (!operation || typeof value !== 'number' || more !== undefined) return undefined;
  const inner = tagged(left);
  const [innerLeft, innerMask] = asList(inner?.body);
  if (isMark(left)) {
    if (operation.tag === '&') return { kind: 'mark', value: 0, mask: ~value >>> 0 };
    if (operation.tag === '|') return { kind: 'mark', value, mask: value };
    if (operation.tag === '^') return { kind: 'mark', value, mask: 0 };
  } else if (inner?.tag === '&' && isMark(innerLeft) && typeof innerMask === 'number') {
    if (operation.tag === '^') return { kind: 'mark', value, mask: ~innerMask >>> 0 };
    if (operation.tag === '|') return { kind: 'mark', value, mask: (~innerMask | value) >>> 0 };
  }
  return undefined;
}

/** `iifname vmap @m` or `{ … }`: the verdict by key. */
function verdictMap(body: Json, findSet: FindSet, statement: Json): RuleTarget {
  if (!isObject(body)) return unknownTarget(statement);
  const data = body['data'];
  const elements = mapElements(data, findSet);
  if (!elements) return unknownTarget(statement);
  const entries = [];
  for (const item of elements) {
    const element = tagged(item)?.tag === 'elem' ? tagged(item)?.body : undefined;
    const [key, value] = asList(isObject(element) ? (element['val'] ?? null) : item);
    const verdict = tagged(value);
    if (key === undefined || !verdict) return unknownTarget(statement);
    const chain = textOf(verdict.body, 'target');
    entries.push({ key: expressionText(key), verdict: verdict.tag, ...(chain !== undefined && { chain }) });
  }
  return { kind: 'vmap', key: expressionText(body['key'] ?? null), entries };
}

/** The target that a statement is, or undefined when it is none. */
function targetOf(tag: string, body: Json, findSet: FindSet, statement: Json): RuleTarget | undefined {
  const chain = textOf(body, 'target');
  switch (tag) {
    case 'accept':
    case 'drop':
    case 'return':
      return { kind: tag };
    case 'continue':
      return { kind: 'none' };
    case 'jump':
    case 'goto':
      return chain === undefined ? unknownTarget(statement) : { kind: tag, chain };
    case 'dnat':
    case 'snat':
    case 'masquerade':
    case 'redirect':
      return nat(tag, body, statement, findSet);
    case 'reject': {
      const type = textOf(body, 'type');
      const code = isObject(body) && body['expr'] !== undefined ? ` ${expressionText(body['expr'])}` : '';
      return { kind: 'reject', ...(type !== undefined && { with: `${type}${code}` }) };
    }
    case 'vmap':
      return verdictMap(body, findSet, statement);
    default:
      return undefined;
  }
}

/**
 * What a statement asks of the packet by itself. nft leaves a match away that its statement implies: in a table of both
 * families `meta nfproto ipv6 reject` is printed as `reject with icmpv6 port-unreachable` (measured with nft 1.0.6).
 */
function impliedBy(tag: string, body: Json, family: NetfilterFamily): RuleMatch[] {
  const type = textOf(body, 'type');
  if (tag === 'reject' && type === 'tcp reset') return [{ kind: 'proto', negate: false, protos: ['tcp'] }];
  if (family === 'ip' || family === 'ip6') return [];
  const of = tag === 'reject' ? type : natTags.has(tag) ? textOf(body, 'family') : undefined;
  if (of === 'icmp' || of === 'ip') return [{ kind: 'nfproto', negate: false, family: 4 }];
  return of === 'icmpv6' || of === 'ip6' ? [{ kind: 'nfproto', negate: false, family: 6 }] : [];
}

const natTags = new Set(['dnat', 'snat']);

/**
 * Reads a rule's statements.
 * @param statements `expr` of the rule
 * @param family of its table
 */
export function readStatements(statements: readonly Json[], family: NetfilterFamily, findSet: FindSet): RuleMeaning {
  const matches = new Map<string, RuleMatch>();
  const effects: RuleTarget[] = [];
  const meaning: RuleMeaning = { matches: [], target: { kind: 'none' }, xt: false };
  let target: RuleTarget | undefined;
  const add = (match: RuleMatch) => matches.set(JSON.stringify(match), match);
  for (const statement of statements) {
    const { tag, body } = tagged(statement) ?? { tag: '', body: null };
    if (tag === 'match') {
      // A mark set before a match is set whether that holds or not: that order has no place in a RuleReading.
      if (effects.some(effect => effect.kind !== 'log')) add({ kind: 'unknown', text: statementText(statement) });
      else readMatch(body, family, findSet).forEach(add);
    } else if (tag === 'counter') {
      const packets = numberOf(body, 'packets');
      if (packets !== undefined) Object.assign(meaning, { packets, bytes: numberOf(body, 'bytes') ?? 0 });
    } else if (tag === 'xt') {
      meaning.xt = true;
      if (textOf(body, 'type') === 'target') target = unknownTarget(statement);
      else add({ kind: 'unknown', text: statementText(statement) });
    } else if (gates.has(tag)) {
      add({ kind: 'unknown', text: statementText(statement) });
    } else if (tag === 'log') {
      effects.push({ kind: 'log' });
    } else if (tag === 'mangle') {
      effects.push(markEffect(body) ?? mangled(statement, body));
    } else if (passing.has(tag)) {
      effects.push({ kind: 'continue', text: statementText(statement) });
    } else {
      const found = targetOf(tag, body, findSet, statement);
      impliedBy(tag, body, family).forEach(add);
      // A statement that is not known may let what follows happen, or not.
      if (!found && statement !== statements.at(-1)) add({ kind: 'unknown', text: statementText(statement) });
      else target = found ?? unknownTarget(statement);
    }
  }
  meaning.matches = [...matches.values()];
  meaning.target = target ?? effects.pop() ?? { kind: 'none' };
  if (effects.length > 0) meaning.effects = effects;
  return meaning;
}

/** Writing the packet's mark or addresses in a way that is not understood is unknown; writing anything else is seen by no match. */
function mangled(statement: Json, body: Json): RuleTarget {
  const key = tagged(isObject(body) ? body['key'] : null);
  const harmless = (key?.tag === 'ct' || key?.tag === 'meta') && textOf(key.body, 'key') !== 'mark';
  const text = statementText(statement);
  return harmless && textOf(key?.body, 'key') !== 'pkttype' ? { kind: 'continue', text } : { kind: 'unknown', text };
}
