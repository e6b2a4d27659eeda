/** Whether this machine can host a lab. */
import { spawnSync } from 'node:child_process';
import { binariesObstacle, installed } from './binaries.ts';

const obstacle = (): string | undefined => {
  if (process.platform !== 'linux') return 'the lab needs Linux';
  if (process.getuid?.() !== 0) return 'the lab needs root';
  const tool = ['unshare', 'nsenter', 'mount', 'tar'].find(name => installed(name) === undefined);
  if (tool !== undefined) return `the lab needs ${tool}`;
  const script = 'mount --make-rprivate / && mount -t sysfs sysfs /sys && mount -t proc proc /proc';
  const attempt = spawnSync('unshare', ['--fork', '--pid', '--mount', '--net', '--uts', 'sh', '-c', script], {
    encoding: 'utf8',
  });
  if (attempt.status !== 0) return `namespaces cannot be made here: ${attempt.stderr.trim().split('\n')[0]}`;
  return binariesObstacle();
};

let known: { reason: string | undefined } | undefined;

/** Why this machine cannot host a lab, in one line; undefined when nothing speaks against it. Judged once in a process. */
export const labRequirement = (): string | undefined => (known ??= { reason: obstacle() }).reason;
