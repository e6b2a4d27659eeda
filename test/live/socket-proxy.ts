/** A proxy in front of Docker's socket, for faults of the way between netdash and the daemon. Needs the daemon's socket to be reachable from here. */
import { once } from 'node:events';
import { chmod, rm } from 'node:fs/promises';
import { createServer, request, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** What is done to a request: `pass` it on, answer that it is forbidden, or end the connection. */
export type Treatment = 'pass' | 'forbid' | 'cut';

/** The proxy. */
export class SocketProxy {
  /** What happens to each request that comes; may wait. */
  treat: (path: string) => Treatment | Promise<Treatment> = () => 'pass';
  readonly path: string;
  readonly #daemon: string;
  readonly #connections = new Set<Socket>();
  readonly #server = createServer((question, answer) => void this.#serve(question, answer));

  private constructor(path: string, daemon: string) {
    this.path = path;
    this.#daemon = daemon;
    this.#server.on('connection', (socket: Socket) => {
      this.#connections.add(socket);
      socket.on('error', () => undefined).on('close', () => this.#connections.delete(socket));
    });
  }

  /** Listens at `path` for those who ask the daemon at the other. */
  static async start(path: string, daemon: string): Promise<SocketProxy> {
    const proxy = new SocketProxy(path, daemon);
    proxy.#server.listen(path);
    await once(proxy.#server, 'listening');
    await chmod(path, 0o666);
    return proxy;
  }

  async #serve(question: IncomingMessage, answer: ServerResponse): Promise<void> {
    const treatment = await this.treat(question.url ?? '');
    if (treatment === 'cut') return void question.socket.destroy();
    if (treatment === 'forbid') return void answer.writeHead(403).end('{"message":"forbidden by the proxy"}');
    const { method, headers, url } = question;
    const passed = request({ socketPath: this.#daemon, method, headers, path: url, agent: false }, theirs => {
      answer.writeHead(theirs.statusCode ?? 500, theirs.headers);
      answer.flushHeaders();
      theirs.on('error', () => answer.destroy());
      theirs.pipe(answer);
    });
    passed.on('error', () => answer.destroy());
    // Whoever asked may be gone before the answer.
    answer.on('error', () => undefined).on('close', () => passed.destroy());
    question.on('error', () => undefined);
    passed.end();
  }

  /** Ends every connection there is. */
  cut(): void {
    for (const socket of this.#connections) socket.destroy();
  }

  /** Ends all of it. */
  async stop(): Promise<void> {
    this.#server.close();
    this.cut();
    await rm(this.path, { force: true });
  }
}
