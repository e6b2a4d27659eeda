import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { parseSsLine, ssLines } from '../../source/host/ss.ts';
import { rounds } from '../rounds.ts';

const id = '07e47b96ae873142000c3609e268faa3093e69e7f7e2fb91cfd5767950fa230d';

test('reads what ss prints with processes and details', () => {
  const listener = `tcp LISTEN 0      9      10.20.30.100:80    0.0.0.0:* users:(("httpd",pid=19586,fd=3)) uid:33 ino:25134 sk:3f cgroup:/docker/${id} <->      `;
  assert.deepEqual(parseSsLine(listener), {
    proto: 'tcp',
    address: '10.20.30.100',
    port: 80,
    state: 'LISTEN',
    inode: 25134,
    uid: 33,
    cgroup: `/docker/${id}`,
    openers: [{ pid: 19586, fd: 3, name: 'httpd' }],
  });
  const dual = parseSsLine(
    'tcp LISTEN 0 9 *:9090 *:* users:(("busybox",pid=19133,fd=3)) ino:22468 sk:42 cgroup:/ v6only:0 <->',
  );
  assert.deepEqual([dual?.address, dual?.v6only, dual?.cgroup], ['::', false, '/']);
  const only = parseSsLine(
    'udp UNCONN 0 0 [::]:5000 [::]:* users:(("docker-proxy",pid=19842,fd=4)) ino:24465 sk:2d cgroup:/ v6only:1 <->',
  );
  assert.deepEqual([only?.address, only?.v6only, only?.state], ['::', true, 'UNCONN']);
});

const read = (local: string) => {
  const socket = parseSsLine(`udp UNCONN 0 0 ${local} 0.0.0.0:*`);
  return [socket?.address, socket?.device, socket?.port, socket?.v6only];
};

test('reads addresses with interfaces, and mapped ones', () => {
  assert.deepEqual(read('127.0.0.53%lo:53'), ['127.0.0.53', 'lo', 53, undefined]);
  assert.deepEqual(read('[fe80::1]%eth0:546'), ['fe80::1', 'eth0', 546, undefined]);
  assert.deepEqual(read('0.0.0.0%br-1a2b:68'), ['0.0.0.0', 'br-1a2b', 68, undefined]);
  assert.deepEqual(read('[::]%wg0:51820'), ['::', 'wg0', 51820, true]);
  assert.deepEqual(read('*%wg0:51820'), ['::', 'wg0', 51820, false]);
  assert.deepEqual(read('[::ffff:127.0.0.1]:80'), ['::ffff:127.0.0.1', undefined, 80, undefined]);
});

const openers = (users: string) =>
  parseSsLine(`tcp LISTEN 0 5 0.0.0.0:1 0.0.0.0:* users:(${users}) ino:7 sk:1 <->`)?.openers;

test('reads process names that contain what separates them', () => {
  assert.deepEqual(openers('("nginx: worker",pid=12,fd=6),("nginx",pid=10,fd=6)'), [
    { pid: 12, fd: 6, name: 'nginx: worker' },
    { pid: 10, fd: 6, name: 'nginx' },
  ]);
  assert.deepEqual(openers('("a"b",pid=1,fd=2)'), [{ pid: 1, fd: 2, name: 'a"b' }]);
  assert.deepEqual(openers('("(sd-pam)",pid=1,fd=2)'), [{ pid: 1, fd: 2, name: '(sd-pam)' }]);
  // A process may name itself like an entry of the list (15 characters).
  assert.equal(openers('("x",pid=1,fd=3)",pid=123,fd=4)'), undefined);
  assert.equal(openers('("",pid=1,fd=3),(",pid=123,fd=4)'), undefined);
  assert.equal(openers('("",pid=1,fd=3)) ",pid=123,fd=4)'), undefined);
  const fake = parseSsLine('tcp LISTEN 0 5 0.0.0.0:1 0.0.0.0:* users:((" ino:9 ",pid=5,fd=2)) ino:7 sk:1 v6only:1 <->');
  assert.deepEqual([fake?.inode, fake?.openers?.[0]?.name], [7, ' ino:9 ']);
});

test('gives the openers as they are or not at all, whatever processes call themselves', () => {
  const piece = fc.constantFrom('"', ',pid=1', ',fd=2', ')', '(', ',', ' ', 'a', 'ino:1', '))');
  const name = fc
    .oneof(fc.array(piece), fc.array(fc.string()))
    .map(parts => parts.join('').replaceAll('\n', '').slice(0, 15));
  const list = fc.array(
    fc.record({ name, pid: fc.integer({ min: 1, max: 99 }), fd: fc.nat(9) }, { noNullPrototype: true }),
    {
      minLength: 1,
      maxLength: 3,
    },
  );
  let clear = 0;
  fc.assert(
    fc.property(list, truth => {
      const said = openers(truth.map(each => `("${each.name}",pid=${each.pid},fd=${each.fd})`).join(','));
      if (said === undefined) return;
      clear += 1;
      assert.deepEqual(said, truth);
    }),
    { numRuns: rounds(2000) },
  );
  assert.ok(clear > 100);
});

test('does not take a cgroup that ss could not look up for one', () => {
  const line = 'tcp LISTEN 0 5 0.0.0.0:1 0.0.0.0:* ino:7 sk:1 cgroup:unreachable:1a <->';
  assert.equal(parseSsLine(line)?.cgroup, undefined);
  assert.equal(parseSsLine(line.replace('unreachable:1a', '/my slice/a b'))?.cgroup, '/my slice/a b');
});

test('passes over other lines, and says why ss failed', () => {
  for (const line of ['', 'Netid State Recv-Q', 'u_str LISTEN 0 5 /run/x 1 * 0', 'tcp LISTEN 0 5 host:http *:*']) {
    assert.equal(parseSsLine(line), undefined, line);
  }
  assert.throws(() => ssLines('ss -x', { code: 255, signal: null, stdout: '', stderr: 'bad\nmore' }), {
    code: 'failed',
    message: 'ss -x ended with status 255: bad',
  });
  assert.throws(() => ssLines('ss', { code: null, signal: 'SIGSEGV', stdout: '', stderr: '' }), {
    message: 'ss was ended by SIGSEGV',
  });
});

test('survives any text', () => {
  const part = fc.constantFrom(
    'tcp',
    'LISTEN',
    '0',
    'users:((',
    '"a",pid=1,fd=2)',
    ',(',
    '))',
    'ino:',
    '*:80',
    '[::]:1',
    'cgroup:/',
  );
  fc.assert(
    fc.property(fc.array(fc.oneof(part, fc.string())), parts => {
      parseSsLine(`tcp LISTEN 0 5 0.0.0.0:1 0.0.0.0:* ${parts.join('')}`);
      parseSsLine(parts.join(' '));
    }),
    { numRuns: rounds(100) },
  );
});
