/** A netns that lives as long as one command, to load real rules into and read them back. */
import { spawnSync, type SpawnSyncReturns } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { NetfilterReading, Outcome } from '../../../source/host/readings.ts';
import { binariesObstacle, findBinaries, installed } from '../../lab/binaries.ts';
import { toolsOf } from '../../lab/unpack.ts';

/** What a lab would run in place of the tools that are not installed; undefined where they are, or cannot be had. */
const unpacked =
  ['iptables-nft', 'iptables-legacy', 'nft', 'ip'].some(name => installed(name) === undefined) &&
  process.getuid?.() === 0 &&
  binariesObstacle() === undefined
    ? (await findBinaries('20', () => undefined)).unpacked
    : undefined;

/** argv that runs a script (sh) in a netns of its own, with the tools. */
function inNetns(script: string): string[] {
  if (unpacked === undefined) return ['unshare', '--net', 'sh', '-c', script];
  // The cache that they are in may be closed to all but root.
  const tools = `mount --bind "$1" /mnt && PATH=${toolsOf('/mnt')}:$PATH && export PATH || exit 1\n`;
  return ['unshare', '--net', '--mount', 'sh', '-c', tools + script, 'sh', unpacked];
}

/** Runs a script (sh) in a netns of its own. */
export function runInNetns(script: string): SpawnSyncReturns<string> {
  const [command = '', ...args] = inNetns(script);
  return spawnSync(command, args, { encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 });
}

const reader = join(dirname(fileURLToPath(import.meta.url)), 'read-rules.ts');

/** Why rules of one kernel interface cannot be loaded on this machine; undefined when they can. */
export function netnsRequirement(flavour: 'nft' | 'legacy' = 'nft'): string | undefined {
  if (process.platform !== 'linux') return 'needs Linux';
  if (process.getuid?.() !== 0) return 'needs root';
  const script = `iptables-${flavour} -L -n && ip6tables-${flavour} -L -n && nft list ruleset`;
  const tried = runInNetns(script);
  if (tried.status === 0) return undefined;
  const why = tried.error?.message ?? tried.stderr.trim().split('\n')[0] ?? '';
  return `needs iptables-${flavour} and nft in a netns of its own: ${why}`;
}

/** Options for `test`: skips, with the reason, where rules cannot be loaded; under REQUIRE_LAB=1 nothing is skipped. */
export function needsNetns(flavour: 'nft' | 'legacy' = 'nft'): { skip: string | false } {
  const reason = process.env['REQUIRE_LAB'] === '1' ? undefined : netnsRequirement(flavour);
  return { skip: reason ?? false };
}

/** What `readNetfilter` gave there. */
export type Read = Partial<Outcome<NetfilterReading>> & { error?: { code: string; message: string } };

/**
 * Runs `script` (sh) in a new netns, then reads the rules there.
 * @param options.as a command to put before the reader, such as `setpriv --reuid=65534 --clear-groups`
 * @throws Error with what the script printed when it fails
 */
export function readIn(script: string, options: { as?: string } = {}): Read {
  const command = `set -e\n${script}\nexec ${options.as ?? ''} "${process.execPath}" --import tsx "${reader}"`;
  const run = runInNetns(command);
  if (run.status !== 0) throw new Error(`the script failed (${run.status ?? run.signal}): ${run.stderr}`);
  return JSON.parse(run.stdout) as Read;
}
