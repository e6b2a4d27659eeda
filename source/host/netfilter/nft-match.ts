/** What an nft match means: libnftables-json(5) expressions to RuleMatch. */
import type { NetfilterFamily, RuleMatch } from '../readings.ts';
import {
  addressList,
  elements,
  isConditional,
  numberRanges,
  portRanges,
  strangePort,
  texts,
  type Element,
} from './nft-elements.ts';
import { asList, child, isObject, tagged, textOf, type FindSet, type Json, type NamedSet } from './nft-json.ts';
import { statementText } from './nft-text.ts';
import { icmpTypeNumber, protocolName } from './protocols.ts';

/** Families in which a rule sees IPv4 and IPv6 alike, so that looking at one's header asks for that one. */
const mixedFamilies: ReadonlySet<NetfilterFamily> = new Set(['inet', 'bridge', 'netdev']);

const portProtocols = new Set(['tcp', 'udp', 'sctp', 'dccp', 'udplite']);
const allFlags = ['fin', 'syn', 'rst', 'psh', 'ack', 'urg'];

/** TCP flags of an expression: `"syn"`, a list, or an or of them; undefined when it is something else. */
function flags(json: Json): string[] | undefined {
  if (typeof json === 'string') return [json.toLowerCase()];
  if (json === 0) return [];
  const parts = Array.isArray(json) ? json : tagged(json)?.tag === '|' ? asList(tagged(json)?.body) : undefined;
  const found = parts?.map(flags);
  return found?.every(item => item !== undefined) ? found.flat() : undefined;
}

/** A match before what its left side implies about the packet is added. */
interface Understood {
  matches: RuleMatch[];
  /** The left side is in a header of this family. */
  family?: 4 | 6;
  /** The left side is in a header of this protocol. */
  proto?: string;
}

const one = (match: RuleMatch | undefined, implied: Omit<Understood, 'matches'> = {}): Understood | undefined =>
  match && { matches: [match], ...implied };

/** What the match asks; `list` is its right side, `equal` says that the operator is one of (not) equal to, or in. */
interface Question {
  op: string;
  negate: boolean;
  equal: boolean;
  right: Json;
  list: Element[] | undefined;
}

function payload(body: Json, question: Question): Understood | undefined {
  const protocol = textOf(body, 'protocol') ?? '';
  const field = textOf(body, 'field') ?? '';
  const { negate, list, op, equal, right } = question;
  const family = protocol === 'ip' ? 4 : protocol === 'ip6' ? 6 : undefined;
  if (family && (field === 'saddr' || field === 'daddr')) {
    const addresses = equal ? addressList(list) : undefined;
    return one(addresses && { kind: field, negate, addresses }, { family });
  }
  if (family && (field === 'protocol' || field === 'nexthdr')) {
    const protos = equal ? texts(list)?.map(protocolName) : undefined;
    return one(protos && { kind: 'proto', negate, protos }, { family });
  }
  if ((portProtocols.has(protocol) || protocol === 'th') && (field === 'sport' || field === 'dport')) {
    const ports = portRanges(list, op);
    return one(ports && { kind: field, negate, ports }, protocol === 'th' ? {} : { proto: protocol });
  }
  if ((protocol === 'icmp' || protocol === 'icmpv6') && field === 'type') {
    const of = protocol === 'icmp' ? 4 : 6;
    const types = numberRanges(list, op, 255, name => icmpTypeNumber(of, name));
    return one(types && { kind: 'icmptype', negate, family: of, types }, { proto: protocolName(protocol) });
  }
  if (family && (field === 'ttl' || field === 'hoplimit')) {
    const values = numberRanges(list, op, 255);
    return one(values && { kind: 'hoplimit', negate, values }, { family });
  }
  if (protocol === 'tcp' && field === 'flags') {
    const found = flags(right);
    if (!found) return undefined;
    // `in` asks whether any of them is set, `!` whether none is.
    if (op === '!') return one({ kind: 'tcpflags', negate: false, mask: found, set: [] }, { proto: 'tcp' });
    if (op === 'in') return one({ kind: 'tcpflags', negate: true, mask: found, set: [] }, { proto: 'tcp' });
    if (equal) return one({ kind: 'tcpflags', negate, mask: allFlags, set: found }, { proto: 'tcp' });
  }
  return undefined;
}

function meta(key: string, { negate, equal, list }: Question): Understood | undefined {
  if (!equal) return undefined;
  const values = texts(list);
  const [only, more] = values ?? [];
  switch (key) {
    case 'iifname':
    case 'oifname':
    case 'iif':
    case 'oif': {
      // Names keep their case; an index without a name means an interface that is gone.
      const names = list?.every(item => typeof item === 'string') ? list : undefined;
      return one(names && { kind: key.startsWith('i') ? 'iif' : 'oif', negate, names });
    }
    case 'l4proto':
      return one(values && { kind: 'proto', negate, protos: values.map(protocolName) });
    case 'nfproto':
    case 'protocol': {
      const family = only === 'ipv4' || only === 'ip' ? 4 : only === 'ipv6' || only === 'ip6' ? 6 : undefined;
      return more === undefined ? one(family && { kind: 'nfproto', negate, family }) : undefined;
    }
    case 'pkttype':
      return one(values && { kind: 'pkttype', negate, types: values });
    case 'mark': {
      const [value, second] = list ?? [];
      return typeof value === 'number' && second === undefined
        ? one({ kind: 'mark', negate, value, mask: 0xffffffff })
        : undefined;
    }
    default:
      return undefined;
  }
}

function conntrack(body: Json, { negate, equal, list, op }: Question): Understood | undefined {
  const key = [textOf(body, 'family'), textOf(body, 'key')].filter(Boolean).join(' ');
  const original = textOf(body, 'dir') === 'original';
  const values = equal ? texts(list) : undefined;
  switch (key) {
    case 'state':
      return one(values && { kind: 'ctstate', negate, states: values });
    case 'mark': {
      const [value, second] = list ?? [];
      return equal && op !== 'in' && op !== '!' && typeof value === 'number' && second === undefined
        ? one({ kind: 'connmark', negate, value, mask: 0xffffffff })
        : undefined;
    }
    case 'status':
      // Only these two bits of the status are states as well (iptables' --ctstate DNAT); `==` compares all of its bits.
      return (op === 'in' || op === '!') && values?.every(value => value === 'dnat' || value === 'snat')
        ? one({ kind: 'ctstate', negate, states: values })
        : undefined;
    case 'direction': {
      const [only, more] = values ?? [];
      if (more !== undefined || only === undefined) return undefined;
      const direction = only === 'original' || only === '0' ? 'original' : 'reply';
      return one({ kind: 'ctdir', negate, direction });
    }
    case 'proto-dst': {
      const ports = original ? portRanges(list?.map(strangePort), op) : undefined;
      return one(ports && { kind: 'ctorigdport', negate, ports });
    }
    case 'ip daddr':
    case 'ip6 daddr':
    case 'ip saddr':
    case 'ip6 saddr': {
      const addresses = original && equal ? addressList(list) : undefined;
      const kind = key.endsWith('daddr') ? 'ctorigdst' : 'ctorigsrc';
      return one(addresses && { kind, negate, addresses }, { family: key.startsWith('ip6') ? 6 : 4 });
    }
    default:
      return undefined;
  }
}

/** `fib daddr type local`, `fib daddr . iif type local`, `fib saddr . iif oif missing` (which is `oif false`, or 0). */
function fib(body: Json, { negate, equal, list, right }: Question): Understood | undefined {
  const names = texts(elements({ set: isObject(body) ? (body['flags'] ?? null) : null }, () => undefined));
  const result = textOf(body, 'result');
  const [first, ...more] = names ?? [];
  if (result === 'oif') {
    const isBack = first === 'saddr' && more.includes('iif') && more.every(name => name === 'iif' || name === 'mark');
    const isMissing = right === false || right === 0 || right === 'missing';
    const isThere = right === true || right === 1 || right === 'exists';
    if (!isBack || !equal || !(isMissing || isThere)) return undefined;
    return one({ kind: 'rpath', negate: negate !== isMissing, withMark: more.includes('mark') });
  }
  const types = equal ? texts(list) : undefined;
  const kind = first === 'daddr' ? 'dsttype' : first === 'saddr' ? 'srctype' : undefined;
  const [on, further] = more;
  if (result !== 'type' || !kind || further !== undefined) return undefined;
  if (on !== undefined && on !== 'iif' && on !== 'oif') return undefined;
  return one(types && { kind, negate, types, ...(on !== undefined && { on }) });
}

/** `meta mark & 0xff == 1`, `tcp flags & (fin|syn) == syn`. */
function masked(parts: Json[], { negate, equal, right, op }: Question): Understood | undefined {
  const [left, mask, more] = parts;
  if (!equal || op === 'in' || op === '!' || left === undefined || mask === undefined || more !== undefined)
    return undefined;
  if (typeof mask === 'number' && typeof right === 'number') {
    if (textOf(child(left, 'meta'), 'key') === 'mark') return one({ kind: 'mark', negate, value: right, mask });
    if (textOf(child(left, 'ct'), 'key') === 'mark') return one({ kind: 'connmark', negate, value: right, mask });
  }
  const field = child(left, 'payload');
  if (textOf(field, 'protocol') === 'tcp' && textOf(field, 'field') === 'flags') {
    const [maskFlags, set] = [flags(mask), flags(right)];
    return maskFlags && set ? one({ kind: 'tcpflags', negate, mask: maskFlags, set }, { proto: 'tcp' }) : undefined;
  }
  return undefined;
}

function understand(left: Json, question: Question, findSet: FindSet): Understood | undefined {
  const found = tagged(left);
  if (!found) return undefined;
  switch (found.tag) {
    case 'payload':
      return payload(found.body, question);
    case 'meta':
      return meta(textOf(found.body, 'key') ?? '', question);
    case 'ct':
      return conntrack(found.body, question);
    case 'exthdr': {
      // Without the header a look into it ends the rule; whether it is there can be asked as well.
      const isThere = textOf(found.body, 'field') !== undefined || question.right === true || question.right === 1;
      const isAway = question.right === false || question.right === 0;
      const text = statementText({ match: { op: question.op, left, right: question.right } });
      if (isThere) return { matches: [{ kind: 'never', negate: false, text }] };
      return isAway && !question.negate ? { matches: [] } : undefined;
    }
    case 'fib':
      return fib(found.body, question);
    case '&':
      return masked(asList(found.body), question);
    case 'concat':
      return concatenated(asList(found.body), question, findSet);
    default:
      return undefined;
  }
}

/**
 * What a rule that fills a set asks of a connection, that is of any packet of it: the one before may have done it. Asking for
 * another set counts as asking nothing.
 */
const askedOnce = (bodies: readonly Json[], family: NetfilterFamily): RuleMatch[] =>
  bodies
    .flatMap(body => readMatch(body, family, () => undefined))
    .filter(({ kind }) => kind !== 'ctstate' && kind !== 'tcpflags' && kind !== 'unknown');

/** A match on a set of which not all elements hold at all times, or that may have more of them by now. */
function readUnsteady(
  body: Json,
  { left, negate, right, named }: { left: Json; negate: boolean; right: Json; named: NamedSet },
  family: NetfilterFamily,
): RuleMatch[] {
  const text = statementText({ match: body });
  const unsure: RuleMatch = { kind: 'unknown', text };
  const those = (list: Json[]) =>
    list.length === 0 ? undefined : readMatch({ left, right, op: '==' }, family, () => ({ elements: list }));
  const { family: implied, proto } = impliedOf([left]);
  const asked: RuleMatch[] = [
    ...(implied && mixedFamilies.has(family) ? [{ kind: 'nfproto' as const, negate: false, family: implied }] : []),
    ...(proto !== undefined ? [{ kind: 'proto' as const, negate: false, protos: [proto] }] : []),
  ];
  const steady = those(named.elements.filter(item => !isConditional(item)));
  const sometimes = those(named.elements.filter(isConditional));
  return [
    {
      kind: 'oneof',
      negate,
      alternatives: [
        ...(steady ? [steady] : []),
        ...(sometimes ? [[...sometimes, unsure]] : []),
        ...(named.fillers ?? []).map(filler => [...asked, ...askedOnce(filler, family), unsure]),
      ],
    },
  ];
}

/** `ip saddr . tcp dport { 10.0.0.1 . 80, 10.0.0.2 . 81 }`: each element is as many matches as there are fields. */
function concatenated(lefts: Json[], question: Question, findSet: FindSet): Understood | undefined {
  const { right } = question;
  const named = typeof right === 'string' ? findSet(right.replace(/^@/, ''))?.elements : undefined;
  // Without a set it is one element.
  const list = named ?? asList(isObject(right) ? (right['set'] ?? right) : null);
  if (!question.equal) return undefined;
  const all = list.map(item => {
    const body = tagged(item)?.tag === 'elem' ? tagged(item)?.body : undefined;
    const value = isObject(body) ? (body['val'] ?? null) : item;
    return alternative(lefts, asList(isObject(value) ? value['concat'] : null), findSet);
  });
  if (!all.every(item => item !== undefined)) return undefined;
  const [only, more] = all;
  const implied = impliedOf(lefts);
  if (only && more === undefined && !question.negate) return { ...implied, matches: only };
  return { ...implied, matches: [{ kind: 'oneof', negate: question.negate, alternatives: all }] };
}

function alternative(lefts: Json[], rights: Json[], findSet: FindSet): RuleMatch[] | undefined {
  if (rights.length !== lefts.length) return undefined;
  const parts = lefts.map((left, index) => {
    const right = rights[index] ?? null;
    return understand(left, { op: '==', negate: false, equal: true, right, list: elements(right, findSet) }, findSet);
  });
  return parts.every(part => part !== undefined) ? parts.flatMap(part => part.matches) : undefined;
}

/** The family and protocol that looking at these fields asks for. */
function impliedOf(lefts: Json[]): Omit<Understood, 'matches'> {
  const fields = lefts.map(left => {
    const protocol = textOf(child(left, 'payload'), 'protocol') ?? textOf(child(left, 'ct'), 'family');
    return protocol === undefined ? '' : protocol;
  });
  const family = fields.includes('ip') ? 4 : fields.includes('ip6') ? 6 : undefined;
  const proto = fields.find(field => portProtocols.has(field));
  return { ...(family && { family }), ...(proto !== undefined && { proto }) };
}

/**
 * What a match statement asks of a packet, with what it implies (a TCP port asks for TCP, in a table of both families an
 * IPv4 address for IPv4). One `unknown` when netdash does not evaluate it.
 * @param body what is under `match`
 * @param family of the rule's table
 */
export function readMatch(body: Json, family: NetfilterFamily, findSet: FindSet): RuleMatch[] {
  const left = isObject(body) ? (body['left'] ?? null) : null;
  const right = isObject(body) ? (body['right'] ?? null) : null;
  const op = textOf(body, 'op') ?? '==';
  const equal = op === '==' || op === '!=' || op === 'in' || op === '!';
  const named = typeof right === 'string' && right.startsWith('@') ? findSet(right.slice(1)) : undefined;
  if (named && equal && (named.fillers || named.elements.some(isConditional))) {
    return readUnsteady(body, { left, negate: op === '!=' || op === '!', right, named }, family);
  }
  const question: Question = { op, negate: op === '!=' || op === '!', equal, right, list: elements(right, findSet) };
  const found = understand(left, question, findSet);
  if (!found) return [{ kind: 'unknown', text: statementText({ match: body }) }];
  const implied: RuleMatch[] = [];
  if (found.family && mixedFamilies.has(family)) implied.push({ kind: 'nfproto', negate: false, family: found.family });
  if (found.proto) implied.push({ kind: 'proto', negate: false, protos: [found.proto] });
  return [...implied, ...found.matches];
}
