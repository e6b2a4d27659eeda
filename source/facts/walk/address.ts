/** Addresses as numbers, for comparing: IPv4 as a number, IPv6 as a bigint. */
import ipaddr from 'ipaddr.js';

export type Family = 4 | 6;

/** Three-valued truth: what cannot be told is `maybe`. */
export type Truth = 'yes' | 'no' | 'maybe';

/** One address (`from` equals `to`), or somebody of whom only the range is known. Both ends belong to it. */
export interface Span {
  readonly family: Family;
  readonly from: number | bigint;
  readonly to: number | bigint;
}

const bitsOf = (family: Family): number => (family === 4 ? 32 : 128);

function valueOf(parsed: ipaddr.IPv4 | ipaddr.IPv6): number | bigint {
  const bytes = parsed.toByteArray();
  if (bytes.length === 4) return bytes.reduce((sum, byte) => sum * 256 + byte, 0);
  return bytes.reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
}

/** The usual form of IPv4, quicker than the parser that knows all forms; undefined for any other text. */
function parsePlain4(text: string): Span | undefined {
  let value = 0;
  let part = 0;
  let digits = 0;
  let dots = 0;
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at) - 48;
    if (code === -2 && digits > 0) {
      value = value * 256 + part;
      part = 0;
      digits = 0;
      dots += 1;
    } else if (code >= 0 && code <= 9 && (part > 0 || digits === 0)) {
      part = part * 10 + code;
      digits += 1;
      if (part > 255) return undefined;
    } else return undefined;
  }
  if (dots !== 3 || digits === 0) return undefined;
  value = value * 256 + part;
  return { family: 4, from: value, to: value };
}

/** A single address; undefined for text that is none. A v4-mapped IPv6 address is the IPv4 address. */
export function parseAddress(text: string): Span | undefined {
  const plain = parsePlain4(text);
  if (plain) return plain;
  if (!ipaddr.isValid(text)) return undefined;
  const parsed = ipaddr.process(text);
  const value = valueOf(parsed);
  return { family: parsed.kind() === 'ipv4' ? 4 : 6, from: value, to: value };
}

/**
 * What a socket that is bound to an address takes: one on a v4-mapped IPv6 address (`::ffff:a.b.c.d`) takes IPv4 at a.b.c.d alone,
 * and every IPv4 address on `::ffff:0.0.0.0` (ipv6(7)).
 * @param address canonical text
 * @returns the IPv4 address of a v4-mapped one; any other text as it is
 */
export const boundAddress = (address: string): string => address.replace(/^::ffff:(?=\d+\.)/, '');

/** An address as rules and routes write it: a v4-mapped one is one of IPv6 there. */
function parseLiteral(text: string): Span | undefined {
  const plain = parsePlain4(text);
  if (plain) return plain;
  if (!ipaddr.isValid(text)) return undefined;
  const parsed = ipaddr.parse(text);
  const value = valueOf(parsed);
  return { family: parsed.kind() === 'ipv4' ? 4 : 6, from: value, to: value };
}

/** The span of `10.0.0.0/8`, `10.0.0.1-10.0.0.9` or a single address; host bits of a CIDR are ignored. */
export function parseSpan(text: string): Span | undefined {
  const dash = text.indexOf('-');
  if (dash >= 0) {
    const [first, last] = [parseLiteral(text.slice(0, dash)), parseLiteral(text.slice(dash + 1))];
    return first && last && first.family === last.family
      ? { family: first.family, from: first.from, to: last.to }
      : undefined;
  }
  const slash = text.indexOf('/');
  const address = parseLiteral(slash < 0 ? text : text.slice(0, slash));
  if (!address || slash < 0) return address;
  return spanOfPrefix(address, Number(text.slice(slash + 1)));
}

/** The subnet that an address is in. */
export function spanOfPrefix({ family, from }: Span, prefixLength: number): Span | undefined {
  const bits = bitsOf(family);
  if (!Number.isInteger(prefixLength) || prefixLength < 0 || prefixLength > bits) return undefined;
  if (typeof from === 'number') {
    const size = 2 ** (bits - prefixLength);
    const base = Math.floor(from / size) * size;
    return { family, from: base, to: base + size - 1 };
  }
  const size = 1n << BigInt(bits - prefixLength);
  const base = (from / size) * size;
  return { family, from: base, to: base + size - 1n };
}

/** The subnet on the link of an interface's address: of its prefix, or, where it has a peer, of that one's (ip-address(8)). */
export function subnetOf(own: { address: string; peer?: string | undefined; prefixLength: number }): Span | undefined {
  const address = parseAddress(own.peer ?? own.address);
  return address && spanOfPrefix(address, own.prefixLength);
}

/** The length, in bits, of the prefix that a subnet is; of a span that is none, of the shortest that it needs. */
export function prefixLengthOf({ family, from, to }: Span): number {
  let length = family === 4 ? 32 : 128;
  for (let size = BigInt(to) - BigInt(from); size > 0n; size >>= 1n) length -= 1;
  return length;
}

/** Everything there is of a family. */
export function anyAddress(family: Family): Span {
  return family === 4 ? { family, from: 0, to: 2 ** 32 - 1 } : { family, from: 0n, to: (1n << 128n) - 1n };
}

export const isSingle = (span: Span): boolean => span.from === span.to;
export const sameSpan = (a: Span, b: Span): boolean => a.family === b.family && a.from === b.from && a.to === b.to;

/** Whether `inner` lies in `outer` with all its addresses. */
export const covers = (outer: Span, inner: Span): boolean =>
  outer.family === inner.family && outer.from <= inner.from && inner.to <= outer.to;

/** Whether somebody in `who` is in one of the ranges; the ranges must not overlap each other to be sure of a `yes`. */
export function isIn(who: Span, ranges: readonly Span[]): Truth {
  let touched = false;
  for (const range of ranges) {
    if (range.family !== who.family || range.to < who.from || who.to < range.from) continue;
    if (range.from <= who.from && who.to <= range.to) return 'yes';
    touched = true;
  }
  return touched ? 'maybe' : 'no';
}

/** The text of an address, or of a range as `from-to`. */
export function spanText(span: Span): string {
  const text = (value: number | bigint): string => {
    if (typeof value === 'number') {
      return `${(value >>> 24) & 255}.${(value >>> 16) & 255}.${(value >>> 8) & 255}.${value & 255}`;
    }
    const bytes: number[] = [];
    let rest = value;
    for (let at = 0; at < bitsOf(span.family) / 8; at += 1) {
      bytes.unshift(Number(rest & 255n));
      rest >>= 8n;
    }
    return ipaddr.fromByteArray(bytes).toString();
  };
  return isSingle(span) ? text(span.from) : `${text(span.from)}-${text(span.to)}`;
}

const loopback4: Span = { family: 4, from: 0x7f000000, to: 0x7fffffff };

/** Whether it is a loopback address (127.0.0.0/8, ::1). */
export const isLoopback = (span: Span): boolean => covers(loopback4, span) || (span.family === 6 && span.to === 1n);

/** Whether it is a link-local IPv6 address (fe80::/10). */
export const isLinkLocal = (span: Span): boolean => typeof span.from === 'bigint' && span.from >> 118n === 0x3fan;

const multicast4: Span = { family: 4, from: 0xe0000000, to: 0xefffffff };

/** Whether it is a multicast address (224.0.0.0/4, ff00::/8). */
export const isMulticast = (span: Span): boolean =>
  typeof span.from === 'bigint' ? span.from >> 120n === 0xffn : covers(multicast4, span);

/** `10.0.0.5:80`, `[fd00::5]:80`. */
export function placeText(address: Span, port: number): string {
  const text = spanText(address);
  return address.family === 6 ? `[${text}]:${port}` : `${text}:${port}`;
}
