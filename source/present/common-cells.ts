/** Cells that several tables share, so that one fact looks the same everywhere. */
import type { Container, Finding, PortChange, Severity } from '../facts/schema.ts';
import { glyphs } from '../terminal/charset.ts';
import { cell } from './cell.ts';
import type { Cell, Tone } from './cell.ts';
import { bytes } from './units.ts';

/** For a value that does not apply here, so that no cell is blank. */
export const nothing: Cell = cell('-', 'dim');

/** The tone and glyph of each severity. */
export const severities: Readonly<Record<Severity, { tone: Tone; glyph: string }>> = {
  error: { tone: 'bad', glyph: glyphs.failed },
  warning: { tone: 'warn', glyph: glyphs.warning },
  info: { tone: 'info', glyph: glyphs.info },
};

/** `✗ error`, `! warning`, `i info`. */
export function severityCell(severity: Severity): Cell {
  const { tone, glyph } = severities[severity];
  return cell(`${glyph} ${severity}`, tone);
}

/** Optional text, `-` when there is none. */
export function optional(text: string | number | undefined, tone: Tone = 'plain'): Cell {
  return text === undefined || text === '' ? nothing : cell(text, tone);
}

/** A rate in bytes, in a column whose title says that it is per second; silence is dim. */
export function rateCell(bytesPerSecond: number | undefined): Cell {
  if (bytesPerSecond === undefined) return nothing;
  return cell(bytes(bytesPerSecond), bytesPerSecond < 1 ? 'dim' : 'plain');
}

const states: Readonly<Record<Container['state'], { tone: Tone; glyph: string }>> = {
  running: { tone: 'good', glyph: glyphs.running },
  paused: { tone: 'warn', glyph: glyphs.paused },
  restarting: { tone: 'warn', glyph: glyphs.restarting },
  created: { tone: 'dim', glyph: glyphs.created },
  removing: { tone: 'dim', glyph: glyphs.stopped },
  exited: { tone: 'dim', glyph: glyphs.stopped },
  dead: { tone: 'bad', glyph: glyphs.failed },
};

/** `● running`, `○ exited 137`: a run that ended badly is not dim. */
export function stateCell(container: Container): Cell {
  const { tone, glyph } = states[container.state];
  const failed = container.state === 'exited' && container.exitCode !== undefined && container.exitCode !== 0;
  return cell(
    `${glyph} ${container.state}${failed ? ` ${container.exitCode}` : ''}`,
    failed ? (container.error ? 'bad' : 'warn') : tone,
  );
}

/** A finding's message without the name of its subject at the front, for where that name stands beside it already. */
export function withoutSubject(finding: Finding): string {
  const front = `${finding.subject.name} `;
  return finding.message.startsWith(front) ? finding.message.slice(front.length) : finding.message;
}

/**
 * Findings in one cell, the first in words: glyph, message, how many more there are, and whether it could not be judged
 * again.
 * @param subject name of what the cell's row is about: a message about it does not repeat the name
 */
export function findingsCell(findings: readonly Finding[], subject?: string): Cell | undefined {
  const worst = findings[0];
  if (!worst) return undefined;
  const { tone, glyph } = severities[worst.severity];
  const message = worst.subject.name === subject ? withoutSubject(worst) : worst.message;
  const more = findings.length > 1 ? ` (+${findings.length - 1} more)` : '';
  const label = labels[worst.code];
  const text = label === undefined ? message : `${label}: ${message}`;
  return cell(`${glyph} ${text}${worst.stale ? ' (stale)' : ''}${more}`, tone);
}

/** The gist of a finding, which still shows where the column has room for little more. */
const labels: Readonly<Record<string, string>> = {
  'port-conflict-failed': 'port taken',
  'port-conflict-host-mode': 'port taken',
  // Somebody else may hold it, or its own bindings exclude each other.
  'port-conflict-pending': 'port conflict',
  'port-conflict-rivals': 'rivals',
  'bind-failed': 'bind failed',
  'bindings-missing': 'unpublished',
  'link-missing': 'cut off',
  'ports-ignored': 'ignored',
  'nothing-listening': 'dead port',
  'listener-loopback-only': 'loopback',
  'forwarding-off': 'no forward',
  'orphan-rule': 'orphan',
  'stale-proxy': 'stale proxy',
  'orphan-link': 'orphan',
  'stranded-netns': 'stranded',
  'subnet-overlap': 'overlap',
};

const side = (bindings: PortChange['from']): string =>
  [...new Set(bindings.map(binding => binding.hostPort))].join(',');

/** `32768→32769`. v4 and v6 of one binding that share a port are said once. */
export function changeText(change: PortChange): string {
  return `${side(change.from)}${glyphs.arrow}${side(change.to)}`;
}
