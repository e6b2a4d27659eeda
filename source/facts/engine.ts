/** What follows from what a daemon says of itself. */
import type { EngineReading, Proto } from '../host/readings.ts';

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

/**
 * How many ports of a range (`-p 7000-7009:80`) Docker tries at one start. Of those that its containers have it knows, and passes them
 * over; each that another program holds costs it a try, and the start fails with the last one; the next start goes on with the port after it.
 * Measured with 20.10, 26.1 and 28.5 (moby 27 to 28, daemon/libnetwork/drivers/bridge: maxAllocatePortAttempts).
 * @returns undefined where that was not measured: of other versions, of Podman
 */
export function triesOfRange({ version, podman }: Pick<EngineReading, 'version' | 'podman'>): number | undefined {
  const major = Number.parseInt(version, 10);
  if (podman) return undefined;
  if (major >= 20 && major <= 26) return 1;
  return major === 28 ? 10 : undefined;
}

/**
 * Whether Docker starts a container that asks for one host port twice in the very same way (`-p 8080:80 -p 0.0.0.0:8080:80`). Measured with
 * 20.10, 26.1 and 28.5, with and without docker-proxy: to 26 it refuses the second ("port is already allocated"); 28 takes the two for
 * one request, binds twice with SO_REUSEADDR, and fails as it comes to listen: UDP, which does not listen, it maps twice.
 * @returns undefined where that was not measured: of other versions, of SCTP, of Podman
 */
export function takesRepeats({ version, podman }: EngineReading, proto: Proto): boolean | undefined {
  const major = Number.parseInt(version, 10);
  if (podman || proto === 'sctp') return undefined;
  if (major >= 20 && major <= 26) return false;
  return major === 28 ? proto === 'udp' : undefined;
}

/**
 * Whether Docker takes two ranges that one container asks for at addresses that exclude each other, for one port of its own, for one
 * wish, which of TCP then fails whatever is free ("failed to listen on TCP socket"). Measured with 20.10 and 26.1, which do not, and 28.5.
 * @returns undefined where that was not measured: of other versions, of SCTP, of Podman
 */
export function joinsRepeats({ version, podman }: EngineReading, proto: Proto): boolean | undefined {
  const major = Number.parseInt(version, 10);
  if (podman || proto === 'sctp') return undefined;
  if (major >= 20 && major <= 26) return false;
  return major === 28 ? proto === 'tcp' : undefined;
}
