/** Writes nft's JSON as nft itself would print the rule: nft(8). What is not known here is written as its JSON. */
import { asList, isObject, numberOf, tagged, textOf, type Json } from './nft-json.ts';

const quoted = (text: string): string => `"${text}"`;

/** Whether values compared with this expression are interface names, which nft quotes. */
const isDevice = (expression: Json): boolean =>
  /^[io]if(name)?$|^[io]brname$/.test(textOf(isObject(expression) ? expression['meta'] : undefined, 'key') ?? '');

const isMark = (expression: Json): boolean => {
  const key = tagged(expression);
  if (key?.tag === '&') return isMark(asList(key.body)[0] ?? null);
  return (key?.tag === 'meta' || key?.tag === 'ct') && textOf(key.body, 'key') === 'mark';
};

const bitOperators = new Set(['&', '|', '^', '<<', '>>']);

/** Meta keys that nft prints without `meta`. */
const bareMeta = /^(iif|oif|iifname|oifname|iifgroup|oifgroup|ibrname|obrname)$/;

/** How to write a plain value next to an expression: names of interfaces in quotes, marks in hex. */
type Style = 'plain' | 'device' | 'mark';

const styleOf = (left: Json): Style => (isDevice(left) ? 'device' : isMark(left) ? 'mark' : 'plain');

function value(json: string | number | boolean | null, style: Style): string {
  if (style === 'mark' && typeof json === 'number') return `0x${json.toString(16).padStart(8, '0')}`;
  const isName = typeof json === 'string' && json !== '*' && !json.startsWith('@');
  return style === 'device' && isName ? quoted(json) : String(json);
}

/** An element of a map: `key : value`. */
function pair(json: Json, style: Style): string {
  if (!Array.isArray(json) || json.length !== 2) return expressionText(json, style);
  return `${expressionText(json[0] ?? null, style)} : ${verdictText(json[1] ?? null)}`;
}

/** A verdict (`jump x`, `accept`), or the plain value of a data map. */
export function verdictText(json: Json): string {
  const verdict = tagged(json);
  if (!verdict) return expressionText(json);
  const target = textOf(verdict.body, 'target');
  if (target !== undefined) return `${verdict.tag} ${target}`;
  return verdict.body === null ? verdict.tag : expressionText(json);
}

const flagsText = (body: Json, separator: string): string =>
  asList(isObject(body) ? body['flags'] : null)
    .map(flag => expressionText(flag))
    .join(separator);

function ctText(body: Json): string {
  return ['ct', textOf(body, 'dir'), textOf(body, 'family'), textOf(body, 'key')].filter(Boolean).join(' ');
}

/** An expression: what a rule looks at, or what it compares with. */
export function expressionText(json: Json, style: Style = 'plain'): string {
  if (Array.isArray(json)) return json.map(item => expressionText(item, style)).join(',');
  const found = tagged(json);
  if (!found || !isObject(json)) return isObject(json) ? '{}' : value(json, style);
  const { tag, body } = found;
  const list = asList(body);
  if (bitOperators.has(tag)) return list.map(item => operand(item, style)).join(` ${tag} `);
  switch (tag) {
    case 'prefix':
      return `${textOf(body, 'addr') ?? '?'}/${numberOf(body, 'len') ?? '?'}`;
    case 'range':
      return list.map(item => expressionText(item, style)).join('-');
    case 'set':
      return `{ ${list.map(item => pair(item, style)).join(', ')} }`;
    case 'concat':
      return list.map(item => expressionText(item, style)).join(' . ');
    case 'elem':
      return isObject(body) ? pair(body['val'] ?? null, style) : '?';
    case 'payload':
      return textOf(body, 'protocol') === undefined
        ? `@${textOf(body, 'base') ?? '?'},${numberOf(body, 'offset') ?? '?'},${numberOf(body, 'len') ?? '?'}`
        : `${textOf(body, 'protocol') ?? ''} ${textOf(body, 'field') ?? ''}`;
    case 'exthdr': {
      const [name, field] = [textOf(body, 'name') ?? '?', textOf(body, 'field')];
      return field === undefined ? `exthdr ${name}` : `${name} ${field}`;
    }
    case 'meta': {
      const key = textOf(body, 'key') ?? '?';
      return bareMeta.test(key) ? key : `meta ${key}`;
    }
    case 'ct':
      return ctText(body);
    case 'fib':
      return `fib ${flagsText(body, ' . ')} ${textOf(body, 'result') ?? ''}`;
    case 'map':
      return isObject(body) ? lookupText(body, 'map') : '?';
    default:
      return JSON.stringify(json);
  }
}

const operand = (json: Json, style: Style): string => {
  const text = expressionText(json, style);
  return bitOperators.has(tagged(json)?.tag ?? '') ? `(${text})` : text;
};

/** `KEY vmap @name` or `KEY vmap { a : accept }`. */
export function lookupText(body: Json, word: 'map' | 'vmap'): string {
  if (!isObject(body)) return word;
  const key = body['key'] ?? null;
  return `${expressionText(key)} ${word} ${expressionText(body['data'] ?? null, styleOf(key))}`;
}

function matchText(body: Json): string {
  if (!isObject(body)) return 'match';
  const left = body['left'] ?? null;
  const op = textOf(body, 'op') ?? '==';
  // Bit operations need the operator spelt out to be read right.
  const shown = op === 'in' || (op === '==' && !bitOperators.has(tagged(left)?.tag ?? '')) ? '' : `${op} `;
  return `${expressionText(left)} ${shown}${expressionText(body['right'] ?? null, styleOf(left))}`;
}

function natText(tag: string, body: Json): string {
  if (!isObject(body)) return tag;
  const address = body['addr'] === undefined ? '' : expressionText(body['addr']);
  const port = body['port'] === undefined ? '' : `:${expressionText(body['port'])}`;
  const to = address.includes(':') && port !== '' ? `[${address}]${port}` : `${address}${port}`;
  const flags = flagsText(body, ',');
  return [tag, textOf(body, 'family'), to && `to ${to}`, flags].filter(Boolean).join(' ');
}

function limitText(body: Json): string {
  const over = isObject(body) && body['inv'] === true ? 'over ' : '';
  const rateUnit = textOf(body, 'rate_unit');
  const rate = `${numberOf(body, 'rate') ?? '?'}${rateUnit === undefined || rateUnit === 'packets' ? '' : ` ${rateUnit}`}`;
  const burst = numberOf(body, 'burst');
  const tail = burst === undefined || burst === 0 ? '' : ` burst ${burst} ${textOf(body, 'burst_unit') ?? 'packets'}`;
  return `limit rate ${over}${rate}/${textOf(body, 'per') ?? '?'}${tail}`;
}

function logText(body: Json): string {
  const parts = Object.entries(isObject(body) ? body : {}).map(([key, item]) =>
    key === 'prefix' ? `prefix ${quoted(expressionText(item))}` : `${key} ${expressionText(item)}`,
  );
  return ['log', ...parts].join(' ');
}

function rejectText(body: Json): string {
  const type = textOf(body, 'type');
  if (type === undefined) return 'reject';
  return `reject with ${[type, isObject(body) && body['expr'] !== undefined && expressionText(body['expr'])].filter(Boolean).join(' ')}`;
}

/** One statement of a rule. */
export function statementText(json: Json): string {
  const found = tagged(json);
  if (!found) return expressionText(json);
  const { tag, body } = found;
  switch (tag) {
    case 'match':
      return matchText(body);
    case 'counter':
      return isObject(body)
        ? `counter packets ${numberOf(body, 'packets') ?? 0} bytes ${numberOf(body, 'bytes') ?? 0}`
        : ['counter', typeof body === 'string' && `name ${quoted(body)}`].filter(Boolean).join(' ');
    case 'dnat':
    case 'snat':
    case 'masquerade':
    case 'redirect':
      return natText(tag, body);
    case 'vmap':
      return lookupText(body, 'vmap');
    case 'limit':
      return limitText(body);
    case 'log':
      return logText(body);
    case 'reject':
      return rejectText(body);
    case 'mangle': {
      const key = isObject(body) ? (body['key'] ?? null) : null;
      return `${expressionText(key)} set ${expressionText(isObject(body) ? (body['value'] ?? null) : null, styleOf(key))}`;
    }
    case 'set':
      return isObject(body)
        ? `${textOf(body, 'op') ?? 'add'} ${textOf(body, 'set') ?? ''} { ${expressionText(body['elem'] ?? null)} }`
        : tag;
    case 'xt':
      return ['xt', textOf(body, 'type'), textOf(body, 'name')].filter(Boolean).join(' ');
    default:
      return body === null || textOf(body, 'target') !== undefined ? verdictText(json) : JSON.stringify(json);
  }
}
