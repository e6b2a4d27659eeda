/** For tests of findings: joins readings as the program does and judges them. */
import type { DockerReading, Readings, SourceName } from '../../source/host/readings.ts';
import type { EarlierReadings } from '../../source/facts/findings/detector.ts';
import { judge } from '../../source/facts/findings/index.ts';
import { joinFacts } from '../../source/facts/join.ts';
import type { Finding, PortChange } from '../../source/facts/schema.ts';
import { docker, now, ok, readings } from './build.ts';
import { assertCommand } from './commands.ts';

export interface Judging {
  at?: number;
  previous?: readonly Finding[];
  earlier?: EarlierReadings;
  portChanges?: PortChange[];
  failed?: SourceName[];
}

/** The findings of these readings, each with a command that is one. */
export function judging(of: Readings, options: Judging = {}): Finding[] {
  const at = options.at ?? now;
  const host = { kind: 'live' as const, name: 'host1', uid: 0, dockerEndpoint: 'unix:///var/run/docker.sock' };
  const facts = { ...joinFacts(of, { now: at, host }), portChanges: options.portChanges ?? [] };
  const { previous = [], earlier } = options;
  const found = judge(
    { readings: of, facts, now: at, previous, ...(earlier ? { earlier } : {}) },
    new Set(options.failed),
  );
  for (const { confirm } of found) if (confirm !== undefined) assertCommand(confirm);
  return found;
}

/** `code subject` of each, for comparing. */
export const briefly = (findings: readonly Finding[]): string[] =>
  findings.map(({ code, subject, stale }) => `${code} ${subject.name}${stale === true ? ' (stale)' : ''}`);

/** Readings with these containers (and whatever else of Docker). */
export function dockerWith(rest: Partial<DockerReading>, others: Partial<Readings> = {}): Readings {
  return readings({ docker: ok(docker(rest)), ...others });
}
