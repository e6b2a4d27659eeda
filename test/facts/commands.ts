/** Whether a command that netdash prints for an operator to paste is one. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';

/** What such commands begin with. */
const tools = new Set(
  'bridge cat curl docker grep ip iptables ip6tables iptables-save ip6tables-save iptables-legacy-save ip6tables-legacy-save nc nft nsenter ps ss sysctl timeout echo'.split(
    ' ',
  ),
);

const known = new Set<string>();

/** The commands of a line, without what is quoted and what stands behind `#`. */
const parts = (line: string): string[] =>
  line
    .replaceAll(/'[^']*'/g, 'quoted')
    .replace(/\s#\s.*/, '')
    .split(/;|&&|\|\|?/)
    .map(part => part.trim());

/** Holds that bash takes it, that each part of it begins with a tool, and that no word stands for something to fill in. */
export function assertCommand(command: string): void {
  if (known.has(command)) return;
  const { status, stderr } = spawnSync('bash', ['-n', '-c', command], { encoding: 'utf8' });
  assert.equal(status, 0, `${command}: ${stderr}`);
  for (const part of parts(command)) {
    assert.ok(tools.has(part.split(' ')[0] ?? ''), `no tool: ${part} in ${command}`);
    assert.doesNotMatch(part, /\b(?:PID|undefined|NaN)\b|…/, command);
  }
  known.add(command);
}
