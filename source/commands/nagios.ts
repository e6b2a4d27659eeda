/** `doctor --nagios`: one line and an exit code as monitoring plugins give them (Monitoring Plugins Development Guidelines). */
import type { Severity, Snapshot } from '../facts/schema.ts';
import { sanitise, type SafeText } from '../terminal/sanitise.ts';
import { mayBeMore, type Unjudged } from './doctor.ts';

const states = ['OK', 'WARNING', 'CRITICAL', 'UNKNOWN'] as const;
/** A line that pagers and mails can take. */
const longest = 400;

/** The line and the code: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN (nothing found, but not all could be judged). */
export function nagiosReport(snapshot: Snapshot, unjudged: Unjudged): { line: SafeText; code: 0 | 1 | 2 | 3 } {
  const count = (severity: Severity) => snapshot.findings.filter(finding => finding.severity === severity).length;
  const [errors, warnings, infos] = [count('error'), count('warning'), count('info')];
  const code = errors > 0 ? 2 : warnings > 0 ? 1 : mayBeMore(unjudged) ? 3 : 0;
  const told = snapshot.findings.filter(({ severity }) => severity !== 'info').map(({ message }) => message);
  const { sources, containers } = unjudged.incomplete;
  const missing = [
    ...unjudged.sources.map(({ name, reason }) => `${name} cannot be read: ${reason}`),
    ...sources.map(({ name, reason }) => `${name} incomplete: ${reason}`),
    ...containers.map(({ name, reason }) => `${name} incomplete: ${reason}`),
  ];
  // A bar begins the performance data, a line break ends the status line.
  const clean = sanitise([...told, ...missing].join('; '))
    .replaceAll('|', '/')
    .replaceAll(/\s+/g, ' ');
  const text = clean.length > longest ? `${clean.slice(0, longest - 3)}...` : clean || 'no findings';
  const data = [
    `errors=${errors};;0;0`,
    `warnings=${warnings};0;;0`,
    `infos=${infos};;;0`,
    `containers=${snapshot.host.containersRunning ?? 'U'};;;0`,
  ];
  return { line: sanitise(`NETDASH ${states[code]} - ${text} | ${data.join(' ')}`), code };
}
