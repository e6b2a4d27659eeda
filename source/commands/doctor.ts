/** `netdash doctor`: every finding with its evidence, what could not be judged, and an exit code to go by. */
import { listText } from '../facts/holders.ts';
import { detectors } from '../facts/findings/index.ts';
import type { Severity, Snapshot } from '../facts/schema.ts';
import type { Verdict } from '../facts/walk/verdict.ts';
import type { LiveView } from '../live/live.ts';
import { cell, type Line } from '../present/cell.ts';
import { inCharset } from '../terminal/charset.ts';
import { findingDetails } from '../present/finding-table.ts';
import { commandWithRights } from '../present/rights.ts';
import { sanitise, type SafeText } from '../terminal/sanitise.ts';
import type { Invocation, Io } from './command.ts';
import { doctorJson } from './doctor-json.ts';
import { exitCodes } from './exit.ts';
import { UsageError } from '../host/usage-error.ts';
import { lookOnce } from './look-once.ts';
import { nagiosReport } from './nagios.ts';
import { openHost } from './open-host.ts';
import { complain, layoutOf, print, printJson, textOf } from './output.ts';

/** A source, or a container whose netns is one, of which something could not be read. */
interface Lacking {
  name: string;
  reason: string;
}

/** What could not be judged, and what was judged with a part of what it rests on. */
export interface Unjudged {
  /** Sources that could not be read, and the codes of findings that could not be judged without them. */
  sources: Lacking[];
  codes: string[];
  /** Sources of which a part could not be read, and the codes of findings that there may be more of. */
  incomplete: { sources: Lacking[]; containers: Lacking[]; codes: string[] };
}

/** What could not be judged: a source that failed has nothing new, whatever it said before. */
export function unjudged(view: Pick<LiveView, 'snapshot' | 'reach'>): Unjudged {
  const { snapshot } = view;
  const failed = Object.entries(snapshot.sources).filter(([, { state }]) => state === 'failed');
  // This machine's are read, and are not those that the containers of a rootless daemon live by.
  const { docker } = snapshot.host;
  const apart = docker?.rootless && docker.local !== false ? ['links', 'netfilter', 'kernel'] : [];
  const names = new Set([...failed.map(([name]) => name), ...apart]);
  const codes = detectors.filter(({ needs }) => needs.some(name => names.has(name))).map(({ code }) => code);
  const blocking = new Set<string>(detectors.filter(({ code }) => codes.includes(code)).flatMap(({ needs }) => needs));
  return {
    sources: failed
      .filter(([name]) => blocking.has(name))
      .map(([name, { reason }]) => ({ name, reason: reason ?? 'no reason given' })),
    codes,
    incomplete: judgedInPart(view, new Set(codes)),
  };
}

/** What was judged with less than all that it rests on: a crash of one of several tools must not read as "nothing wrong". */
function judgedInPart(
  view: Pick<LiveView, 'snapshot' | 'reach'>,
  unjudgedCodes: ReadonlySet<string>,
): Unjudged['incomplete'] {
  const { snapshot } = view;
  const needed = new Set<string>(detectors.flatMap(({ needs, helpedBy = [] }) => [...needs, ...helpedBy]));
  const sources = Object.entries(snapshot.sources)
    .filter(([name, { state }]) => state === 'partial' && needed.has(name))
    .map(([name, { reason }]) => ({ name, reason: reason ?? 'no reason given' }));
  const partial = new Set(sources.map(({ name }) => name));
  const codes = detectors
    .filter(({ code, needs }) => !unjudgedCodes.has(code) && needs.some(name => partial.has(name)))
    .map(({ code }) => code);
  const unreached = unjudgedCodes.has('blocked') ? [] : notReachedFor(view);
  return { sources, containers: oncePerName([...notLookedInto(snapshot), ...unreached]), codes };
}

/** Containers that publish ports and of whose listeners something is not known. */
function notLookedInto(snapshot: Snapshot): Lacking[] {
  return snapshot.containers.flatMap(({ name, publishedPorts, listeners, unknown }) => {
    if (publishedPorts.length === 0) return [];
    // Of any other address IPV6_V6ONLY says nothing (ipv6(7)).
    const unclear = listeners?.find(({ address, v6only }) => address === '::' && v6only === null);
    const reason = listeners === null ? unknown?.['listeners'] : unclear?.unknown?.['v6only'];
    return reason === undefined ? [] : [{ name, reason: `its listeners: ${reason}` }];
  });
}

/** A rule that netdash does not evaluate is no want of a reading: nothing that the operator does makes it known. */
const isForWantOfReading = ({ verdict, decidedBy }: Verdict): boolean =>
  verdict === 'unknown' &&
  !((decidedBy?.kind === 'rule' || decidedBy?.kind === 'policy') && decidedBy.chain !== undefined);

/** Containers that publish ports of which is not known whether others reach them. */
function notReachedFor({ snapshot, reach }: Pick<LiveView, 'snapshot' | 'reach'>): Lacking[] {
  return snapshot.containers.flatMap(({ name, state, publishedPorts }) => {
    if (state !== 'running') return [];
    for (const { hostIp: address, hostPort: port, proto } of publishedPorts) {
      const { answers } = reach.exposures.of({ address, port, proto });
      const open = answers.find(({ verdict }) => isForWantOfReading(verdict));
      if (!open) continue;
      return [{ name, reason: `who reaches it at ${port}/${proto}: ${open.verdict.decidedBy?.detail ?? 'not known'}` }];
    }
    return [];
  });
}

/** The first of each name. */
const oncePerName = (list: readonly Lacking[]): Lacking[] =>
  list.filter(({ name }, at) => list.findIndex(other => other.name === name) === at);

/** Whether something that was looked for may be there all the same. */
export const mayBeMore = ({ codes, incomplete }: Unjudged): boolean =>
  codes.length + incomplete.sources.length + incomplete.containers.length > 0;

/** The exit code of a judgement: errors that were found count more than what could not be looked at. */
export function doctorExit(snapshot: Snapshot, unread: Unjudged): number {
  if (snapshot.findings.some(({ severity }) => severity === 'error')) return exitCodes.findings;
  return mayBeMore(unread) ? exitCodes.unjudged : exitCodes.fine;
}

const headings: Record<Severity, string> = { error: 'ERRORS', warning: 'WARNINGS', info: 'INFORMATION' };

function findingLines(snapshot: Snapshot): Line[] {
  const now = Date.parse(snapshot.takenAt);
  return (['error', 'warning', 'info'] as const).flatMap(severity => {
    const found = snapshot.findings.filter(finding => finding.severity === severity);
    if (found.length === 0) return [];
    return [
      [cell(`${headings[severity]} (${found.length})`)],
      [],
      ...found.flatMap(finding => [...findingDetails(finding, now).map(line => [cell('  '), ...line]), []]),
    ];
  });
}

/** More of them tell an operator nothing new. */
const mostContainers = 5;

/** What was looked at and found well, and what was not. */
function summary(snapshot: Snapshot, { sources, codes, incomplete }: Unjudged): SafeText[] {
  const inPart = new Set(incomplete.codes);
  const hidden = Math.max(0, incomplete.containers.length - mostContainers);
  const judged = detectors.length - codes.length - inPart.size;
  const found = new Set(snapshot.findings.map(({ code }) => code));
  const clean = detectors.filter(({ code }) => ![...codes, ...inPart, ...found].includes(code)).length;
  const { containersRunning, containersTotal } = snapshot.host;
  const whose = `${containersRunning} of ${containersTotal} containers running`;
  const partial = Object.entries(snapshot.sources).filter(([, { state }]) => state === 'partial');
  const rights = commandWithRights(snapshot, 'netdash doctor');
  return [
    ...sources.map(({ name, reason }) => `not readable: ${name}: ${reason}`),
    ...partial.map(([name, { reason }]) => `incomplete: ${name}: ${reason ?? ''}`),
    ...incomplete.containers.slice(0, mostContainers).map(({ name, reason }) => `incomplete: ${name}: ${reason}`),
    ...(hidden > 0 ? [`incomplete: ${hidden} more containers`] : []),
    ...(codes.length > 0 ? [`not judged for want of that: ${codes.join(', ')}`] : []),
    ...(inPart.size > 0 ? [`judged only in part, so that there may be more: ${[...inPart].join(', ')}`] : []),
    ...(rights === undefined ? [] : [`to see what rights are lacking for: ${rights}`]),
    judged === 0
      ? inPart.size > 0
        ? 'Nothing could be judged in full: every kind of trouble that is looked for rests on what could not be read.'
        : 'Nothing could be judged: every kind of trouble that is looked for needs what could not be read.'
      : `${clean} of the ${judged} kinds of trouble that could be looked for are absent (${containersTotal === null ? 'Docker does not answer' : whose}).`,
  ].map(line => sanitise(line));
}

/** Says on a terminal why nothing comes yet. */
function sayWait(io: Io, ms: number, names: readonly string[]): void {
  if (io.stderr.isTTY !== true) return;
  const seconds = Math.ceil(ms / 1000);
  complain(io, `netdash: waiting up to ${seconds} s to see whether ${listText(names, 3)} is left over or just going`);
}

/** Monitoring gives its plugins ten seconds by default (nagios-plugins, `-t`), and takes a late one for a failure of the plugin. */
const nagiosPatienceMs = 7000;

/** Runs it. */
export async function run(invocation: Invocation): Promise<number> {
  const { io, options } = invocation;
  if (options.nagios && options.json)
    throw new UsageError('--nagios prints its one line and --json an object: give only one of them');
  const { host } = await openHost(invocation);
  const view = await lookOnce(
    host,
    options.nagios
      ? { patience: nagiosPatienceMs }
      : { looksAgain: true, onWait: (ms, names) => sayWait(io, ms, names) },
  );
  const { snapshot } = view;
  const missing = unjudged(view);
  if (options.nagios) {
    const { line, code } = nagiosReport(snapshot, missing);
    await print(io, [inCharset(line, layoutOf(io).charset)]);
    return code;
  }
  if (options.json) await printJson(io, doctorJson(snapshot, missing));
  else {
    const { charset } = layoutOf(io);
    await print(io, [
      ...findingLines(snapshot).map(line => textOf(line, charset)),
      ...summary(snapshot, missing).map(line => inCharset(line, charset)),
    ]);
  }
  return doctorExit(snapshot, missing);
}
