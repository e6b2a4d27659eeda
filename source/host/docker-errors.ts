/** What goes wrong between netdash and the daemon, in plain words. */
import type { Endpoint } from './docker-endpoint.ts';
import { HostError } from './host.ts';

/** What a failed connection (an error of node:http, node:tls or ssh) to a daemon is to netdash. */
export function connectionError(endpoint: Endpoint, error: unknown): HostError {
  if (error instanceof HostError) return error;
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const words = error instanceof Error ? error.message : String(error);
  const { url } = endpoint;
  switch (code) {
    // Not `missing`: that is what the daemon says of a container that is gone.
    case 'ENOENT':
      return new HostError('refused', `no Docker daemon at ${url}: no such socket`);
    case 'ECONNREFUSED':
    case 'ENOTSOCK':
      return new HostError('refused', `no Docker daemon at ${url}: nothing listens`);
    case 'EACCES':
    case 'EPERM':
      return new HostError('denied', `permission denied on ${url}: use sudo or join the group docker`);
    case 'ECONNRESET':
    case 'EPIPE':
      return new HostError('refused', `the connection to Docker at ${url} broke`);
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return new HostError('refused', `no Docker daemon at ${url}: the host name is not known`);
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
      return new HostError('refused', `no Docker daemon at ${url}: no route to that host`);
    case 'ETIMEDOUT':
      return new HostError('timeout', `no Docker daemon at ${url}: no answer`);
    default:
  }
  if (code.startsWith('HPE_')) return new HostError('failed', `what answers at ${url} does not speak HTTP`);
  if (/CERT|TLS|SSL|SIGNATURE|EPROTO/.test(code)) return new HostError('failed', `TLS with ${url} failed: ${words}`);
  return new HostError('failed', `Docker at ${url}: ${words || code}`);
}

/** What an answer with another status than 200 says. @param body as sent: `{"message": "…"}`, or plain text from a proxy in between */
export function statusError(status: number, body: string): HostError {
  let message = body.trim().split('\n')[0]!.slice(0, 300);
  try {
    const json: unknown = JSON.parse(body);
    if (typeof json === 'object' && json !== null && 'message' in json) message = String(json.message).trim();
  } catch {
    // Plain text it is.
  }
  const code = status === 404 ? 'missing' : status === 401 || status === 403 ? 'denied' : 'failed';
  return new HostError(code, `Docker: ${message || 'no reason given'} (HTTP ${status})`);
}
