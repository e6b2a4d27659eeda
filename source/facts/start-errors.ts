/** Docker's texts of a failed start, as far as they are about host ports. */
import type { Proto } from '../host/readings.ts';

/** What a failed start says about a host port. */
export interface StartError {
  /**
   * - `taken`: somebody else has the port
   * - `exhausted`: no port of a range, or no ephemeral one, was free
   * - `not-local`: the host has no such address
   * - `not-permitted`: the daemon may not bind it (rootless, port below 1024)
   * - `not-supported`: the kernel knows no such protocol (SCTP without its module)
   */
  kind: 'taken' | 'exhausted' | 'not-local' | 'not-permitted' | 'not-supported';
  /** The host port; absent when the text names none. */
  port?: number;
  /** The range of which `port` is the last that was tried; absent when the text names none, though there may be one. */
  range?: [number, number];
  /** Absent when the text does not tell (`Bind for …`). */
  proto?: Proto;
  /** As in the text. It may be the holder's address and not the one asked for (Docker 28), so it proves nothing. */
  address?: string;
}

const kinds: Record<string, StartError['kind']> = {
  'address already in use': 'taken',
  'port is already allocated': 'taken',
  'cannot assign requested address': 'not-local',
  'permission denied': 'not-permitted',
  'protocol not supported': 'not-supported',
};
const outcome = `(${Object.keys(kinds).join('|')})`;
const address = String.raw`(\[[^\]\s]*\]|[0-9a-fA-F.:]*?)`;

/**
 * The forms since Docker 20.10, as the daemons print them:
 * - `Bind for 0.0.0.0:8080 failed: port is already allocated` (all; IPv6 without brackets: `Bind for :::8080`)
 * - `Error starting userland proxy: listen tcp4 0.0.0.0:8081: bind: address already in use` (to 26)
 * - `failed to bind port 0.0.0.0:8080/tcp: …` (27)
 * - `failed to bind host port for 0.0.0.0:8081:172.17.0.7:80/tcp: …`, `failed to bind host port 8081 for 0.0.0.0:8080-8081:…` (28)
 * - `failed to bind host port 0.0.0.0:8081/tcp: …` (29)
 * - `error starting userland proxy: failed to listen on 0.0.0.0:8107: protocol not supported` (28, of SCTP; to 26 without the place)
 * - `failed to listen on TCP socket: address already in use` (28: the port was bound, and another socket came to listen on it first)
 */
const bindFor = new RegExp(String.raw`Bind for ${address}:(\d+)(?:-\d+)? failed: ${outcome}`);
const listen = new RegExp(String.raw`listen (tcp|udp|sctp)[46]? ${address}:(\d+): .*?${outcome}`);
const failedToListen = new RegExp(String.raw`failed to listen on ${address}:(\d+): .*?${outcome}`);
const failedSomewhere = new RegExp(String.raw`failed to listen on (tcp|udp|sctp) socket: .*?${outcome}`, 'i');
const failedToBind = new RegExp(
  String.raw`failed to bind (?:host )?port (?:(\d+) )?(?:for )?${address}:(\d+)(?:-(\d+))?(?::\S+?)?/(tcp|udp|sctp): .*?${outcome}`,
);

/**
 * Reads `State.Error` of a container.
 * @returns undefined when it is about something else. `Address already in use` alone is a static container address that
 * another container has, not a port.
 */
export function parseStartError(text: string): StartError | undefined {
  const bound = bindFor.exec(text);
  if (bound) return { kind: kinds[bound[3] ?? ''] ?? 'taken', port: Number(bound[2]), address: bare(bound[1]) };
  const listened = listen.exec(text);
  if (listened) {
    const [, proto, host, port, end] = listened;
    return { kind: kinds[end ?? ''] ?? 'taken', port: Number(port), proto: proto as Proto, address: bare(host) };
  }
  const unheard = failedToListen.exec(text);
  if (unheard) return { kind: kinds[unheard[3] ?? ''] ?? 'taken', port: Number(unheard[2]), address: bare(unheard[1]) };
  const failed = failedToBind.exec(text);
  if (failed) {
    const [, one, host, port, last, proto, end] = failed;
    return {
      kind: kinds[end ?? ''] ?? 'taken',
      port: Number(one ?? port),
      ...(last !== undefined && { range: [Number(port), Number(last)] }),
      proto: proto as Proto,
      address: bare(host),
    };
  }
  const nowhere = failedSomewhere.exec(text);
  if (nowhere) return { kind: kinds[nowhere[2] ?? ''] ?? 'taken', proto: nowhere[1]?.toLowerCase() as Proto };
  if (/starting userland proxy: protocol not supported/.test(text)) return { kind: 'not-supported' };
  return /all ports are allocated/.test(text) ? { kind: 'exhausted' } : undefined;
}

const bare = (host: string | undefined): string => (host ?? '').replace(/^\[|\]$/g, '');
