/**
 * Docker CLI contexts, as the CLI stores them under its configuration folder (docs.docker.com/engine/manage-resources/contexts):
 * `contexts/meta/<sha256 of the name>/meta.json` and `contexts/tls/<sha256>/docker/{ca,cert,key}.pem`.
 */
import { createHash } from 'node:crypto';
import { homedir } from 'node:os';
import { join } from 'node:path';
import * as v from 'valibot';
import { UsageError } from './usage-error.ts';

/** How text files are read while an endpoint is resolved: the content, or undefined when there is no such file. */
export type ReadText = (path: string) => string | undefined;

/** The environment variables that are looked at. */
export type Environment = Readonly<Record<string, string | undefined>>;

const ConfigSchema = v.object({ currentContext: v.optional(v.string()) });
const MetaSchema = v.object({
  Endpoints: v.object({
    docker: v.optional(v.object({ Host: v.optional(v.string()), SkipTLSVerify: v.optional(v.boolean()) })),
  }),
});

/** Certificates in PEM for a TLS connection; absent ones are not sent or, for `ca`, the system's own are used. */
export interface TlsMaterial {
  ca?: string;
  cert?: string;
  key?: string;
  /** Whether the daemon's certificate must be valid. */
  verify: boolean;
}

/** What a context says of its Docker endpoint. */
export interface DockerContext {
  host: string;
  tls?: TlsMaterial;
}

/** The Docker CLI's configuration folder: `DOCKER_CONFIG`, else `.docker` in the home folder (root's under sudo, as for the CLI). */
export function dockerConfigFolder(env: Environment): string {
  return env['DOCKER_CONFIG'] || join(env['HOME'] || homedir(), '.docker');
}

/**
 * The context that `docker context use` made current; undefined for the default one.
 * A config.json that is no JSON or may not be read (a `sudo docker login` leaves one of root's) counts as absent, as for the
 * CLI, which warns.
 */
export function currentContext(env: Environment, read: ReadText): string | undefined {
  let text: string | undefined;
  try {
    text = read(join(dockerConfigFolder(env), 'config.json'));
  } catch {
    return undefined;
  }
  if (text === undefined) return undefined;
  const config = v.safeParse(ConfigSchema, parsed(text));
  return (config.success && config.output.currentContext) || undefined;
}

/**
 * Reads a named context.
 * @param origin where the name came from, for the message
 * @throws UsageError when there is none of that name, or when it has no Docker endpoint
 */
export function readContext(name: string, origin: string, env: Environment, read: ReadText): DockerContext {
  const store = join(dockerConfigFolder(env), 'contexts');
  const digest = createHash('sha256').update(name).digest('hex');
  const file = join(store, 'meta', digest, 'meta.json');
  const text = read(file);
  if (text === undefined) {
    throw new UsageError(`No Docker context "${name}" (from ${origin}): see "docker context ls" for those there are`);
  }
  const meta = v.safeParse(MetaSchema, parsed(text));
  if (!meta.success) {
    throw new UsageError(`Docker context "${name}" (from ${origin}) cannot be understood: ${file} is damaged`);
  }
  const docker = meta.output.Endpoints.docker;
  if (!docker?.Host) {
    throw new UsageError(`Docker context "${name}" (from ${origin}) names no Docker endpoint: choose another context`);
  }
  const folder = join(store, 'tls', digest, 'docker');
  const tls: TlsMaterial = {
    ca: read(join(folder, 'ca.pem')),
    cert: read(join(folder, 'cert.pem')),
    key: read(join(folder, 'key.pem')),
    verify: docker.SkipTLSVerify !== true,
  };
  const used = tls.ca !== undefined || tls.cert !== undefined || !tls.verify;
  return used ? { host: docker.Host, tls } : { host: docker.Host };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
