/** Who gets to a listener of the host that is bound to an interface (SO_BINDTODEVICE, socket(7)), as far as the interface tells it. */
import type { Interface, Listener } from '../schema.ts';
import { boundAddress, isLoopback, parseAddress } from './address.ts';
import { lanInterfaces, mayHaveNeighbours } from './subjects.ts';

/** The place of a listener that is bound to `device`. */
export type Bound = Pick<Listener, 'address' | 'v6only'> & { device: string };

/**
 * - `others`: those who come by the interface from off this host, who have to be asked
 * - `here`: this host itself, and what is on a bridge of Docker's, but nobody off this host
 * - `nobody`, `unknown`: not even this host; not known
 */
export type Met = { by: 'others' } | { by: 'here' | 'nobody' | 'unknown'; why: string };

/**
 * Whether the host itself gets to a socket that is bound to an interface: what it sends to an address of its own counts as come by
 * the interface that has that address (inet_iif in include/net/route.h), so that at the address of another one it is refused.
 * With the interface down, connections are not answered, though IPv4 keeps its addresses (measured on 6.18).
 */
function hostMeets({ address: bound, v6only }: Bound, { name, up, addresses }: Interface): boolean {
  const text = boundAddress(bound);
  const address = parseAddress(text);
  if (address && isLoopback(address)) return name === 'lo';
  if (!up) return false;
  if (text === '0.0.0.0') return addresses.some(({ family }) => family === 4);
  if (text === '::') return addresses.some(({ family }) => family === 6 || v6only !== true);
  return addresses.some(own => own.address === text);
}

/** The masters (ip-link(8)) of which it is measured that what comes by a port of theirs counts as come by them. */
const takesAll: ReadonlySet<string> = new Set(['bridge']);

/**
 * Who gets to what is bound to an interface of the host.
 * @param interfaces the host's own
 */
export function metBy(bound: Bound, interfaces: readonly Interface[]): Met {
  const { device } = bound;
  const there = interfaces.find(({ name }) => name === device);
  const isBound = `it is bound to ${device}`;
  if (!there && device !== 'lo') return { by: 'unknown', why: `${isBound}, of which nothing is known` };
  const master = interfaces.find(({ name }) => name === there?.master);
  const isPort = there?.master !== undefined;
  const isPassedOn = isPort && master !== undefined && takesAll.has(master.kind);
  // A VRF's ports, and what is bound to the VRF itself, take from each other.
  if (there?.kind === 'vrf' || (isPort && !isPassedOn))
    return { by: 'unknown', why: `${isBound}, whose packets netdash does not follow` };
  if (there && mayHaveNeighbours(there)) {
    if (lanInterfaces({ interfaces }).includes(there)) return { by: 'others' };
    return { by: 'unknown', why: `${isBound}, which has no address that tells who is on it` };
  }
  if (there && !hostMeets(bound, there)) {
    const lacks = there.up ? `does not have ${lackOf(bound)}` : 'is down';
    return { by: 'nobody', why: `${isBound}, which ${lacks}: neither this host nor anybody off it reaches it` };
  }
  if (device === 'lo') return { by: 'here', why: `${isBound}: only this host itself reaches it` };
  if (isPassedOn) {
    const why = `${isBound}, a port of the bridge ${there?.master}, by which all counts as come that comes there: only this host itself reaches it`;
    return { by: 'here', why };
  }
  const why = `${isBound}, which leads to nobody off this host: only this host and what is on ${device} reach it`;
  return { by: 'here', why };
}

function lackOf({ address, v6only }: Bound): string {
  const text = boundAddress(address);
  if (text === '0.0.0.0') return 'an IPv4 address';
  return text === '::' ? (v6only === true ? 'an IPv6 address' : 'an address') : text;
}
