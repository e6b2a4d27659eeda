import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseProxy } from '../../source/host/docker-proxy.ts';

const line = (text: string) => text.split(' ');

test('reads whom a docker-proxy serves, of every release', () => {
  const plain =
    '/usr/sbin/docker-proxy -proto tcp -host-ip 0.0.0.0 -host-port 8080 -container-ip 172.17.0.2 -container-port 80';
  const expected = {
    pid: 5,
    proto: 'tcp',
    hostIp: '0.0.0.0',
    hostPort: 8080,
    containerIp: '172.17.0.2',
    containerPort: 80,
  };
  assert.deepEqual(parseProxy(5, line(plain)), expected);
  assert.deepEqual(parseProxy(5, line(`${plain} -use-listen-fd`)), expected);
  assert.deepEqual(parseProxy(5, line(plain.replace('-host-ip', '-use-listen-fd -host-ip'))), expected);
  assert.deepEqual(parseProxy(5, line(plain.replaceAll(/ -(\S+) (\S+)/g, ' --$1=$2'))), expected);
  const v6 = 'docker-proxy -proto udp -host-ip :: -host-port 53 -container-ip FD00:1::2 -container-port 5353';
  assert.deepEqual(parseProxy(6, line(v6)), {
    pid: 6,
    proto: 'udp',
    hostIp: '::',
    hostPort: 53,
    containerIp: 'fd00:1::2',
    containerPort: 5353,
  });
});

test('knows other programs and half a command line for what they are', () => {
  const flags = '-proto tcp -host-ip 0.0.0.0 -host-port 1 -container-ip 172.17.0.2 -container-port 80';
  assert.equal(parseProxy(1, line(`/bin/echo docker-proxy ${flags}`)), undefined);
  assert.equal(parseProxy(1, line(`docker-proxy ${flags.replace('-host-port 1', '-host-port 0')}`)), undefined);
  assert.equal(parseProxy(1, line(`docker-proxy ${flags.replace('tcp', 'icmp')}`)), undefined);
  assert.equal(parseProxy(1, line('docker-proxy -proto tcp -host-ip')), undefined);
  assert.equal(parseProxy(1, []), undefined);
});
