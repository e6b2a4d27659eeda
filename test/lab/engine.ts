/** Docker's Engine API over its socket, with the verbs that a lab needs. No docker command line is involved. */
import { request } from 'node:http';

/** The daemon said no: its HTTP status and its own words. */
export class EngineError extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.name = 'EngineError';
    this.status = status;
  }
}

/** One answer of the daemon, raw. */
const call = (
  socket: string,
  method: string,
  path: string,
  body?: unknown,
): Promise<{ status: number; data: Buffer }> =>
  new Promise((resolve, reject) => {
    const raw = Buffer.isBuffer(body);
    const payload = body === undefined ? undefined : raw ? body : Buffer.from(JSON.stringify(body));
    const headers: Record<string, string | number> =
      payload === undefined
        ? {}
        : { 'content-type': raw ? 'application/x-tar' : 'application/json', 'content-length': payload.length };
    // A connection for each request: one that was kept would break when the daemon is killed.
    const outgoing = request({ socketPath: socket, method, path, headers, agent: false }, answer => {
      const parts: Buffer[] = [];
      answer.on('data', (part: Buffer) => parts.push(part));
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, data: Buffer.concat(parts) }));
      answer.on('error', reject);
    });
    outgoing.on('error', reject);
    outgoing.end(payload);
  });

const parse = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
};

/**
 * Asks the daemon.
 * @param path without version prefix, with its query
 * @param body sent as JSON; a Buffer is sent as a tar archive
 * @returns the parsed JSON, or the text when it is none
 * @throws EngineError when the daemon refuses; a system error when there is none
 */
export const askEngine = async (socket: string, method: string, path: string, body?: unknown): Promise<unknown> => {
  const { status, data } = await call(socket, method, path, body);
  const answer = parse(data.toString('utf8'));
  if (status < 400) return answer;
  const message =
    typeof answer === 'object' && answer !== null && 'message' in answer ? String(answer.message) : data.toString();
  throw new EngineError(status, message);
};

/**
 * Splits what an attached or exec'd process without a terminal printed into its two streams: frames of one byte for the
 * stream, three zeros, four bytes big-endian for the length, and the text (Engine API, "Stream format").
 */
const splitStreams = (data: Buffer): { stdout: string; stderr: string } => {
  const texts = { stdout: '', stderr: '' };
  for (let at = 0; at + 8 <= data.length;) {
    const length = data.readUInt32BE(at + 4);
    texts[data[at] === 2 ? 'stderr' : 'stdout'] += data.toString('utf8', at + 8, at + 8 + length);
    at += 8 + length;
  }
  return texts;
};

/** Runs a command in a running container to its end, as `docker exec` does. @throws EngineError */
export const execInContainer = async (
  socket: string,
  container: string,
  command: readonly string[],
): Promise<{ code: number; stdout: string; stderr: string }> => {
  const { Id } = (await askEngine(socket, 'POST', `/containers/${container}/exec`, {
    Cmd: command,
    AttachStdout: true,
    AttachStderr: true,
  })) as { Id: string };
  const { status, data } = await call(socket, 'POST', `/exec/${Id}/start`, { Detach: false, Tty: false });
  if (status >= 400) throw new EngineError(status, data.toString());
  const { ExitCode } = (await askEngine(socket, 'GET', `/exec/${Id}/json`)) as { ExitCode: number };
  return { code: ExitCode, ...splitStreams(data) };
};
