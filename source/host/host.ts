/**
 * The one small interface through which everything to the right of `host/` touches a machine. The live host
 * (`live-host.ts`) is one implementation, a recording (`replay-host.ts`) another. It can only read: no method writes, and
 * `DockerApi` has no verb but GET.
 */

import type { Outcome } from './readings.ts';

/** The read-only programs that netdash may run, by name. Paths and arguments are fixed in `host/`, never made of names that came from outside. */
export type Tool =
  | 'ip'
  | 'ss'
  | 'nft'
  | 'nsenter'
  | 'iptables-save'
  | 'ip6tables-save'
  | 'iptables-legacy-save'
  | 'ip6tables-legacy-save'
  | 'ipset';

/** What a finished program left: exit `code` (null when a signal ended it), `signal`, and all it printed. */
export interface ToolResult {
  code: number | null;
  signal: string | null;
  /** On a live host decoded (UTF-8) when it is first asked for. */
  stdout: string;
  /** What `stdout` is decoded from; a recording has none. Mostly it is what it was the last time, which bytes tell as well. */
  raw?: Uint8Array;
  stderr: string;
}

/**
 * Why something could not be read.
 * - `missing`: no such file, tool or object
 * - `denied`: not permitted (EACCES, EPERM, HTTP 403)
 * - `gone`: it vanished while it was read (ESRCH, a container that was removed)
 * - `timeout`: no answer in time
 * - `too-large`: more output than netdash takes
 * - `refused`: nobody listens (no socket, no such host, ECONNREFUSED) or the connection broke
 * - `failed`: anything else; the message says what
 */
export type HostErrorCode = 'missing' | 'denied' | 'gone' | 'timeout' | 'too-large' | 'refused' | 'failed';

/** Thrown by every method of `Host` and `DockerApi`; `message` is one line fit for the operator. */
export class HostError extends Error {
  readonly code: HostErrorCode;

  constructor(code: HostErrorCode, message: string) {
    super(message);
    this.name = 'HostError';
    this.code = code;
  }
}

/** One message of Docker's event stream (Engine API, `GET /events`), as sent. */
export interface DockerEvent {
  /** Docker's `Type`: container, network, daemon, service… */
  type: string;
  /** Docker's `Action`, without what follows a colon (`exec_create: sh` is `exec_create`). */
  action: string;
  /** `Actor.ID`: the container's or network's id. */
  id: string;
  attributes: Record<string, string>;
  /** When Docker says that it happened, ms since the epoch. */
  at: number;
}

/** A stream that is being followed. */
export interface Subscription {
  /** Ends it; safe to call twice. `ended` settles afterwards. */
  stop(): void;
  /** Resolves when the stream is over: the reason, or undefined when `stop` was called. Never rejects. */
  readonly ended: Promise<HostError | undefined>;
}

/** Docker's Engine API, GET only. */
export interface DockerApi {
  /** Where the daemon is asked, as the operator would write it: `unix:///var/run/docker.sock`, `tcp://…`, `ssh://…`. */
  readonly endpoint: string;
  /**
   * GETs a path of the API without its version prefix (`/containers/json?all=1`) and returns the parsed JSON.
   * @throws HostError; `missing` for HTTP 404, `denied` for 401/403 and for a socket that may not be opened
   */
  get(path: string, options?: { timeoutMs?: number }): Promise<unknown>;
  /** Follows `GET /events` with these filters (Engine API syntax); `onOpen` is called once the daemon has accepted the request. */
  events(filters: Record<string, string[]>, onEvent: (event: DockerEvent) => void, onOpen?: () => void): Subscription;
  /**
   * Lets go of the daemon: what is being asked is refused, and so is all that is asked afterwards. Absent where nothing is
   * waited for (a recording).
   */
  close?(): void;
}

/** A machine that can be read. Paths are absolute, as on that machine. */
export interface Host {
  /** `live` is this machine now; `recording` replays what a machine once said. */
  readonly kind: 'live' | 'recording';
  /** What the operator calls it: the host name, or the recording's title. */
  readonly name: string;
  readonly docker: DockerApi;
  /** The time on that machine, ms since the epoch. Nothing else in netdash asks for the time of a reading. */
  now(): number;
  /** The effective user id netdash has there; 0 is root. */
  readonly uid: number;
  /** @throws HostError */
  readFile(path: string): Promise<string>;
  /**
   * Reads many files at once; a file that cannot be read gives a HostError in its place. For /proc and /sys, where a
   * promise per file costs more than the read.
   */
  readFiles(paths: readonly string[]): (string | HostError)[];
  /** The target of a symbolic link. @throws HostError */
  readLinks(paths: readonly string[]): (string | HostError)[];
  /** The names in a folder, unsorted. @throws HostError */
  list(path: string): Promise<string[]>;
  /** Runs a tool to its end without a shell. A non-zero exit is a result, not an error. @throws HostError (missing, timeout, too-large, denied) */
  run(tool: Tool, args: readonly string[], options?: { timeoutMs?: number }): Promise<ToolResult>;
  /**
   * Runs a tool that does not end by itself (`ip monitor`) and hands over each line of its standard output.
   * @param onComplaint called when it writes to its standard error, as when it has lost messages
   */
  follow(tool: Tool, args: readonly string[], onLine: (line: string) => void, onComplaint?: () => void): Subscription;
  /**
   * Runs a reading under the name of its source, for a log of what is read; gives what `read` gives. Absent where nobody
   * keeps one.
   */
  trace?<T>(source: string, read: () => Promise<Outcome<T>>): Promise<Outcome<T>>;
}
