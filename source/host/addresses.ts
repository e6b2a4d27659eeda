/** IP addresses in the one text form that readings use. */
import { endianness } from 'node:os';
import ipaddr from 'ipaddr.js';
import { ownText } from './own-text.ts';

/** Four decimal parts of at most 255, without leading zeros: already canonical, and most of all addresses by far. */
const plainIpv4 = /^(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?!$)|$)){4}$/;

/**
 * The address in canonical text: IPv6 compressed and in lower case (RFC 5952), v4-mapped as `::ffff:a.b.c.d`, without a
 * zone (`%eth0`). undefined when it is no address; IPv4 must be four decimal parts.
 */
export function canonicalAddress(address: string): string | undefined {
  if (address === '') return undefined;
  if (plainIpv4.test(address)) return address;
  const bare = address.split('%')[0]!;
  if (!bare.includes(':'))
    return ipaddr.IPv4.isValidFourPartDecimal(bare) ? ipaddr.IPv4.parse(bare).toString() : undefined;
  let text = textOf.get(bare);
  if (text === undefined) {
    if (!ipaddr.IPv6.isValid(bare)) return undefined;
    const parsed = ipaddr.IPv6.parse(bare);
    text = parsed.isIPv4MappedAddress() ? `::ffff:${parsed.toIPv4Address().toString()}` : parsed.toRFC5952String();
    if (textOf.size > mostTexts) textOf.clear();
    textOf.set(ownText(bare), text);
  }
  return text;
}

/** Canonical texts of IPv6 addresses by others, so many at most: to parse one takes long, and the same few come with every reading. */
const textOf = new Map<string, string>();
const mostTexts = 10_000;

const littleEndian = endianness() === 'LE';

/** The address that the kernel printed as words of eight hex digits in the host's byte order; undefined for anything else. */
export function procAddress(hex: string, wordsAreLittleEndian = littleEndian): string | undefined {
  // Most of all listeners are on one of the wildcards.
  if (hex === '00000000') return '0.0.0.0';
  if (hex === '00000000000000000000000000000000') return '::';
  if (!/^(?:[0-9A-F]{8}|[0-9A-F]{32})$/i.test(hex)) return undefined;
  const bytes: number[] = [];
  for (let word = 0; word < hex.length; word += 8) {
    const four = [0, 2, 4, 6].map(offset => Number.parseInt(hex.slice(word + offset, word + offset + 2), 16));
    bytes.push(...(wordsAreLittleEndian ? four.toReversed() : four));
  }
  if (bytes.length === 4) return bytes.join('.');
  return addressOfBytes(bytes);
}

/** Canonical text of the 16 bytes of an IPv6 address; undefined for another number of bytes. */
export function addressOfBytes(bytes: readonly number[]): string | undefined {
  const groups: string[] = [];
  for (let at = 0; at < 16; at += 2) groups.push(((bytes[at]! << 8) | bytes[at + 1]!).toString(16));
  return canonicalAddress(groups.join(':'));
}

/** An IPv4 address as an unsigned number; undefined for anything else. */
export function ipv4Number(address: string): number | undefined {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(address);
  if (!match) return undefined;
  return match.slice(1).reduce((number, byte) => number * 256 + Number(byte), 0);
}
