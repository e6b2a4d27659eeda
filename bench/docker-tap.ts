/** A socket in front of dockerd's that counts the requests that pass it. */
import { createConnection, createServer, type Socket } from 'node:net';

export interface DockerTap {
  /** What DOCKER_HOST is to be. */
  readonly url: string;
  /** The requests so far: method and path without ids, in order. */
  readonly requests: readonly string[];
  close(): Promise<void>;
}

const requestLine = /^(?:GET|POST|HEAD|PUT|DELETE) \S+(?= HTTP\/1\.[01]\r$)/gm;

/** @param path where to listen @param daemon dockerd's socket */
export const tapDocker = async (path: string, daemon: string): Promise<DockerTap> => {
  const requests: string[] = [];
  const open = new Set<Socket>();
  const server = createServer(client => {
    const upstream = createConnection(daemon);
    for (const socket of [client, upstream]) {
      open.add(socket);
      socket.once('close', () => {
        open.delete(socket);
        client.destroy();
        upstream.destroy();
      });
      socket.on('error', () => undefined);
    }
    client.on('data', (data: Buffer) => {
      for (const [line] of data.toString('latin1').matchAll(requestLine)) {
        requests.push(line.replace(/[0-9a-f]{64}/, 'ID').replace(/\?.*/, ''));
      }
    });
    client.pipe(upstream).pipe(client);
  });
  await new Promise<void>(resolve => server.listen(path, resolve));
  return {
    url: `unix://${path}`,
    requests,
    close: () => {
      for (const socket of open) socket.destroy();
      return new Promise(resolve => server.close(() => resolve()));
    },
  };
};
