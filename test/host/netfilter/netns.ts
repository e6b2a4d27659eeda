/** A netns that lives as long as one command, to load real rules into and read them back. */
import { spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { NetfilterReading, Outcome } from '../../../source/host/readings.ts';

const reader = join(dirname(fileURLToPath(import.meta.url)), 'read-rules.ts');

/** Why rules of one kernel interface cannot be loaded on this machine; undefined when they can. */
export function netnsRequirement(flavour: 'nft' | 'legacy' = 'nft'): string | undefined {
  if (process.platform !== 'linux') return 'needs Linux';
  if (process.getuid?.() !== 0) return 'needs root';
  const script = `iptables-${flavour} -L -n && ip6tables-${flavour} -L -n && nft list ruleset`;
  const tried = spawnSync('unshare', ['--net', 'sh', '-c', script], { encoding: 'utf8' });
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
  const run = spawnSync('unshare', ['--net', 'sh', '-c', command], { encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 });
  if (run.status !== 0) throw new Error(`the script failed (${run.status ?? run.signal}): ${run.stderr}`);
  return JSON.parse(run.stdout) as Read;
}
