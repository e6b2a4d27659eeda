/** The targets of an iptables-save rule: what follows `-j`. iptables-extensions(8), "TARGET EXTENSIONS". */
import type { Range, RuleTarget } from '../readings.ts';
import { canonicalAddress, canonicalAddressRange, canonicalCidr } from './addresses.ts';
import { parseMark, parsePortRange } from './xtables-matches.ts';

/** Targets that go on with the next rule and change nothing that a later match of netdash's could see. */
const passing = new Set(
  'AUDIT CHECKSUM CLASSIFY DSCP ECN IDLETIMER LED NFLOG RATEEST SECMARK CONNSECMARK SET TCPMSS TCPOPTSTRIP TEE TOS TRACE ULOG'.split(
    ' ',
  ),
);

/** Options of the NAT targets that pick among equals: no verdict hangs on them. */
const natFlags = new Set(['--random', '--random-fully', '--persistent']);

/**
 * `172.17.0.2:80`, `10.0.0.1-10.0.0.9:80-90`, `[fd00::2]:80`, `fd00::2`, `:8080`. A base port after a slash (`:80-90/100`)
 * shifts ports one by one and is not understood.
 */
function natTarget(kind: 'dnat' | 'snat', text: string): RuleTarget | undefined {
  const found =
    /^(?:\[([^\]]+)\]|([0-9.]+(?:-[0-9.]+)?)|([0-9a-fA-F:.]*:[0-9a-fA-F:.]*:[0-9a-fA-F:.-]*))?(?::([\d-]+))?$/.exec(
      text,
    );
  if (!found || text === '') return undefined;
  const given = found[1] ?? found[2] ?? found[3];
  const address = given === undefined ? undefined : (canonicalAddress(given) ?? canonicalAddressRange(given));
  const port = found[4] === undefined ? undefined : parsePortRange(found[4]);
  if ((given !== undefined && address === undefined) || (found[4] !== undefined && port === undefined))
    return undefined;
  return { kind, ...(address !== undefined && { address }), ...(port && { port }) };
}

/** What MARK does, from its one option; undefined when it has another. */
function markTarget(options: readonly string[]): RuleTarget | undefined {
  const [name, text = '', more] = options;
  const mark = parseMark(text);
  if (!mark || more !== undefined) return undefined;
  const all = 0xffffffff;
  switch (name ?? '') {
    case '--set-xmark':
      return { kind: 'mark', ...mark };
    case '--set-mark':
      return { kind: 'mark', value: mark.value, mask: (mark.mask | mark.value) >>> 0 };
    case '--or-mark':
      return { kind: 'mark', value: mark.value, mask: mark.value };
    case '--and-mark':
      return { kind: 'mark', value: 0, mask: (all & ~mark.value) >>> 0 };
    case '--xor-mark':
      return { kind: 'mark', value: mark.value, mask: 0 };
    default:
      return undefined;
  }
}

/** What CONNMARK does; iptables-save prints all its ways of setting as `--set-xmark`. */
function connmarkTarget(options: readonly string[]): RuleTarget | undefined {
  const [name, ...rest] = options;
  if (name === '--set-xmark' || name === '--set-mark') {
    const mark = markTarget(options);
    return mark?.kind === 'mark' ? { ...mark, kind: 'setconnmark' } : undefined;
  }
  if (name !== '--save-mark' && name !== '--restore-mark') return undefined;
  const [packet, packetMask = '0xffffffff', conn, connMask = '0xffffffff', more] = rest;
  const isPlain = (packet ?? '--nfmask') === '--nfmask' && (conn ?? '--ctmask') === '--ctmask' && more === undefined;
  const masks = { packetMask: Number(packetMask), connMask: Number(connMask) };
  if (!isPlain || !Object.values(masks).every(Number.isInteger)) return undefined;
  return { kind: name === '--save-mark' ? 'savemark' : 'restoremark', ...masks };
}

/** The one `--to-ports` of MASQUERADE and REDIRECT; null when the options hold something else. */
function toPorts(options: readonly string[]): Range | undefined | null {
  const rest = options.filter(option => !natFlags.has(option));
  if (rest.length === 0) return undefined;
  return rest[0] === '--to-ports' && rest.length === 2 ? (parsePortRange(rest[1] ?? '') ?? null) : null;
}

function portTarget(kind: 'redirect' | 'masquerade', options: readonly string[]): RuleTarget | undefined {
  const port = toPorts(options);
  return port === null ? undefined : { kind, ...(port && { port }) };
}

/** What hosts send with (IPDEFTTL of the kernel, net.ipv4.ip_default_ttl): as many hops as their own packets may take. */
const usualHops = 64;

/**
 * TTL and HL (iptables-extensions(8)) change nothing that matters where enough hops are left. Otherwise the packet ends at the
 * router that has none left, the host itself where it forwards (ip_forward.c), and which that is hangs on its way.
 */
function hopsTarget(name: 'TTL' | 'HL', [option, value = '', more]: readonly string[]): RuleTarget | undefined {
  const prefix = `--${name.toLowerCase()}`;
  const isEnough =
    /^\d+$/.test(value) &&
    more === undefined &&
    (option === `${prefix}-inc` || (option === `${prefix}-set` && Number(value) >= usualHops));
  return isEnough ? { kind: 'continue', text: name } : undefined;
}

function known(name: string, options: readonly string[]): RuleTarget | undefined {
  switch (name) {
    case 'ACCEPT':
    case 'DROP':
    case 'RETURN':
      return options.length === 0
        ? { kind: name === 'ACCEPT' ? 'accept' : name === 'DROP' ? 'drop' : 'return' }
        : undefined;
    case 'REJECT':
      return { kind: 'reject', ...(options[0] === '--reject-with' && { with: options[1] }) };
    case 'DNAT':
    case 'SNAT': {
      const rest = options.filter(option => !natFlags.has(option));
      const wanted = name === 'DNAT' ? '--to-destination' : '--to-source';
      return rest[0] === wanted && rest.length === 2
        ? natTarget(name === 'DNAT' ? 'dnat' : 'snat', rest[1] ?? '')
        : undefined;
    }
    case 'NETMAP': {
      const [option, prefix, more] = options;
      const found = option === '--to' && more === undefined ? canonicalCidr(prefix ?? '') : undefined;
      return found === undefined ? undefined : { kind: 'netmap', prefix: found };
    }
    case 'MASQUERADE':
      return portTarget('masquerade', options);
    case 'REDIRECT':
      return portTarget('redirect', options);
    case 'MARK':
      return markTarget(options);
    case 'LOG':
      return { kind: 'log' };
    case 'TTL':
    case 'HL':
      return hopsTarget(name, options);
    case 'CONNMARK':
      return connmarkTarget(options);
    default:
      return passing.has(name) ? { kind: 'continue', text: name } : undefined;
  }
}

/**
 * What a rule does with a packet that matches.
 * @param verb `-j` or `-g`
 * @param name the word after it
 * @param options the words after that, quoting undone
 * @param isChain whether `name` is a user chain of the rule's table
 */
export function parseTarget(
  verb: '-j' | '-g',
  name: string,
  options: readonly string[],
  isChain: (name: string) => boolean,
): RuleTarget {
  if (isChain(name) && options.length === 0) return { kind: verb === '-g' ? 'goto' : 'jump', chain: name };
  return known(name, options) ?? { kind: 'unknown', text: [verb, name, ...options].join(' ') };
}
