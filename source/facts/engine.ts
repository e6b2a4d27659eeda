/** What follows from what a daemon says of itself. */
import type { EngineReading } from '../host/readings.ts';

/**
 * Whether it is known that the daemon makes no rules. `/info` tells the firewall backend since Docker 28.1, and 28 has none only where
 * iptables was never set up: with `"iptables": false` and `"ip6tables": false` (measured with 28.5; with one of the two alone it has
 * one all the same). Docker 29 always has one, so that it does not tell (moby, daemon/libnetwork/controller_linux.go).
 */
export function makesNoRules({ id, version, firewallBackend }: EngineReading): boolean {
  const [, major, minor] = /^(\d+)\.(\d+)/.exec(version) ?? [];
  // Without an id /info was not read.
  return id !== '' && firewallBackend === undefined && major === '28' && Number(minor) >= 1;
}
