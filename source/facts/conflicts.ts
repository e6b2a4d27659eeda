/** Whether two claims can both be held: the judgement of the kernel's bind(). */
import { reachOf, type Claim } from './claims.ts';

/** true: EADDRINUSE; false: both can be held; `unknown`: it hangs on something that was not readable. */
export type Conflict = boolean | 'unknown';

const wildcards = new Set(['0.0.0.0', '::']);
const meet = (a: string | undefined, b: string | undefined) =>
  a !== undefined && b !== undefined && (a === b || wildcards.has(a) || wildcards.has(b));

/**
 * Judges whether bind() (with listen(), for TCP) refuses `asked` with EADDRINUSE while `held` is held, both in one
 * netns. Rules of Linux's inet_csk_get_port and udp_lib_get_port, measured for every kind of pair (test/facts/bind.test.ts):
 * - other protocol or other port: never
 * - bound to two different interfaces: never
 * - the addresses must meet: equal, or one a wildcard of a family that the other takes as well; `::` without IPV6_V6ONLY
 *   takes both families, a v4-mapped address is an IPv4 one
 * - allowed all the same when both have SO_REUSEPORT and one owner, or both have SO_REUSEADDR and (UDP, or `held` is not listening)
 *
 * A `::` whose IPV6_V6ONLY is not known gives `unknown` against IPv4 addresses.
 */
export function bindConflict(held: Claim, asked: Claim): Conflict {
  if (held.proto !== asked.proto || held.port !== asked.port) return false;
  if (held.device !== undefined && asked.device !== undefined && held.device !== asked.device) return false;
  if (held.reusePort === true && asked.reusePort === true && held.uid === asked.uid) return false;
  const lenient = held.proto === 'udp' || held.listening === false;
  if (held.reuseAddr === true && asked.reuseAddr === true && lenient) return false;
  const a = reachOf(held);
  const b = reachOf(asked);
  if (meet(a.v4, b.v4) || meet(a.v6, b.v6)) return true;
  const open = (a.v4Unknown && b.v4 !== undefined) || (b.v4Unknown && a.v4 !== undefined);
  return open ? 'unknown' : false;
}
