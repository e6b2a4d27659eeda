import assert from 'node:assert/strict';
import { cpus, hostname, totalmem } from 'node:os';
import { test } from 'node:test';
import type { DockerApi } from '../../source/host/host.ts';
import { createLiveHost } from '../../source/host/live-host.ts';
import { parseMemory, prettyName, readVitals } from '../../source/host/vitals.ts';
import { textHost } from './text-host.ts';

test('tells what node tells of this machine', async () => {
  const { value } = await readVitals(createLiveHost({ docker: {} as DockerApi }));
  assert.equal(value.hostname, hostname());
  assert.equal(value.memory.totalBytes, totalmem());
  assert.equal(value.cpus, cpus().length);
  assert.ok(value.uptimeSeconds > 0);
  assert.ok(value.memory.availableBytes > 0 && value.memory.availableBytes <= totalmem());
});

const files = {
  '/proc/sys/kernel/hostname': 'lab\n',
  '/proc/sys/kernel/osrelease': '6.1.0-18-amd64\n',
  '/proc/uptime': '2709.55 4700.01\n',
  '/proc/loadavg': '1.71 1.01 0.77 1/233 4711\n',
  '/proc/meminfo': 'MemTotal:       24683896 kB\nMemFree:  1 kB\nMemAvailable:   23384712 kB\n',
  '/proc/stat': 'cpu  1 2 3\ncpu0 1 2 3\ncpu1 1 2 3\nintr 5\n',
  '/etc/os-release': 'NAME="Debian"\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n',
};

test('reads a recorded machine without touching this one', async () => {
  const host = textHost({
    files: {
      ...files,
      '/proc/self/net/dev':
        '  eno1: 1 2 3 4 5 6 7 8 9 10 11 12\n  eno2: 1 2 3 4 5 6 7 8 9 10 11 12\ndocker0: 1 2 3 4 5 6 7 8 9 10 11 12\n',
      '/proc/self/net/route':
        'Iface\tDestination\nenx\nEno\neno1\t00000000\t010011AC\t0003\t0\t0\t0\t00000000\t0\t0\t0\n',
      '/sys/class/net/eno1/speed': '1000\n',
      '/sys/class/net/eno2/speed': '-1\n',
    },
    folders: { '/sys/class/net': ['docker0', 'eno1', 'eno2', 'other'] },
    links: {
      '/sys/class/net/eno1/device': '../../../0000:00:03.0',
      '/sys/class/net/eno2/device': '../../../0000:00:04.0',
      '/sys/class/net/eno2/phy80211': '../../ieee80211/phy0',
      '/sys/class/net/other/device': '../../../0000:00:05.0',
    },
  });
  assert.deepEqual(await readVitals(host), {
    value: {
      hostname: 'lab',
      os: 'Debian GNU/Linux 12 (bookworm)',
      kernel: '6.1.0-18-amd64',
      uptimeSeconds: 2709,
      loadAverage: [1.71, 1.01, 0.77],
      memory: { totalBytes: 24683896 * 1024, availableBytes: 23384712 * 1024 },
      cpus: 2,
      nics: {
        eno1: { speedMbit: 1000, type: 'wired', isDefault: true },
        eno2: { speedMbit: null, type: 'wireless', isDefault: false },
      },
    },
  });
});

test('asks only those for a device that sysfs does not list among the virtual ones', async () => {
  const dev = ['eno1', 'veth1'].map(name => `${name}: 1 2 3 4 5 6 7 8 9 10 11 12\n`).join('');
  const device = '../../../0000:00:03.0';
  const host = textHost({
    files: { ...files, '/proc/self/net/dev': dev },
    folders: { '/sys/class/net': ['eno1', 'veth1'], '/sys/devices/virtual/net': ['veth1'] },
    links: { '/sys/class/net/eno1/device': device, '/sys/class/net/veth1/device': device },
  });
  const { value } = await readVitals(host);
  assert.deepEqual(Object.keys(value.nics), ['eno1']);
});

test('says what is missing, and fails without load and memory', async () => {
  const { '/proc/stat': _, ...rest } = files;
  const outcome = await readVitals(textHost({ files: rest }));
  assert.equal(outcome.missing, 'number of CPUs; NICs: /sys/class/net: no such file');
  await assert.rejects(readVitals(textHost({ files: { '/proc/loadavg': 'x' } })), { name: 'HostError' });
});

test('reads old and odd files', () => {
  assert.deepEqual(parseMemory('MemTotal: 8 kB\nMemFree: 1 kB\nCached: 2 kB\n'), {
    totalBytes: 8192,
    availableBytes: 3072,
  });
  assert.equal(parseMemory(''), undefined);
  assert.equal(prettyName("PRETTY_NAME='A \\$1'\n"), 'A $1');
  assert.equal(prettyName('PRETTY_NAME=Alpine\n'), 'Alpine');
  assert.equal(prettyName('PRETTY_NAME=""\n'), undefined);
});
