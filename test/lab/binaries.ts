/** Which dockerd and which tools a lab runs. */
import { accessSync, constants, readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { toolsOf, unpackTree } from './unpack.ts';

/** `20`: the dockerd of this machine, else its distribution's (20.10 on Debian 12). `26`, `28`: those of later Debian releases. */
export type DockerChoice = '20' | '26' | '28';

export interface Binaries {
  /** What dockerd has for /: `/` itself, or a tree of unpacked packages. */
  tree: string;
  /** The tree whose tools the lab's machine has, at `unpackedAt`, in place of those that are not installed. */
  unpacked?: string;
  /** PATH for the lab's machine. */
  path: string;
  /** A statically linked busybox: here, and on the lab's machine. */
  busybox: { here: string; there: string };
}

/** Where the lab's machine shows an unpacked tree to everybody: the cache may be below root's home, which is closed to others. */
export const unpackedAt = '/run/unpacked';

/** The Debian suite of each choice; undefined for the release that this machine runs. */
export const suites: Record<DockerChoice, string | undefined> = { '20': undefined, '26': 'trixie', '28': 'sid' };

const packages: Record<string, readonly string[]> = {
  daemon: ['base-files', 'docker.io', 'docker-cli', 'containerd', 'runc', 'iptables'],
  'iptables-save': ['iptables'],
  'ip6tables-save': ['iptables'],
  ip: ['iproute2'],
  ss: ['iproute2'],
  nft: ['nftables'],
  busybox: ['busybox-static'],
};

const systemFolders = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];

const searchPath = (): string[] =>
  [...new Set([...(process.env['PATH'] ?? '').split(delimiter), ...systemFolders])].filter(Boolean);

/** The path of an installed program, looked for where administrators' tools live too. */
export const installed = (name: string): string | undefined =>
  searchPath()
    .map(folder => join(folder, name))
    .find(file => {
      try {
        accessSync(file, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });

/** A 64-bit ELF program without a PT_INTERP header (type 3) needs no loader: it is linked statically (elf(5)). */
const isStatic = (file: string): boolean => {
  const elf = readFileSync(file);
  const headers = Number(elf.readBigUInt64LE(32));
  const size = elf.readUInt16LE(54);
  return !Array.from({ length: elf.readUInt16LE(56) }).some(
    (_, index) => elf.readUInt32LE(headers + index * size) === 3,
  );
};

/** Set NETDASH_LAB_DOCKER=unpack to pass over what is installed. */
const ignoreInstalled = (): boolean => process.env['NETDASH_LAB_DOCKER'] === 'unpack';

const isInstalled = (name: string): boolean => {
  if (ignoreInstalled()) return false;
  if (name === 'daemon')
    return ['dockerd', 'containerd', 'runc', 'iptables'].every(part => installed(part) !== undefined);
  const file = installed(name);
  return file !== undefined && (name !== 'busybox' || isStatic(file));
};

/** Names of `packages` that are not there. */
const missingParts = (): string[] => Object.keys(packages).filter(name => !isInstalled(name));

/** Why no dockerd can be had on this machine, as far as that shows without trying. */
export const binariesObstacle = (): string | undefined =>
  missingParts().length === 0 ||
  ['apt-get', 'dpkg-deb', 'flock', 'setpriv'].every(name => installed(name) !== undefined)
    ? undefined
    : `${missingParts().join(', ')} not installed, and no apt to get them with`;

/**
 * Finds, or fetches once, what a lab runs.
 * @param report is told what is going on, a line each
 * @throws when it cannot be had
 */
export const findBinaries = async (docker: DockerChoice, report: (line: string) => void): Promise<Binaries> => {
  const suite = suites[docker];
  const missing = suite === undefined ? missingParts() : Object.keys(packages);
  const own = searchPath();
  const found = installed('busybox') ?? '';
  if (missing.length === 0) return { tree: '/', path: own.join(delimiter), busybox: { here: found, there: found } };
  const tree = await unpackTree(suite, [...new Set(missing.flatMap(name => packages[name] ?? []))], report);
  const busyboxIn = (top: string): string => (missing.includes('busybox') ? join(top, 'usr', 'bin', 'busybox') : found);
  const busybox = { here: busyboxIn(tree), there: busyboxIn(unpackedAt) };
  const tools = toolsOf(unpackedAt);
  // A daemon and the tools that read its rules belong together: rules written by a newer nft can crash an older one.
  return missing.includes('daemon')
    ? { tree, unpacked: tree, path: [tools, ...own].join(delimiter), busybox }
    : { tree: '/', unpacked: tree, path: [...own, tools].join(delimiter), busybox };
};
