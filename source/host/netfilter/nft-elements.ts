/** The right side of an nft match (libnftables-json(5)): values, ranges, prefixes and the elements of sets. */
import type { Range } from '../readings.ts';
import { canonicalAddressRange, canonicalCidr } from './addresses.ts';
import { asList, isObject, numberOf, tagged, textOf, type FindSet, type Json } from './nft-json.ts';

/** One value of the right side of a match. */
export type Element =
  string | number | { from: string | number; to: string | number } | { address: string; length: number };

const isPlain = (json: Json | undefined): json is string | number =>
  typeof json === 'string' || typeof json === 'number';

function element(json: Json): Element | undefined {
  if (isPlain(json)) return json;
  const found = tagged(json);
  if (!found) return undefined;
  if (found.tag === 'elem' && isObject(found.body)) return element(found.body['val'] ?? null);
  if (found.tag === 'prefix') {
    const address = textOf(found.body, 'addr');
    const length = numberOf(found.body, 'len');
    return address === undefined || length === undefined ? undefined : { address, length };
  }
  const [from, to] = found.tag === 'range' ? asList(found.body) : [];
  return isPlain(from) && isPlain(to) ? { from, to } : undefined;
}

/** Keys of an element that make nothing of it hang on more than its value. */
const plainKeys = new Set(['val', 'timeout', 'expires', 'comment', 'counter']);

/** Whether an element holds only at times: it has a limit or a quota of its own. */
export const isConditional = (json: Json): boolean => {
  const found = tagged(json);
  return found?.tag === 'elem' && isObject(found.body) && !Object.keys(found.body).every(key => plainKeys.has(key));
};

/** The values of the right side: of a set, a named set as it is now, a list of flags, or one. */
export function elements(right: Json, findSet: FindSet): Element[] | undefined {
  const set =
    typeof right === 'string' && right.startsWith('@')
      ? findSet(right.slice(1))?.elements
      : isObject(right) && right['set'] !== undefined
        ? asList(right['set'])
        : asList(right);
  const found = set?.map(element);
  return found?.every(item => item !== undefined) ? found : undefined;
}

/** Their texts in lower case; undefined when one of them is more than a word or a number. */
export const texts = (list: Element[] | undefined): string[] | undefined => {
  const found = list?.map(item => (typeof item === 'object' ? undefined : String(item).toLowerCase()));
  return found?.every(item => item !== undefined) ? found : undefined;
};

/** Their addresses as CIDR or `from-to`; undefined when one of them is none. */
export function addressList(list: Element[] | undefined): string[] | undefined {
  const found = list?.map(item => {
    if (typeof item === 'number') return undefined;
    if (typeof item === 'string') return canonicalCidr(item);
    return 'address' in item
      ? canonicalCidr(`${item.address}/${item.length}`)
      : canonicalAddressRange(`${item.from}-${item.to}`);
  });
  return found?.every(item => item !== undefined) ? found : undefined;
}

/** Their ports as ranges, as the operator asks for them. */
export const portRanges = (list: Element[] | undefined, op: string): Range[] | undefined =>
  numberRanges(list, op, 65535);

/** Ranges of numbers up to `most`; `byName` knows what nft prints by name. */
export function numberRanges(
  list: Element[] | undefined,
  op: string,
  most: number,
  byName: (name: string) => number | undefined = () => undefined,
): Range[] | undefined {
  const found = list?.map((item): Range | undefined => {
    const single = typeof item === 'string' ? byName(item) : item;
    if (typeof single === 'number') return [single, single];
    if (single === undefined || typeof item === 'string' || typeof single === 'string' || 'address' in single)
      return undefined;
    const ends = [single.from, single.to].map(end => (typeof end === 'string' ? byName(end) : end));
    const [from, to] = ends;
    return from === undefined || to === undefined ? undefined : [from, to];
  });
  if (!found?.every(item => item !== undefined)) return undefined;
  if (op === '==' || op === '!=' || op === 'in' || op === '!') return found;
  const [only, more] = found;
  if (!only || more || only[0] !== only[1]) return undefined;
  const port = only[0];
  if (op === '<') return [[0, port - 1]];
  if (op === '<=') return [[0, port]];
  return [[op === '>' ? port + 1 : port, most]];
}

/** nft 1.0.6 prints the ports of a set of `ct original proto-dst` as `0x1f90 [invalid type]`. */
export const strangePort = (item: Element): Element => {
  const found = typeof item === 'string' ? /^(0x[0-9a-f]{1,4}) \[invalid type\]$/.exec(item) : null;
  return found ? Number(found[1]) : item;
};
