/** A proxy before dockerd's socket that writes down what is asked of it. */
import { createServer, request, type Server } from 'node:http';
import { once } from 'node:events';

/** One request as it came. */
export interface Asked {
  method: string;
  path: string;
  /** Bytes of its body. */
  bytes: number;
}

/** The proxy; its socket is reachable wherever the daemon's is. */
export interface DockerWitness {
  readonly socket: string;
  readonly asked: readonly Asked[];
  close(): Promise<void>;
}

/** Starts it. @param daemon the daemon's socket @param socket where the proxy listens */
export async function startDockerWitness(daemon: string, socket: string): Promise<DockerWitness> {
  const asked: Asked[] = [];
  const server: Server = createServer((incoming, answer) => {
    const entry: Asked = { method: incoming.method ?? '', path: incoming.url ?? '', bytes: 0 };
    asked.push(entry);
    const { method, url: path, headers } = incoming;
    const onward = request({ socketPath: daemon, method, path, headers }, response => {
      answer.writeHead(response.statusCode ?? 500, response.headers);
      answer.flushHeaders();
      response.pipe(answer);
    });
    onward.on('error', () => answer.destroy());
    answer.on('close', () => onward.destroy());
    incoming.on('data', (chunk: Buffer) => (entry.bytes += chunk.length));
    incoming.pipe(onward);
  });
  // A connection that is turned into a raw one (attach, exec, dial-stdio) would be no question any more.
  server.on('upgrade', (incoming, connection) => {
    asked.push({ method: `upgrade ${incoming.method}`, path: incoming.url ?? '', bytes: 0 });
    connection.destroy();
  });
  server.on('clientError', (error: NodeJS.ErrnoException, connection) => {
    // Who ends lets go of what it still waits for; nothing was said in that.
    const isLeft = error.code === 'ECONNRESET' || error.code === 'EPIPE';
    if (!isLeft) asked.push({ method: `no HTTP (${error.code})`, path: '', bytes: 0 });
    connection.destroy();
  });
  server.listen(socket);
  await once(server, 'listening');
  return {
    socket,
    asked,
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
