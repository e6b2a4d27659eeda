import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { HostError, type DockerApi } from '../../source/host/host.ts';
import { readKernel } from '../../source/host/kernel.ts';
import { createLiveHost } from '../../source/host/live-host.ts';
import { textHost } from './text-host.ts';

const read = (path: string) => readFileSync(`/proc/sys/net/${path}`, 'utf8').trim();

test('reads this machine’s settings', async () => {
  const { value, missing } = await readKernel(createLiveHost({ docker: {} as DockerApi }), ['lo']);
  assert.equal(missing, undefined);
  assert.equal(value.ipForward, read('ipv4/ip_forward') !== '0');
  assert.deepEqual(value.localPortRange, read('ipv4/ip_local_port_range').split('\t').map(Number));
  assert.equal(value.interfaces['lo']?.rpFilter, Number(read('ipv4/conf/lo/rp_filter')));
  assert.equal(value.bridgeNfCallIptables !== undefined, existsSync('/proc/sys/net/bridge/bridge-nf-call-iptables'));
});

test('leaves out what is not there, and does not follow names that are no interface’s', async () => {
  const host = textHost({
    files: {
      '/proc/sys/net/ipv4/ip_forward': '1\n',
      '/proc/sys/net/ipv4/ip_local_port_range': 'garbage',
      '/proc/sys/net/ipv4/conf/eth0.5/forwarding': '0\n',
      '/proc/sys/net/ipv4/conf/../forwarding': '1\n',
      '/proc/sys/net/ipv4/conf/a/b/forwarding': '1\n',
    },
  });
  assert.deepEqual(await readKernel(host, ['eth0.5', '..', 'a/b', '', 'gone0']), {
    value: { ipForward: true, interfaces: { 'eth0.5': { forwarding4: false } } },
  });
});

test('says what was denied, and fails when there is nothing', async () => {
  const denied = new HostError('denied', '/proc/sys/net/netfilter/nf_conntrack_max: permission denied');
  const host = textHost({
    files: { '/proc/sys/net/ipv4/ip_forward': '0\n', '/proc/sys/net/netfilter/nf_conntrack_max': denied },
  });
  assert.equal((await readKernel(host, [])).missing, denied.message);
  await assert.rejects(readKernel(textHost({}), []), { code: 'missing' });
});

test('lists what IPVS takes', async () => {
  const text = `IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port Forward Weight ActiveConn InActConn
TCP  0A4D0064:0050 rr
  -> AC110002:0050      Masq    1      0          0
UDP  [fd00:0077:0000:0000:0000:0000:0000:0100]:0035 wlc persistent 300
FWM  00000101 rr
`;
  const host = textHost({ files: { '/proc/sys/net/ipv4/ip_forward': '1\n', '/proc/net/ip_vs': text } });
  assert.deepEqual((await readKernel(host, [])).value.ipvs, [
    { kind: 'port', proto: 'tcp', address: '10.77.0.100', port: 80 },
    { kind: 'port', proto: 'udp', address: 'fd00:77::100', port: 53 },
    { kind: 'mark' },
  ]);
});
