/**
 * Programs of an administrator that a lab's machine may not have (ipset, conntrack, ufw, firewalld): a tree of this release's
 * packages, unpacked like the lab's Docker, with an overlay so that what they write is gone with the lab.
 */
import { join } from 'node:path';
import { installed } from '../lab/binaries.ts';
import { unpackTree } from '../lab/unpack.ts';
import type { Lab, Result } from '../lab/lab.ts';

// Essential packages are on every machine, so that nothing depends on them; in a tree they have to be named.
const packages = [
  'base-files',
  'bash',
  'conntrack',
  'coreutils',
  'dash',
  'dbus-daemon',
  'firewalld',
  'grep',
  'ipset',
  'iptables',
  'kmod',
  'nftables',
  'procps',
  'sed',
  'python3',
  'ufw',
];

// On the machine's own /run, /proc and /sys: what is loaded, listed and asked is the machine's.
const mountScript = `
  set -e
  root=$1 tree=$2
  mkdir -p "$root" && mount -t tmpfs tmpfs "$root"
  mkdir "$root/upper" "$root/work" "$root/tree"
  mount -t overlay -o "lowerdir=$tree,upperdir=$root/upper,workdir=$root/work" overlay "$root/tree"
  cd "$root/tree"
  for name in proc sys dev run; do mkdir -p $name && mount --rbind /$name $name; done
  mkdir "$root/tools"
  printf '#!/bin/sh\nexec chroot "%s" ipset "$@"\n' "$root/tree" >"$root/tools/ipset"
  chmod 755 "$root/tools/ipset"
`;

/** Where, once the tree is mounted, those of its programs are that netdash may ask; for the end of a PATH. */
export const firewallTools = (lab: Lab): string => join(lab.dir, 'firewall', 'tools');

/** Why the tree cannot be had on this machine, as far as that shows without trying. */
export const firewallTreeObstacle = (): string | undefined =>
  ['apt-get', 'dpkg-deb', 'flock', 'setpriv'].every(name => installed(name) !== undefined)
    ? undefined
    : 'no apt to get ufw and firewalld with';

/** The tree, mounted on one lab's machine. */
export interface FirewallTree {
  /** Where its / is on the machine. */
  root: string;
  /** Runs one of its programs, with the machine's network and processes. */
  run(command: readonly string[], input?: string): Promise<Result>;
  /** As `run`. @throws when the program fails, with what it said */
  must(command: readonly string[], input?: string): Promise<string>;
  /** argv that runs a program of the tree, for what goes on running. */
  enter(command: readonly string[]): string[];
}

/** Unpacks the packages when the cache has none yet, and mounts them. @throws when they cannot be had */
export async function mountFirewallTree(
  lab: Lab,
  report: (line: string) => void = () => undefined,
): Promise<FirewallTree> {
  const tree = await unpackTree(undefined, packages, report);
  const folder = join(lab.dir, 'firewall');
  const made = await lab.inHost(['sh', '-c', mountScript, 'sh', folder, tree]);
  if (made.code !== 0) throw new Error(`cannot mount ${tree}: ${made.stderr}`);
  const root = join(folder, 'tree');
  const enter = (command: readonly string[]): string[] => [
    'env',
    '-i',
    'PATH=/usr/sbin:/usr/bin:/sbin:/bin',
    'chroot',
    root,
    ...command,
  ];
  const run = (command: readonly string[], input?: string): Promise<Result> =>
    lab.inHost(enter(command), input === undefined ? {} : { input });
  return {
    root,
    enter,
    run,
    must: async (command, input) => {
      const { code, stdout, stderr } = await run(command, input);
      if (code !== 0) throw new Error(`${command.join(' ')}: ${stderr || stdout}`);
      return stdout;
    },
  };
}
