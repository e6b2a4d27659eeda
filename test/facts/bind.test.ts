/** bindConflict against the kernel's own bind(): every pair of addresses, protocols and options that Node can make, on loopback. */
import assert from 'node:assert/strict';
import { createSocket, type Socket } from 'node:dgram';
import { connect, createServer, type AddressInfo, type Server } from 'node:net';
import { test } from 'node:test';
import type { Claim } from '../../source/facts/claims.ts';
import { bindConflict } from '../../source/facts/conflicts.ts';

type Held = { close(): Promise<void> };

/** Binds (and, for TCP, listens) as the claim says; 'in-use' when the kernel answers EADDRINUSE. */
function bind(claim: Claim): Promise<Held | 'in-use'> {
  return new Promise((resolve, reject) => {
    const refused = (error: NodeJS.ErrnoException) => (error.code === 'EADDRINUSE' ? resolve('in-use') : reject(error));
    if (claim.proto === 'tcp') {
      const server: Server = createServer();
      server.once('error', refused);
      server.listen({ host: claim.address, port: claim.port, ipv6Only: claim.v6only === true, exclusive: true }, () =>
        resolve({ close: () => new Promise(done => server.close(() => done())) }),
      );
      return;
    }
    const socket: Socket = createSocket({
      type: claim.address.includes(':') ? 'udp6' : 'udp4',
      ipv6Only: claim.v6only === true,
      reuseAddr: claim.reuseAddr === true,
    });
    socket.once('error', error => {
      socket.close();
      refused(error);
    });
    socket.bind({ address: claim.address, port: claim.port, exclusive: true }, () =>
      resolve({ close: () => new Promise(done => socket.close(() => done())) }),
    );
  });
}

const places: Pick<Claim, 'address' | 'v6only'>[] = [
  { address: '0.0.0.0' },
  { address: '127.0.0.1' },
  { address: '127.0.0.2' },
  { address: '::', v6only: false },
  { address: '::', v6only: true },
  { address: '::1', v6only: false },
  { address: '::1', v6only: true },
  { address: '::ffff:127.0.0.1', v6only: false },
  { address: '::ffff:127.0.0.2', v6only: false },
  { address: '::ffff:0.0.0.0', v6only: false },
];
/** libuv gives every TCP listener SO_REUSEADDR; a UDP socket has it only when asked. */
const kinds: Pick<Claim, 'proto' | 'reuseAddr'>[] = [
  { proto: 'tcp', reuseAddr: true },
  { proto: 'udp' },
  { proto: 'udp', reuseAddr: true },
];

/** A port, below the range from which connections are given theirs, that both claims can have alone. */
async function freePort(held: Claim, asked: Claim, from: number): Promise<number> {
  for (let port = from; ; port += 1) {
    let free = true;
    for (const claim of [held, asked]) {
      const alone = await bind({ ...claim, port });
      if (alone === 'in-use') free = false;
      else await alone.close();
    }
    if (free) return port;
  }
}

test('a verdict for every pair of addresses, protocols and SO_REUSEADDR is what bind() does', async () => {
  let pairs = 0;
  let conflicts = 0;
  let next = 18_000;
  const wrong: string[] = [];
  for (const heldKind of kinds) {
    for (const askedKind of kinds) {
      for (const heldPlace of places) {
        for (const askedPlace of places) {
          const port = await freePort(
            { ...heldKind, ...heldPlace, port: 0 },
            { ...askedKind, ...askedPlace, port: 0 },
            next,
          );
          next = port + 1;
          const held: Claim = { ...heldKind, ...heldPlace, port };
          const asked: Claim = { ...askedKind, ...askedPlace, port };
          const first = await bind(held);
          assert.notEqual(first, 'in-use');
          const second = await bind(asked);
          const verdict = bindConflict(held, asked);
          if (verdict !== (second === 'in-use')) wrong.push(`${JSON.stringify([held, asked])}: ${String(verdict)}`);
          pairs += 1;
          if (second === 'in-use') conflicts += 1;
          else await second.close();
          if (first !== 'in-use') await first.close();
        }
      }
    }
  }
  assert.deepEqual(wrong, []);
  assert.equal(pairs, 900);
  assert.ok(conflicts > 150, `the kernel refused ${conflicts} of them`);
});

test('an outgoing connection holds its local port against listeners, as bindConflict says', async () => {
  const target = createServer(socket => socket.resume());
  await new Promise<void>(done => target.listen(0, '127.0.0.1', done));
  const { port: targetPort } = target.address() as AddressInfo;
  // No local port is asked for: the kernel gives one, without SO_REUSEADDR, as to every ordinary client.
  const client = connect({ host: '127.0.0.1', port: targetPort });
  await new Promise<void>(done => client.once('connect', done));
  const held: Claim = { proto: 'tcp', address: '127.0.0.1', port: client.localPort!, listening: false };
  const verdicts = [];
  for (const place of places) {
    const asked: Claim = { proto: 'tcp', reuseAddr: true, ...place, port: held.port };
    const outcome = await bind(asked);
    if (outcome !== 'in-use') await outcome.close();
    verdicts.push([place, bindConflict(held, asked), outcome === 'in-use']);
  }
  client.destroy();
  await new Promise<void>(done => target.close(() => done()));
  for (const [place, verdict, truth] of verdicts) assert.equal(verdict, truth, JSON.stringify(place));
  assert.ok(verdicts.some(([, , truth]) => truth === true) && verdicts.some(([, , truth]) => truth === false));
});

test('a :: whose IPV6_V6ONLY is not known conflicts for certain only with IPv6 claims', () => {
  const open: Claim = { proto: 'tcp', address: '::', port: 80 };
  assert.equal(bindConflict(open, { proto: 'tcp', address: '127.0.0.1', port: 80 }), 'unknown');
  assert.equal(bindConflict({ proto: 'tcp', address: '0.0.0.0', port: 80 }, open), 'unknown');
  assert.equal(bindConflict(open, { proto: 'tcp', address: '::1', port: 80 }), true);
  assert.equal(bindConflict(open, open), true);
  assert.equal(bindConflict(open, { proto: 'tcp', address: '127.0.0.1', port: 81 }), false);
});

test('SO_REUSEPORT lets one user share a port, and two interfaces do not meet', () => {
  const claim: Claim = { proto: 'tcp', address: '0.0.0.0', port: 80, reusePort: true, uid: 5 };
  assert.equal(bindConflict(claim, { ...claim }), false);
  assert.equal(bindConflict(claim, { ...claim, uid: 6 }), true);
  assert.equal(bindConflict(claim, { ...claim, reusePort: false }), true);
  const zone: Claim = { proto: 'udp', address: 'fe80::1', port: 53, device: 'eth0' };
  assert.equal(bindConflict(zone, { ...zone, device: 'eth1' }), false);
  assert.equal(bindConflict(zone, { ...zone }), true);
});
