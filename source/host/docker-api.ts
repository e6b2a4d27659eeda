/** Docker's Engine API, GET only, through dockerode's transport. Paths have no version, so that the daemon answers in its own newest. */
import { Agent as HttpAgent, type IncomingMessage } from 'node:http';
import { inspect } from 'node:util';
import Docker from 'dockerode';
import type DockerModem from 'docker-modem';
import type { Connection, Endpoint } from './docker-endpoint.ts';
import { eventReader } from './docker-events.ts';
import { SshAgent } from './docker-ssh.ts';
import { connectionError, statusError } from './docker-errors.ts';
import { HostError, type DockerApi, type DockerEvent, type Subscription } from './host.ts';

const defaultTimeoutMs = 10_000;
/** An answer larger than that is no answer to anything netdash asks; 1000 containers make a list of 1 MB. */
const maximumBytes = 128 * 1024 * 1024;

/** Every status is handled here rather than by dockerode, which folds the daemon's words into a text of its own. */
const everyStatus = Object.fromEntries(Array.from({ length: 500 }, (_, index) => [100 + index, true]));

/**
 * A client for a daemon. Does not connect until something is asked. Connections are kept open between requests but do
 * not keep the process alive.
 */
export function connectDocker(endpoint: Endpoint): DockerApi {
  let modem: DockerModem | undefined;
  const asked: Asked = { open: new Set(), closed: false };
  let agent: HttpAgent | undefined;
  const open = (): DockerModem => {
    agent ??= createAgent(endpoint.connection);
    return (modem ??= createModem(endpoint, agent));
  };
  return {
    endpoint: endpoint.url,
    get: (path, options = {}) => get(open(), endpoint, path, options.timeoutMs ?? defaultTimeoutMs, asked),
    events: (filters, onEvent, onOpen) => follow(open(), endpoint, filters, onEvent, onOpen),
    close: () => {
      asked.closed = true;
      for (const request of asked.open) request.abort();
      agent?.destroy();
    },
  };
}

/** The requests that wait for an answer, and whether there are to be no more. */
interface Asked {
  readonly open: Set<AbortController>;
  closed: boolean;
}

function createModem(endpoint: Endpoint, agent: HttpAgent): DockerModem {
  const { connection } = endpoint;
  // Members that are set, even to undefined, are stronger than what docker-modem takes from the environment.
  const options: Docker.DockerOptions = { host: undefined, port: undefined, timeout: undefined, protocol: 'http' };
  if (connection.kind === 'unix') options.socketPath = connection.path;
  if (connection.kind === 'ssh') options.host = 'docker';
  if (connection.kind === 'tcp') {
    options.host = connection.host.includes(':') ? `[${connection.host}]` : connection.host;
    options.port = connection.port;
    options.protocol = connection.tls ? 'https' : 'http';
  }
  const transport = { agent, pathPrefix: '/' };
  return withoutEnvironment<DockerModem>(() => new Docker({ ...options, ...transport }).modem);
}

function createAgent(connection: Connection): HttpAgent {
  const agent = bareAgent(connection);
  // docker-modem writes out its options for each request with util.inspect, agent and open sockets included, whether or
  // not anyone reads that: ten milliseconds a request at eight connections.
  Object.defineProperty(agent, inspect.custom, { value: () => 'Agent' });
  return agent;
}

function bareAgent(connection: Connection): HttpAgent {
  if (connection.kind === 'ssh') return new SshAgent(connection);
  if (connection.kind === 'unix' || !connection.tls) return new HttpAgent({ keepAlive: true });
  const { ca, cert, key, verify } = connection.tls;
  // Loaded where it is needed: it brings all of TLS.
  const https = process.getBuiltinModule('node:https');
  return new https.Agent({ keepAlive: true, ca, cert, key, rejectUnauthorized: verify });
}

/** docker-modem reads DOCKER_HOST and the like as it is made and throws on bad ones, even where they do not count. */
function withoutEnvironment<T>(make: () => T): T {
  const names = ['DOCKER_HOST', 'DOCKER_TLS_VERIFY', 'DOCKER_CERT_PATH', 'DOCKER_PATH_PREFIX', 'DOCKER_CLIENT_TIMEOUT'];
  const kept = names.map(name => [name, process.env[name]] as const);
  for (const name of names) delete process.env[name];
  try {
    return make();
  } finally {
    for (const [name, value] of kept) if (value !== undefined) process.env[name] = value;
  }
}

/** Sends a GET; resolves with the answer as soon as its head is there, whatever the status. Rejects with what node says. */
function dial(modem: DockerModem, path: string, signal: AbortSignal): Promise<IncomingMessage> {
  const [name, query] = path.split('?');
  // dial() drops the last character of a path with a query unless the query comes as an object.
  const options = query ? { path: `${name}?`, options: Object.fromEntries(new URLSearchParams(query)) } : { path };
  return new Promise((resolve, reject) => {
    modem.dial(
      { ...options, method: 'GET', isStream: true, statusCodes: everyStatus, abortSignal: signal },
      (error, answer) => (error ? reject(error) : resolve(answer as IncomingMessage)),
    );
  });
}

/** Errors that a connection kept open shows when the daemon closed it in the meantime. */
const stale = new Set(['ECONNRESET', 'EPIPE']);

async function get(
  modem: DockerModem,
  endpoint: Endpoint,
  path: string,
  timeoutMs: number,
  asked: Asked,
): Promise<unknown> {
  if (asked.closed) throw closedError();
  const controller = new AbortController();
  asked.open.add(controller);
  const timer = setTimeout(() => controller.abort(), timeoutMs);
  const attempt = async (): Promise<unknown> => {
    const answer = await dial(modem, path, controller.signal);
    const text = await readBody(answer);
    if (answer.statusCode !== 200) throw statusError(answer.statusCode ?? 0, text);
    return parseJson(text, path);
  };
  try {
    return await attempt().catch((error: NodeJS.ErrnoException) => {
      if (!stale.has(error.code ?? '')) throw error;
      return attempt();
    });
  } catch (error) {
    if (error instanceof HostError) throw error;
    if (asked.closed) throw closedError();
    if (controller.signal.aborted) {
      throw new HostError('timeout', `Docker did not answer ${path.split('?')[0]} within ${timeoutMs / 1000} s`);
    }
    throw connectionError(endpoint, error);
  } finally {
    clearTimeout(timer);
    asked.open.delete(controller);
  }
}

const closedError = (): HostError => new HostError('refused', 'Docker is not asked any more: netdash is ending');

async function readBody(answer: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > maximumBytes)
      throw new HostError('too-large', `Docker's answer has more than ${maximumBytes >> 20} MiB`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function parseJson(text: string, path: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new HostError('failed', `what Docker answered to ${path.split('?')[0]} is no JSON`);
  }
}

function follow(
  modem: DockerModem,
  endpoint: Endpoint,
  filters: Record<string, string[]>,
  onEvent: (event: DockerEvent) => void,
  onOpen?: () => void,
): Subscription {
  const controller = new AbortController();
  let stopped = false;
  const run = async (): Promise<HostError> => {
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      controller.abort();
    }, defaultTimeoutMs);
    try {
      const query = new URLSearchParams({ filters: JSON.stringify(filters) });
      const answer = await dial(modem, `/events?${query.toString()}`, controller.signal);
      clearTimeout(timer);
      if (answer.statusCode !== 200) return statusError(answer.statusCode ?? 0, await readBody(answer));
      // A daemon elsewhere may go without a word; the kernel then asks for it.
      answer.socket.setKeepAlive(true, 30_000);
      onOpen?.();
      const read = eventReader(event => {
        if (!stopped) onEvent(event);
      });
      for await (const chunk of answer as AsyncIterable<Buffer>) read(chunk);
      return new HostError('refused', `Docker at ${endpoint.url} ended the event stream`);
    } catch (error) {
      if (late)
        return new HostError('timeout', `Docker did not open its event stream within ${defaultTimeoutMs / 1000} s`);
      return connectionError(endpoint, error);
    } finally {
      clearTimeout(timer);
    }
  };
  return {
    stop: () => {
      stopped = true;
      controller.abort();
    },
    ended: run().then(error => (stopped ? undefined : error)),
  };
}
