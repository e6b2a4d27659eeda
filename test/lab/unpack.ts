/**
 * Trees of unpacked Debian or Ubuntu packages, for a dockerd and tools that are not installed here. Nothing is installed and
 * no list, cache or setting of the machine's own apt is changed: apt works in a folder of the lab's cache, as if on an empty
 * machine, so that it fetches every library too.
 */
import { createHash } from 'node:crypto';
import { spawn } from 'node:child_process';
import { chmod, mkdir, readFile, readdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { ended, must, run } from './process.ts';

/** Where trees are kept from one lab to the next. */
export const cacheFolder = (): string =>
  join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'netdash-lab');

/** Counted up when trees are made differently, so that older ones are not taken. */
const layout = 4;

/** Packages that not every release has: the command line is part of docker.io in older ones. */
const optional = ['docker-cli'];

const keyring = '/usr/share/keyrings/debian-archive-keyring.gpg';

/** Runs `work` while no other process runs its own under the same lock; the kernel frees it when this process is gone. */
const withLock = async <T>(file: string, work: () => Promise<T>): Promise<T> => {
  const holder = spawn('flock', ['-o', file, 'sh', '-c', 'echo locked; cat >/dev/null'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const over = ended(holder);
  await new Promise((resolve, reject) => {
    holder.stdout.once('data', resolve);
    over.then(() => reject(new Error(`cannot lock ${file}`)), reject);
  });
  try {
    return await work();
  } finally {
    holder.stdin.end();
    await over;
  }
};

/** The Debian mirror that apt uses on this machine, or the one named by NETDASH_LAB_MIRROR. @throws when there is none */
const debianMirror = async (): Promise<string> => {
  const named = process.env['NETDASH_LAB_MIRROR'];
  if (named !== undefined && named !== '') return named;
  // The lists that an update would fetch: known even where none has been fetched yet.
  const lists = await must(['apt-get', 'update', '--print-uris']);
  const found = /^'(\S+\/debian)\/dists\//m.exec(lists)?.[1];
  if (found === undefined) throw new Error('apt knows no Debian mirror here: name one in NETDASH_LAB_MIRROR');
  return found;
};

/** How the machine's apt reaches its servers (proxies, time-outs, checks), without its hooks and folders. */
const acquireSettings = async (): Promise<string> => {
  const settings = await must(['apt-config', 'dump']);
  return settings
    .split('\n')
    .filter(line => /^Acquire::(?!IndexTargets)/.test(line))
    .join('\n');
};

const configureApt = async (folder: string, suite: string | undefined): Promise<string> => {
  await mkdir(join(folder, 'state', 'lists', 'partial'), { recursive: true });
  await mkdir(join(folder, 'cache', 'archives', 'partial'), { recursive: true });
  await writeFile(join(folder, 'status'), '');
  const lines = [
    await acquireSettings(),
    `Dir::State "${folder}/state";`,
    `Dir::State::status "${folder}/status";`,
    `Dir::Cache "${folder}/cache";`,
    'Dir::Etc::main "/dev/null";',
    'Dir::Etc::parts "/dev/null";',
    'Acquire::Languages "none";',
    'APT::Install-Recommends "0";',
    'APT::Sandbox::User "root";',
  ];
  if (suite !== undefined) {
    const option = existsSync(keyring) ? `[signed-by=${keyring}] ` : '';
    await writeFile(join(folder, 'sources.list'), `deb ${option}${await debianMirror()} ${suite} main\n`);
    lines.push(`Dir::Etc::sourcelist "${folder}/sources.list";`, 'Dir::Etc::sourceparts "/dev/null";');
  }
  const file = join(folder, 'apt.conf');
  await writeFile(file, `${lines.join('\n')}\n`);
  return file;
};

// What this process starts ends with it, however it ends.
const withCaller = ['setpriv', '--pdeathsig', 'KILL'];

const apt = (config: string, ...args: string[]): [string[], { env: Record<string, string> }] => [
  [...withCaller, 'apt-get', '-q', '-y', ...args],
  { env: { APT_CONFIG: config, DEBIAN_FRONTEND: 'noninteractive' } },
];

const extract = `
  for name in bin sbin lib lib64; do mkdir -p "$2/usr/$name" && ln -s "usr/$name" "$2/$name" || exit 1; done
  unpack='
    dpkg-deb --fsys-tarfile "$1" | tar -x -C "$2" --keep-directory-symlink \\
      --exclude "./usr/share/doc/*" --exclude "./usr/share/man/*" --exclude "./usr/share/locale/*" || exit 255
  '
  # base-files makes those links anew, so nothing may be unpacked beside it.
  find "$1" -name 'base-files_*.deb' -exec sh -c "$unpack" sh {} "$2" ';'
  find "$1" -name '*.deb' ! -name 'base-files_*' -print0 | xargs -0 -P 2 -I DEB sh -c "$unpack" sh DEB "$2"`;

const rulesTools = ['iptables', 'ip6tables'].flatMap(name =>
  ['', '-nft', '-legacy'].flatMap(flavour => ['', '-save', '-restore'].map(end => `${name}${flavour}${end}`)),
);
const wrapped = ['ip', 'bridge', 'ss', 'nft', 'conntrack', 'docker', 'busybox', ...rulesTools];

/** Folder of a tree with a small script for each tool, which runs it with the tree's own loader and libraries. */
export const toolsOf = (tree: string): string => join(tree, 'netdash-tools');

const writeTools = async (tree: string): Promise<void> => {
  const libraries = join(tree, 'usr', 'lib');
  const triplet = (await readdir(libraries)).find(name => name.endsWith('-linux-gnu'));
  if (triplet === undefined) throw new Error(`no libraries in ${tree}`);
  const loader = (await readdir(join(libraries, triplet))).find(name => /^ld-linux.*\.so\.\d+$/.test(name));
  if (loader === undefined) throw new Error(`no loader in ${tree}`);
  await mkdir(toolsOf(tree), { recursive: true });
  for (const tool of wrapped) {
    const isOfRules = rulesTools.includes(tool);
    const program = isOfRules ? `xtables-${tool.includes('legacy') ? 'legacy' : 'nft'}-multi` : tool;
    const path = ['usr/sbin', 'usr/bin']
      .map(folder => join(folder, program))
      .find(file => existsSync(join(tree, file)));
    if (path === undefined) continue;
    const name = isOfRules ? ` ${tool.replace(/-(?:nft|legacy)/, '')}` : '';
    const script =
      tool === 'busybox'
        ? `exec "$tree/${path}" "$@"`
        : `export XTABLES_LIBDIR="$tree/usr/lib/${triplet}/xtables"\n` +
          `exec "$tree/usr/lib/${triplet}/${loader}" --library-path "$tree/usr/lib/${triplet}:$tree/usr/lib" "$tree/${path}"${name} "$@"`;
    const file = join(toolsOf(tree), tool);
    // Without -p it would be root again where only the effective user is another.
    await writeFile(file, `#!/bin/sh -p\ntree=\${0%/*}/..\n${script}\n`);
    await chmod(file, 0o755);
  }
};

/** What the packages' installation scripts would have made, as far as a lab needs it. */
const finish = async (tree: string): Promise<void> => {
  for (const folder of ['dev', 'etc/docker', 'proc', 'root', 'run', 'sys', 'tmp', 'var/lib/docker']) {
    await mkdir(join(tree, folder), { recursive: true });
  }
  await rm(join(tree, 'var', 'run'), { recursive: true, force: true });
  await symlink('/run', join(tree, 'var', 'run'));
  await writeFile(join(tree, 'etc', 'passwd'), 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n');
  await writeFile(join(tree, 'etc', 'group'), 'root:x:0:\nnogroup:x:65534:\n');
  await writeFile(join(tree, 'etc', 'resolv.conf'), '');
  // dockerd's helpers look up localhost, and would ask a name server that is not there.
  await writeFile(join(tree, 'etc', 'hosts'), '127.0.0.1 localhost\n::1 localhost\n');
  await writeFile(join(tree, 'etc', 'nsswitch.conf'), 'passwd: files\ngroup: files\nhosts: files dns\n');
  // Debian's alternatives: iptables is iptables-nft.
  for (const family of ['iptables', 'ip6tables']) {
    for (const end of ['', '-save', '-restore']) {
      const link = join(tree, 'usr', 'sbin', `${family}${end}`);
      if (existsSync(join(tree, 'usr', 'sbin', 'xtables-nft-multi')) && !existsSync(link))
        await symlink('xtables-nft-multi', link);
    }
  }
  await writeTools(tree);
};

const codename = async (): Promise<string> =>
  /^VERSION_CODENAME=(.*)$/m.exec(await readFile('/etc/os-release', 'utf8').catch(() => ''))?.[1] ?? 'unknown';

/**
 * A tree with these packages and all that they depend on; made when the cache has none.
 * @param suite a Debian suite; undefined for the release that this machine runs
 * @param packages names
 * @param report is told what is going on, a line each
 * @returns its folder
 * @throws when apt cannot get them
 */
export const unpackTree = async (
  suite: string | undefined,
  packages: readonly string[],
  report: (line: string) => void,
): Promise<string> => {
  const hash = createHash('sha256')
    .update([layout, ...packages].join(' '))
    .digest('hex')
    .slice(0, 8);
  const cache = cacheFolder();
  const tree = join(cache, `${suite ?? (await codename())}-${process.arch}-${hash}`);
  if (existsSync(tree)) return tree;
  await mkdir(cache, { recursive: true });
  return withLock(join(cache, 'lock'), async () => {
    if (existsSync(tree)) return tree;
    const work = `${tree}.part`;
    await rm(work, { recursive: true, force: true });
    try {
      const folder = join(work, 'apt');
      await mkdir(folder, { recursive: true });
      report(`fetching packages of ${suite ?? 'this release'} (once; kept in ${cache})`);
      const config = await configureApt(folder, suite);
      // One unreachable source among many is no failure: whether the packages can be had shows below.
      const update = await run(...apt(config, 'update'));
      const known = await run(['apt-cache', 'pkgnames'], { env: { APT_CONFIG: config } });
      const available = new Set(known.stdout.split('\n'));
      const wanted = packages.filter(name => available.has(name));
      const absent = packages.filter(name => !available.has(name) && !optional.includes(name));
      if (absent.length > 0) throw new Error(`apt has no ${absent.join(', ')} here. ${update.stderr.trim()}`);
      await must(...apt(config, 'install', '--download-only', ...wanted));
      report('unpacking them');
      const root = join(work, 'tree');
      const archives = join(folder, 'cache', 'archives');
      await must([...withCaller, 'sh', '-c', extract, 'sh', archives, root]);
      await finish(root);
      await rename(root, tree);
    } finally {
      await rm(work, { recursive: true, force: true });
    }
    return tree;
  });
};
