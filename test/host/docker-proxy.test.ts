import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readProcesses } from '../../source/host/processes.ts';
import { textHost } from './text-host.ts';
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

test('believes no command line of a container or of another user', async () => {
  const cmdline =
    'docker-proxy\0-proto\0tcp\0-host-ip\x000.0.0.0\0-host-port\x0080\0-container-ip\x00172.17.0.2\0-container-port\x0080\0';
  const process = (pid: number, uid: number, cgroup: string): Record<string, string> => ({
    [`/proc/${pid}/stat`]: `${pid} (docker-proxy) S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 15501 0 0`,
    [`/proc/${pid}/cmdline`]: cmdline,
    [`/proc/${pid}/cgroup`]: `0::${cgroup}\n`,
    [`/proc/${pid}/status`]: `Name:\tdocker-proxy\nUid:\t${uid}\t${uid}\t${uid}\t${uid}\n`,
  });
  const files = {
    ...process(7, 0, '/system.slice/docker.service'),
    ...process(8, 0, `/docker/${'c'.repeat(64)}`),
    ...process(9, 1000, '/user.slice/user-1000.slice'),
  };
  const proxies = async (uid: number) => {
    const { value } = await readProcesses(textHost({ files, uid }), { pids: [7, 8, 9], searchProxies: false });
    return value.proxies.map(({ pid }) => pid);
  };
  assert.deepEqual(await proxies(0), [7]);
  assert.deepEqual(await proxies(65534), [7]);
  // Rootless Docker, looked at by the user whose it is.
  assert.deepEqual(await proxies(1000), [7, 9]);
});
