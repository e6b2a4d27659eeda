/** Whatever a machine says, a reader answers with a reading or a HostError. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { HostError, type DockerApi, type Host, type HostErrorCode } from '../../source/host/host.ts';
import { readInside } from '../../source/host/inside.ts';
import { readKernel } from '../../source/host/kernel.ts';
import { readLinks } from '../../source/host/links.ts';
import { readProcesses } from '../../source/host/processes.ts';
import { readSockets } from '../../source/host/sockets.ts';
import { readVitals } from '../../source/host/vitals.ts';
import { rounds } from '../rounds.ts';

const id = 'd41fd89b6673b573a33551cdfc943eba0c75c02c5d2210dbebd63770de1bb27f';
const codes: HostErrorCode[] = ['missing', 'denied', 'gone', 'timeout', 'too-large', 'refused', 'failed'];

const vitalLines = '1.71 1.01 0.77 1/233 4711\nMemTotal: 8 kB\nMemFree: 1 kB\nCached: 2 kB';

/** Lines of what is read, true ones among them so that the parsers get further than the first. */
const linkLine =
  '[{"ifindex":2,"ifname":"eth0","link_index":7,"addr_info":[{"family":"inet","local":"1.2.3.4","prefixlen":8}]}]';
const line = fc.constantFrom(
  '   0: 0100007F:1F94 00000000:0000 0A 0:0 00:0 0 0 0 29245 1 0',
  '   0: 00000000000000000000000000000000:0050 00000000000000000000000000000000:0000 0A 0:0 00:0 0 0 0 49136 1',
  '  eth0: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16',
  'tcp LISTEN 0 9 *:9090 *:* users:(("busybox",pid=7,fd=3)) ino:49136 sk:42 cgroup:/ v6only:0 <->',
  '7 (x) S 7 7 7 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 15501 0 0',
  'Uid:\t0\t0\t0\t0',
  'CapEff:\tffffffffffffffff',
  `0::/docker/${id}`,
  '31 30 0:27 / /sys rw - sysfs sysfs rw',
  '27 30 0:27 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw',
  'cgroup2 /sys/fs/cgroup cgroup2 rw 0 0',
  'fd000030000000000000000000000100 02 40 00 82     eth0',
  '2    eth0            1     0     333300000001',
  '           |-- 172.17.0.2\n              /32 host LOCAL',
  'eth0\t000011AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0',
  linkLine,
  '[{"dst":"default","gateway":"10.0.0.1"}]',
  vitalLines,
  'docker-proxy\0-proto\0tcp\0-host-ip\x000.0.0.0\0-host-port\x001\0-container-ip\x001.1.1.1\0-container-port\x002\0',
  '2',
  '7',
  '7 8 ',
);
const text = fc.array(fc.oneof({ weight: 4, arbitrary: line }, fc.string())).map(lines => lines.join('\n'));
const error = fc.constantFrom(...codes).map(code => new HostError(code, 'told so'));
const answer = fc.oneof({ weight: 5, arbitrary: text }, error);
const names = fc.array(fc.constantFrom('7', '8', 'eth0', 'lo', 'self', 'cgroup.procs', 'sub', '..', ''));

const orThrow = <T>(value: T | HostError): Promise<T> =>
  value instanceof HostError ? Promise.reject(value) : Promise.resolve(value);

/** A host that answers from a list, in order and over again. */
function garbageHost(answers: readonly (string | HostError)[], folders: readonly string[][], uid: number): Host {
  let next = 0;
  const take = () => answers[next++ % answers.length]!;
  return {
    kind: 'recording',
    name: 'garbage',
    docker: {} as DockerApi,
    uid,
    now: () => 0,
    readFile: () => orThrow(take()),
    readFiles: paths => paths.map(take),
    readLinks: paths =>
      paths.map(path => (next % 3 === 0 ? take() : path.includes('/fd/') ? 'socket:[49136]' : 'net:[1]')),
    list: () => orThrow(folders[next++ % folders.length]!),
    run: () => {
      const stdout = take();
      const code = next % 5 === 0 ? 1 : 0;
      return orThrow(stdout instanceof HostError ? stdout : { code, signal: null, stdout, stderr: '' });
    },
    follow: () => ({ stop: () => undefined, ended: Promise.resolve(undefined) }),
  };
}

const readers: Record<string, (host: Host) => Promise<unknown>> = {
  links: readLinks,
  sockets: async host => {
    const { value } = await readSockets(host, { wanted: new Set([80, 8084]) });
    return readSockets(host, { previous: value });
  },
  processes: async host => {
    const { value } = await readProcesses(host, { pids: [7, 8] });
    return readProcesses(host, { pids: [7], previous: value, searchProxies: true });
  },
  inside: async host => {
    const options = { containerId: id, pid: 7, hostLinks: [], listeners: true };
    const { value } = await readInside(host, { ...options, detail: true });
    return readInside(host, { ...options, previous: value, exact: true });
  },
  kernel: host => readKernel(host, ['eth0', '..']),
  vitals: readVitals,
};

for (const [name, read] of Object.entries(readers)) {
  test(`reading ${name}`, async () => {
    let readings = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(answer, { minLength: 1, maxLength: 30 }),
        fc.array(names, { minLength: 1 }),
        fc.constantFrom(0, 1000),
        async (answers, folders, uid) => {
          try {
            assert.ok(await read(garbageHost(answers, folders, uid)));
            readings += 1;
          } catch (reason) {
            assert.ok(reason instanceof HostError, String(reason instanceof Error ? reason.stack : reason));
          }
        },
      ),
      {
        numRuns: rounds(300),
        examples: [
          [[vitalLines], [['eth0']], 0],
          [[linkLine], [['eth0']], 0],
        ],
      },
    );
    assert.ok(readings > 0, 'no answers at all were taken for a reading');
  });
}
