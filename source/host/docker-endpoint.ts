/**
 * Which daemon netdash asks, found as the Docker CLI finds it: `--host`, else `--context`, else `DOCKER_HOST`, else
 * `DOCKER_CONTEXT`, else the current context, else the default socket. Reads files, never the network.
 */
import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import {
  currentContext,
  readContext,
  type DockerContext,
  type Environment,
  type ReadText,
  type TlsMaterial,
} from './docker-context.ts';
import { UsageError } from './usage-error.ts';

/** How the daemon is reached. */
export type Connection =
  | { kind: 'unix'; path: string }
  | { kind: 'tcp'; host: string; port: number; tls?: TlsMaterial }
  | {
      kind: 'ssh';
      host: string;
      port?: number;
      user?: string;
      /** The daemon's socket there; absent: its default. */ path?: string;
    };

/** The daemon to ask. */
export interface Endpoint {
  /** As the operator would write it for `--host`. */
  url: string;
  /** What named it: `--host`, `DOCKER_HOST`, `context "name" (…)`, `the default socket`… */
  origin: string;
  connection: Connection;
}

/** What decides on the endpoint. */
export interface EndpointRequest {
  /** The value of `--host`. */
  flag?: string;
  /** The value of `--context`. */
  context?: string;
  env: Environment;
  /** Reads a text file, undefined when there is none; node:fs by default. */
  readFile?: ReadText;
  /** Whether a path exists; node:fs by default. */
  exists?: (path: string) => boolean;
}

const defaultSocket = '/var/run/docker.sock';

/**
 * Finds the daemon to ask.
 * @throws UsageError on an address, context or certificate that cannot be used: what is wrong, where it came from, what to do
 */
export function resolveEndpoint(request: EndpointRequest): Endpoint {
  const { env } = request;
  const read = request.readFile ?? readText;
  const exists = request.exists ?? existsSync;
  if (request.flag !== undefined && request.context !== undefined) {
    throw new UsageError('--host and --context name two daemons: give only one of them');
  }
  if (request.flag !== undefined) return fromUrl(request.flag, '--host', env, read);
  const named = namedContext(request, read);
  if (named && named.name !== 'default') {
    const context = readContext(named.name, named.origin, env, read);
    return fromUrl(context.host, `context "${named.name}" (${named.origin})`, env, read, context);
  }
  if (env['DOCKER_HOST']) return fromUrl(env['DOCKER_HOST'], 'DOCKER_HOST', env, read);
  return fromDefault(env, exists);
}

/** The context's name and where it came from. `DOCKER_HOST` is stronger than all but `--context`. */
function namedContext(request: EndpointRequest, read: ReadText): { name: string; origin: string } | undefined {
  if (request.context !== undefined) return { name: request.context, origin: '--context' };
  if (request.env['DOCKER_HOST']) return undefined;
  if (request.env['DOCKER_CONTEXT']) return { name: request.env['DOCKER_CONTEXT'], origin: 'DOCKER_CONTEXT' };
  const name = currentContext(request.env, read);
  return name === undefined ? undefined : { name, origin: 'docker context use' };
}

function fromDefault(env: Environment, exists: (path: string) => boolean): Endpoint {
  const system = unix(defaultSocket, 'the default socket');
  if (exists(defaultSocket)) return system;
  // Rootless mode and Docker Desktop put their socket into folders of the user (docs.docker.com/engine/security/rootless).
  const rootless = env['XDG_RUNTIME_DIR'] && join(env['XDG_RUNTIME_DIR'], 'docker.sock');
  if (rootless && exists(rootless)) return unix(rootless, `the rootless socket, ${defaultSocket} being absent`);
  const desktop = join(env['HOME'] || homedir(), '.docker', 'run', 'docker.sock');
  if (exists(desktop)) return unix(desktop, `Docker Desktop's socket, ${defaultSocket} being absent`);
  return system;
}

function unix(path: string, origin: string): Endpoint {
  return { url: `unix://${path}`, origin, connection: { kind: 'unix', path } };
}

const forms = 'write unix:///path, tcp://host:port or ssh://user@host';

/** Understands one address. `context` is the context it came from, whose TLS then counts instead of the environment's. */
function fromUrl(given: string, origin: string, env: Environment, read: ReadText, context?: DockerContext): Endpoint {
  const text = given.trim();
  const bad = (why: string): UsageError => new UsageError(`Docker address "${given}" (from ${origin}) ${why}`);
  if (text === '') throw bad(`is empty: ${forms}`);
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(text)?.[1]?.toLowerCase();
  if (scheme === undefined) {
    if (text.startsWith('/') || text.startsWith('.')) throw bad(`is a path: write unix://${text}`);
    // As the CLI does: a bare host:port is TCP.
    return fromUrl(`tcp://${text}`, origin, env, read, context);
  }
  if (scheme === 'unix') {
    const path = text.slice('unix://'.length) || defaultSocket;
    if (!path.startsWith('/')) throw bad(`has no absolute path: write unix:///${path}`);
    return unix(path, origin);
  }
  if (scheme === 'npipe' || scheme === 'fd') throw bad(`cannot be used here: ${forms}`);
  if (!['tcp', 'http', 'https', 'ssh'].includes(scheme)) throw bad(`has an unknown scheme: ${forms}`);
  let url: URL;
  try {
    // Of the schemes in question URL knows the host syntax of http alone.
    url = new URL(`http://${text.slice(scheme.length + 3)}`);
  } catch {
    throw bad(`cannot be understood: ${forms}`);
  }
  // URL drops a port that is http's own.
  const explicit = /^[^/]*:(\d+)(?:\/|$)/.exec(text.slice(scheme.length + 3))?.[1];
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  if (scheme === 'ssh') return fromSsh(url, host, explicit, origin, bad);
  if (url.username || url.password) throw bad(`has a user name, which only ssh:// can have: ${forms}`);
  if (url.pathname !== '/' || url.search || url.hash) throw bad(`has more than host and port: ${forms}`);
  const tls = context ? context.tls : environmentTls(env, read);
  const secure = scheme === 'https' ? (tls ?? { verify: true }) : scheme === 'tcp' ? tls : undefined;
  const port =
    explicit === undefined
      ? scheme === 'https'
        ? 443
        : scheme === 'http'
          ? 80
          : secure
            ? 2376
            : 2375
      : Number(explicit);
  const connection: Connection = { kind: 'tcp', host, port };
  if (secure) connection.tls = secure;
  return { url: `${scheme}://${url.hostname}:${port}`, origin, connection };
}

function fromSsh(
  url: URL,
  host: string,
  explicitPort: string | undefined,
  origin: string,
  bad: (why: string) => UsageError,
): Endpoint {
  if (url.password) throw bad('has a password in it: use a key or an agent');
  if (url.search || url.hash) throw bad('has more than user, host, port and path');
  const user = decodeURIComponent(url.username);
  // ssh takes a word that begins with a dash for an option.
  if (host.startsWith('-') || user.startsWith('-')) throw bad('has a name that begins with a dash');
  const connection: Connection = { kind: 'ssh', host };
  if (explicitPort !== undefined) connection.port = Number(explicitPort);
  if (user) connection.user = user;
  if (url.pathname !== '/') connection.path = decodeURIComponent(url.pathname);
  const port = explicitPort === undefined ? '' : `:${explicitPort}`;
  const path = url.pathname === '/' ? '' : url.pathname;
  return { url: `ssh://${user && `${url.username}@`}${url.hostname}${port}${path}`, origin, connection };
}

/** `DOCKER_TLS_VERIFY` (any value) and `DOCKER_TLS` turn TLS on; `DOCKER_CERT_PATH` says where its files are (docs.docker.com/reference/cli/docker). */
function environmentTls(env: Environment, read: ReadText): TlsMaterial | undefined {
  const verify = Boolean(env['DOCKER_TLS_VERIFY']);
  if (!verify && !env['DOCKER_TLS']) return undefined;
  const folder = env['DOCKER_CERT_PATH'] || env['DOCKER_CONFIG'] || join(env['HOME'] || homedir(), '.docker');
  const tls: TlsMaterial = {
    ca: read(join(folder, 'ca.pem')),
    cert: read(join(folder, 'cert.pem')),
    key: read(join(folder, 'key.pem')),
    verify,
  };
  if ((tls.cert === undefined) !== (tls.key === undefined)) {
    const absent = tls.cert === undefined ? 'cert.pem' : 'key.pem';
    throw new UsageError(
      `${join(folder, absent)} is missing (DOCKER_CERT_PATH): TLS needs cert.pem and key.pem together`,
    );
  }
  return tls;
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : '';
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw new UsageError(`${path} cannot be read (${code || String(error)}): it may name the Docker daemon to ask`);
  }
}
