import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { cgroupFolders, containerPids, parseCgroupMounts } from '../../source/host/cgroups.ts';
import { HostError, type DockerApi } from '../../source/host/host.ts';
import { createLiveHost } from '../../source/host/live-host.ts';
import { parseCgroup } from '../../source/host/proc-pid.ts';
import { textHost } from './text-host.ts';

const hybrid = `30 25 0:26 / /sys/fs/cgroup ro,nosuid - tmpfs tmpfs ro,mode=755
31 30 0:27 / /sys/fs/cgroup/unified rw,nosuid - cgroup2 cgroup2 rw
32 30 0:28 / /sys/fs/cgroup/systemd rw shared:9 - cgroup cgroup rw,xattr,name=systemd
33 30 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct
34 30 0:30 /docker/abc /mnt/with\\040space rw - cgroup cgroup rw,memory
`;
const folders = (cgroup: string) => cgroupFolders(parseCgroupMounts(hybrid), parseCgroup(cgroup));

test('finds the folder of a cgroup in whatever hierarchy is mounted', () => {
  assert.deepEqual(folders('0::/docker/abc\n'), ['/sys/fs/cgroup/unified/docker/abc']);
  assert.deepEqual(folders('9:name=systemd:/docker/abc\n0::/\n'), ['/sys/fs/cgroup/systemd/docker/abc']);
  assert.deepEqual(folders('4:cpu,cpuacct:/a\n'), ['/sys/fs/cgroup/cpu,cpuacct/a']);
  assert.deepEqual(folders('4:pids:/docker/abc\n'), []);
});

test('sees only what a mount of a part of the hierarchy holds, and nothing above its own cgroup namespace', () => {
  assert.deepEqual(folders('4:memory:/docker/abc/x\n'), ['/mnt/with space/x']);
  assert.deepEqual(folders('4:memory:/docker/abc\n'), ['/mnt/with space']);
  assert.deepEqual(folders('4:memory:/docker/abcd\n'), []);
  assert.deepEqual(folders('0::/../other\n'), []);
});

const files = {
  '/proc/7/cgroup': '0::/docker/abc\n',
  '/proc/self/mountinfo': hybrid,
  '/sys/fs/cgroup/unified/docker/abc/cgroup.procs': '7\n9\n',
};

test('collects the processes of nested cgroups too', async () => {
  const host = textHost({
    files: { ...files, '/sys/fs/cgroup/unified/docker/abc/app.service/cgroup.procs': '12\n8\n' },
    folders: {
      '/sys/fs/cgroup/unified/docker/abc': ['cgroup.procs', 'cpu.stat', 'memory.max', 'app.service', 'notes'],
    },
  });
  assert.deepEqual(await containerPids(host, { containerId: 'abc', pid: 7 }), { pids: [7, 8, 9, 12], complete: true });
});

test('walks from parent to child where the cgroup cannot be seen, and says that this may not be all', async () => {
  const host = textHost({
    files: {
      '/proc/7/cgroup': '0::/../abc\n',
      '/proc/7/task/7/children': '8 20 ',
      '/proc/8/task/8/children': '9 7 ',
    },
  });
  assert.deepEqual(await containerPids(host, { containerId: 'abc', pid: 7 }), { pids: [7, 8, 9, 20], complete: false });
});

test('does not take the processes of a cgroup that does not have the one asked for', async () => {
  const host = textHost({ files: { ...files, '/sys/fs/cgroup/unified/docker/abc/cgroup.procs': '9\n' } });
  assert.deepEqual(await containerPids(host, { containerId: 'abc', pid: 7 }), { pids: [7], complete: false });
});

test('does not take those of a cgroup that is not the container’s alone, as rootless Docker’s on cgroup v1', async () => {
  const host = textHost({
    files: {
      ...files,
      '/proc/7/cgroup': '0::/user.slice\n',
      '/sys/fs/cgroup/unified/user.slice/cgroup.procs': '1\n7\n8\n',
      '/proc/7/task/7/children': '8 ',
    },
  });
  assert.deepEqual(await containerPids(host, { containerId: 'abc', pid: 7 }), { pids: [7, 8], complete: false });
});

test('a process that is gone is gone', async () => {
  const host = textHost({ files: { '/proc/7/cgroup': new HostError('gone', 'gone') } });
  await assert.rejects(containerPids(host, { containerId: 'abc', pid: 7 }), { code: 'gone' });
});

test('finds this very process on this machine', async () => {
  const live = createLiveHost({ docker: {} as DockerApi });
  const { pids } = await containerPids(live, { containerId: '', pid: process.pid });
  assert.ok(pids.includes(process.pid), readFileSync('/proc/self/cgroup', 'utf8'));
});
