/** What becomes of the sockets' readings when `ss` tells less than all: hosts made of texts. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HostError } from '../../source/host/host.ts';
import { readInside } from '../../source/host/inside.ts';
import { readSockets } from '../../source/host/sockets.ts';
import { ssLines } from '../../source/host/ss.ts';
import { textHost, type Texts } from './text-host.ts';

const heading = '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n';
const any6 = '0'.repeat(32);
const tcp = `${heading}   0: 00000000:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 111 1 0 100 0 0 10 0\n`;
const tcp6 = `${heading}   0: ${any6}:1F91 ${any6}:0000 0A 00000000:00000000 00:00000000 00000000     0        0 222 1 0 100 0 0 10 0\n`;
const line4 = (rest: string) =>
  `tcp   LISTEN 0      4096   0.0.0.0:8080  0.0.0.0:*  ${rest}ino:111 sk:1 cgroup:/x <->\n`;
const line6 = (rest: string) => `tcp   LISTEN 0      4096   *:8081  *:*  ${rest}ino:222 sk:2 cgroup:/x v6only:0 <->\n`;
const command = 'ss -H -tulnpe';

/** A host with a listener on 0.0.0.0:8080 (inode 111) and one on [::]:8081 (222), which process 7 and nobody has open. */
function host(ss: string | HostError, more: Texts = {}) {
  return textHost({
    files: {
      '/proc/self/mounts': 'cgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n',
      '/proc/self/status': 'CapEff:\t000001ffffffffff\n',
      '/proc/self/net/tcp': tcp,
      '/proc/self/net/tcp6': tcp6,
      '/proc/self/net/udp': heading,
      '/proc/self/net/udp6': heading,
      '/proc/7/comm': 'httpd\n',
      ...more.files,
    },
    links: { '/proc/self/ns/pid': 'pid:[4026531836]', '/proc/7/fd/3': 'socket:[111]', ...more.links },
    folders: { '/proc': ['7'], '/proc/7/fd': ['3'] },
    tools: { [command]: ss, ...more.tools },
  });
}

test('a socket that ss says nobody has open is looked for, and is the kernel’s where nobody has it indeed', async () => {
  const { value, missing } = await readSockets(host(line4('') + line6('')));
  const [held, kernels] = value.listeners;
  assert.deepEqual(held?.processes, [{ pid: 7, fd: 3, name: 'httpd' }]);
  assert.deepEqual(kernels?.processes, []);
  assert.equal(missing, undefined);
});

test('where netdash may not look into processes, what ss says of nobody stays unknown', async () => {
  const files = { '/proc/self/status': 'CapEff:\t0000000000000000\n' };
  const { value } = await readSockets(host(line4('') + line6(''), { files }));
  assert.deepEqual(
    value.listeners.map(({ processes }) => processes),
    [undefined, undefined],
  );
  assert.match(value.ownersReason ?? '', /need/);
});

test('an ss that prints nothing, or stops within a line, makes the reading partial', async () => {
  const silent = await readSockets(host(''));
  assert.match(silent.missing ?? '', /ss printed no socket at all/);
  assert.deepEqual(silent.value.listeners[0]?.processes, [{ pid: 7, fd: 3, name: 'httpd' }]);
  assert.equal(silent.value.listeners[1]?.v6only, undefined);
  const torn = await readSockets(host((line4('') + line6('')).slice(0, -20)));
  assert.match(torn.missing ?? '', /cut off/);
  assert.throws(() => ssLines('ss', { code: 0, signal: null, stdout: 'tcp LIS', stderr: '' }), HostError);
});

test('what ss could not tell once is asked again', async () => {
  const { value: before, missing } = await readSockets(host(new HostError('timeout', 'ss did not end within 10 s')));
  assert.match(missing ?? '', /did not end/);
  const still = await readSockets(host(new HostError('timeout', 'ss did not end within 10 s')), { previous: before });
  assert.match(still.missing ?? '', /did not end/);
  const well = host(line4('') + line6(''));
  const after = await readSockets(well, { previous: still.value });
  assert.deepEqual([after.missing, after.value.listeners[1]?.v6only], [undefined, false]);
  const settled = host('');
  await readSockets(settled, { previous: after.value });
  assert.deepEqual(settled.asked, []);
});

test('a listener that was gone before ss looked says so', async () => {
  const { value } = await readSockets(host(line6('')), {});
  assert.deepEqual(value.listeners[0]?.processes, [{ pid: 7, fd: 3, name: 'httpd' }]);
  const gone = host(line6(''), {
    links: { '/proc/self/ns/pid': 'pid:[4026532000]', '/proc/7/fd/3': 'socket:[999]' },
  });
  const [first] = (await readSockets(gone)).value.listeners;
  assert.equal(first?.processes, undefined);
  assert.match(first?.processesReason ?? '', /closed again/);
});

test('an ss inside that prints nothing is believed only where the kernel counts no socket', async () => {
  const containerId = 'c'.repeat(64);
  const enter = 'nsenter -t 9 -n ss -H -tulne';
  const inside = (sockstat: string) =>
    host('', {
      files: {
        '/proc/9/cgroup': `0::/docker/${containerId}\n`,
        '/proc/9/net/sockstat': sockstat,
        '/proc/9/net/tcp': tcp,
        '/proc/9/net/tcp6': heading,
        '/proc/9/net/udp': heading,
        '/proc/9/net/udp6': heading,
      },
      links: { '/proc/9/ns/net': 'net:[4026532100]', '/proc/self/ns/net': 'net:[4026531840]' },
      tools: { [enter]: '' },
    });
  const options = { containerId, pid: 9, hostLinks: [], listeners: true, exact: true };
  const full = await readInside(inside('TCP: inuse 1 orphan 0\nUDP: inuse 0 mem 0\n'), options);
  assert.deepEqual(
    full.value.listeners?.map(({ port }) => port),
    [8080],
  );
  const empty = await readInside(inside('TCP: inuse 0 orphan 0\nUDP: inuse 0 mem 0\n'), options);
  assert.deepEqual(empty.value.listeners, []);
});
