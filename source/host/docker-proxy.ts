/** docker-proxy's command line (moby, cmd/docker-proxy), which says whom it serves. */
import { canonicalAddress } from './addresses.ts';
import type { ProxyReading } from './readings.ts';

/** A single or double dash, and the value in the next argument or after `=`, as Go's flag package takes them. */
function flagsOf(args: readonly string[]): Map<string, string> {
  const flags = new Map<string, string>();
  for (let index = 0; index < args.length; index += 1) {
    const match = /^--?([a-z][a-z-]*)(?:=(.*))?$/s.exec(args[index]!);
    if (!match) continue;
    const next = args[index + 1];
    if (match[2] !== undefined) flags.set(match[1]!, match[2]);
    else if (next !== undefined && !next.startsWith('-')) flags.set(match[1]!, args[(index += 1)]!);
  }
  return flags;
}

/** What a docker-proxy proxies; undefined when this is the command line of another program or of a proxy that is not understood. */
export function parseProxy(pid: number, cmdline: readonly string[]): ProxyReading | undefined {
  if (cmdline[0]?.split('/').at(-1) !== 'docker-proxy') return undefined;
  const flags = flagsOf(cmdline.slice(1));
  const proto = flags.get('proto') ?? 'tcp';
  const hostIp = canonicalAddress(flags.get('host-ip') ?? '');
  const containerIp = canonicalAddress(flags.get('container-ip') ?? '');
  const hostPort = portOf(flags.get('host-port'));
  const containerPort = portOf(flags.get('container-port'));
  if (proto !== 'tcp' && proto !== 'udp' && proto !== 'sctp') return undefined;
  if (!hostIp || !containerIp || hostPort === undefined || containerPort === undefined) return undefined;
  return { pid, proto, hostIp, hostPort, containerIp, containerPort };
}

function portOf(text: string | undefined): number | undefined {
  const port = Number(text);
  return text && /^\d+$/.test(text) && port > 0 && port < 65_536 ? port : undefined;
}
