// A process on the lab's machine that holds sockets. Its argument is a JSON array of {address, port, proto, v6only};
// prints a JSON array with the port of each once all are bound, or an error on stderr.
import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';

const listen = ({ address, port, proto = 'tcp', v6only = false }) =>
  new Promise((resolve, reject) => {
    if (proto === 'udp') {
      const socket = createSocket({ type: address.includes(':') ? 'udp6' : 'udp4', ipv6Only: v6only });
      socket.once('error', reject);
      socket.bind({ address, port, exclusive: true }, () => resolve(socket.address().port));
      socket.on('message', (text, from) => socket.send(text, from.port, from.address));
    } else {
      const server = createServer(connection => connection.end('hello\n'));
      server.once('error', reject);
      server.listen({ host: address, port, ipv6Only: v6only }, () => resolve(server.address().port));
    }
  });

try {
  process.stdout.write(`${JSON.stringify(await Promise.all(JSON.parse(process.argv[2]).map(listen)))}\n`);
} catch (error) {
  process.stderr.write(`${error.message}\n`);
  process.exit(1);
}
