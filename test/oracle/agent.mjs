// One process in a network namespace of the lab that does what the oracle asks: JSON lines in, JSON lines out.
//   {id, do: 'probe', proto, address, port, timeoutMs, source?}   → {id, outcome: answered | refused | reset | timeout | error, text?}
//   {id, do: 'listen', sockets: [{proto, address, port, v6only?}]}  → {id, outcome: ok | error, text?}; replaces what was listened on
import { createSocket } from 'node:dgram';
import { createServer, connect } from 'node:net';
import { createInterface } from 'node:readline';

const question = 'GET / HTTP/1.0\r\n\r\n';
let held = [];

const probeTcp = ({ address, port, timeoutMs, source }) =>
  new Promise(resolve => {
    let isConnected = false;
    const socket = connect({ host: address, port, localAddress: source });
    const end = outcome => {
      clearTimeout(timer);
      socket.destroy();
      resolve({ outcome });
    };
    const timer = setTimeout(() => end(isConnected ? 'silent' : 'timeout'), timeoutMs);
    socket.on('connect', () => {
      isConnected = true;
      socket.write(question);
    });
    socket.on('data', () => end('answered'));
    socket.on('end', () => end('reset'));
    socket.on('error', error => {
      if (error.code === 'ECONNREFUSED') end('refused');
      else if (error.code === 'ECONNRESET' || error.code === 'EPIPE') end('reset');
      else if (error.code === 'EHOSTUNREACH' || error.code === 'ENETUNREACH') end('unreachable');
      else end(`error ${error.code}`);
    });
  });

const probeUdp = ({ address, port, timeoutMs, source }) =>
  new Promise(resolve => {
    const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
    const end = outcome => {
      clearTimeout(timer);
      socket.close();
      resolve({ outcome });
    };
    const timer = setTimeout(() => end('timeout'), timeoutMs);
    socket.on('message', () => end('answered'));
    socket.on('error', error => end(error.code === 'ECONNREFUSED' ? 'refused' : `error ${error.code}`));
    const ask = () =>
      socket.connect(port, address, error => {
        if (error) end('unreachable');
        else socket.send(question, failed => failed && end(failed.code === 'ECONNREFUSED' ? 'refused' : 'unreachable'));
      });
    if (source === undefined) ask();
    else socket.bind({ address: source }, ask);
  });

const listen = ({ proto, address, port, v6only = false }) =>
  new Promise((resolve, reject) => {
    if (proto === 'udp') {
      const socket = createSocket({ type: address.includes(':') ? 'udp6' : 'udp4', ipv6Only: v6only });
      socket.once('error', reject);
      socket.on('message', (text, from) => socket.send(text, from.port, from.address));
      socket.bind({ address, port, exclusive: true }, () => resolve(socket));
    } else {
      const server = createServer(connection => {
        connection.on('error', () => undefined);
        connection.once('data', () => connection.end('hello\n'));
      });
      server.once('error', reject);
      server.listen({ host: address, port, ipv6Only: v6only }, () => resolve(server));
    }
  });

const answer = async request => {
  if (request.do === 'probe') return request.proto === 'udp' ? probeUdp(request) : probeTcp(request);
  await Promise.all(held.map(each => new Promise(resolve => each.close(resolve))));
  held = [];
  for (const socket of request.sockets) held.push(await listen(socket));
  return { outcome: 'ok' };
};

createInterface({ input: process.stdin }).on('line', line => {
  const request = JSON.parse(line);
  void answer(request)
    .catch(error => ({ outcome: 'error', text: error.message }))
    .then(result => process.stdout.write(`${JSON.stringify({ id: request.id, ...result })}\n`));
});
