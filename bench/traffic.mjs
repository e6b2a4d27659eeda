// Sends small datagrams to addresses, each at its own pace, so that the rates of their interfaces keep moving.
//   traffic.mjs ADDRESS…
import { createSocket } from 'node:dgram';

const socket = createSocket('udp4');
socket.on('error', () => undefined);
let tick = 0;
setInterval(() => {
  tick += 1;
  for (const [index, address] of process.argv.slice(2).entries()) {
    const size = 20 + ((tick * 37 + index * 101) % 900);
    if ((tick + index) % 3 !== 0) socket.send(Buffer.alloc(size), 9, address, () => undefined);
  }
}, 300);
