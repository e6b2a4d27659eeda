import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import * as fc from 'fast-check';
import {
  cgroupPath,
  containerIdOf,
  parseCgroup,
  parseCmdline,
  parseStat,
  parseUid,
  unitOf,
} from '../../source/host/proc-pid.ts';
import { rounds } from '../rounds.ts';

const id = 'd41fd89b6673b573a33551cdfc943eba0c75c02c5d2210dbebd63770de1bb27f';
const other = '0000d89b6673b573a33551cdfc943eba0c75c02c5d2210dbebd63770de1bb27f';

test('reads stat of a process whose name looks like more of it', () => {
  const fields = Array.from({ length: 49 }, (_, index) => String(index + 4)).join(' ');
  assert.deepEqual(parseStat(`12 (a) R 1 (b) S ${fields}\n`), {
    pid: 12,
    name: 'a) R 1 (b',
    state: 'S',
    ppid: 4,
    startTicks: 22,
  });
  assert.equal(parseStat(''), undefined);
  assert.equal(parseStat('12 (short) S 1'), undefined);
  assert.equal(parseStat(readFileSync('/proc/self/stat', 'utf8'))?.ppid, process.ppid);
});

test('reads command lines and the effective user', () => {
  assert.deepEqual(parseCmdline('httpd\0-f\0\0-p\x0080\0'), ['httpd', '-f', '', '-p', '80']);
  assert.deepEqual(parseCmdline('nginx: master process nginx\0\0\0\0'), ['nginx: master process nginx']);
  assert.deepEqual(parseCmdline(''), []);
  assert.equal(parseUid('Name:\tx\nUid:\t1000\t0\t1000\t1000\nGid:\t1\t1\t1\t1\n'), 0);
  assert.equal(parseUid(readFileSync('/proc/self/status', 'utf8')), process.geteuid?.());
});

test('takes the cgroup path that says most', () => {
  assert.equal(cgroupPath(parseCgroup(`0::/system.slice/docker-${id}.scope\n`)), `/system.slice/docker-${id}.scope`);
  assert.equal(
    cgroupPath(parseCgroup(`9:name=systemd:/docker/${id}\n4:memory:/docker/${id}\n0::/\n`)),
    `/docker/${id}`,
  );
  assert.equal(cgroupPath(parseCgroup('4:cpu,cpuacct:/\n0::/\n')), '/');
  assert.equal(cgroupPath(parseCgroup('0::/a:b\n')), '/a:b');
  assert.equal(cgroupPath(parseCgroup('')), '/');
});

test('finds the container in a cgroup path', () => {
  assert.equal(containerIdOf(`/docker/${id}`), id);
  assert.equal(containerIdOf(`/system.slice/docker-${id}.scope`), id);
  assert.equal(containerIdOf(`/../../docker/${id}/init.scope`), id);
  assert.equal(containerIdOf(`/custom.slice/${id}`), id);
  assert.equal(containerIdOf(`/docker/${other}/docker/${id}/sub`), id);
  assert.equal(containerIdOf(`/docker/${id}a`), undefined);
  assert.equal(containerIdOf('/system.slice/nginx.service'), undefined);
});

test('finds the systemd unit in a cgroup path', () => {
  for (const [path, unit] of [
    ['/system.slice/nginx.service', 'nginx.service'],
    ['/system.slice/system-postgresql.slice/postgresql@15-main.service', 'postgresql@15-main.service'],
    ['/user.slice/user-1000.slice/user@1000.service/app.slice/foo.service', 'foo.service'],
    ['/user.slice/user-1000.slice/user@1000.service/init.scope', 'init.scope'],
    ['/user.slice/user-1000.slice/session-3.scope', 'session-3.scope'],
    ['/system.slice/dev-disk-by\\x2duuid.swap', 'dev-disk-by\\x2duuid.swap'],
    ['/system.slice/containerd.service/kubepods/x', 'containerd.service'],
    ['/init.scope', 'init.scope'],
    ['/', undefined],
    ['/user.slice', undefined],
    [`/system.slice/docker-${id}.scope`, undefined],
  ] as const) {
    assert.equal(unitOf(path), unit, path);
  }
});

test('survives any text', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), text => {
      parseStat(text);
      parseCmdline(text);
      const path = cgroupPath(parseCgroup(`0::/${text}\n${text}`));
      unitOf(path);
      containerIdOf(path);
    }),
    { numRuns: rounds(100) },
  );
});
