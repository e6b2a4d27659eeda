/** All detectors, and the judgement that they make together. */
import { sourceNames, type SourceName } from '../../host/readings.ts';
import type { Finding, Severity } from '../schema.ts';
import { containersWithDeadPorts } from './behind-port.ts';
import { bindFailed } from './bind-failed.ts';
import { bindingsMissing } from './bindings-missing.ts';
import { blocked } from './blocked.ts';
import type { Detector, FindingContext, FindingDraft } from './detector.ts';
import { directAccessBlocked } from './direct-access-blocked.ts';
import { dockerRulesMissing } from './docker-rules-missing.ts';
import { dockerUserNeverMatches } from './docker-user-never-matches.ts';
import { exposedPastFirewall } from './exposed-past-firewall.ts';
import { familyAsymmetry } from './family-asymmetry.ts';
import { foreignForwardDrop } from './foreign-forward-drop.ts';
import { forwardingOff } from './forwarding-off.ts';
import { containersThatLostLinks, linkMissing } from './link-missing.ts';
import { listenerLoopbackOnly } from './listener-loopback-only.ts';
import { loopbackExposed } from './loopback-exposed.ts';
import { nothingListening } from './nothing-listening.ts';
import { orphanLink } from './orphan-link.ts';
import { orphanRule } from './orphan-rule.ts';
import { mayStay } from './overtaken.ts';
import { portConflictFailed } from './port-conflict-failed.ts';
import { portConflictHostMode } from './port-conflict-host-mode.ts';
import { portConflictPending } from './port-conflict-pending.ts';
import { portConflictRivals } from './port-conflict-rivals.ts';
import { portMoved } from './port-moved.ts';
import { portsIgnored } from './ports-ignored.ts';
import { canWalk, publishers, reachesOf } from './reach.ts';
import { staleProxy } from './stale-proxy.ts';
import { strandedNetns } from './stranded-netns.ts';
import { subnetOverlap } from './subnet-overlap.ts';
import { unpublishedExposed } from './unpublished-exposed.ts';

/** Every kind of finding. Each has a section in docs/findings.md under its code. */
export const detectors: readonly Detector[] = [
  portConflictFailed,
  portConflictHostMode,
  portConflictPending,
  portConflictRivals,
  bindFailed,
  bindingsMissing,
  linkMissing,
  portsIgnored,
  portMoved,
  nothingListening,
  listenerLoopbackOnly,
  forwardingOff,
  dockerRulesMissing,
  foreignForwardDrop,
  blocked,
  dockerUserNeverMatches,
  exposedPastFirewall,
  loopbackExposed,
  unpublishedExposed,
  directAccessBlocked,
  familyAsymmetry,
  orphanRule,
  staleProxy,
  orphanLink,
  strandedNetns,
  subnetOverlap,
];

/** Containers whose netns should be read again soon, for a finding hangs on it. Whoever collects readings asks this after each snapshot. */
export function containersToReadAgain(context: FindingContext): string[] {
  return [...new Set([...containersWithDeadPorts(context), ...containersThatLostLinks(context)])];
}

const ranks: Record<Severity, number> = { error: 0, warning: 1, info: 2 };
const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** Errors first, then by code and subject. */
export function compareFindings(a: Finding, b: Finding): number {
  return (
    ranks[a.severity] - ranks[b.severity] ||
    compare(a.code, b.code) ||
    compare(a.subject.name, b.subject.name) ||
    compare(a.id, b.id)
  );
}

/** An id that is the same for the same subject at any time. */
const idOf = (code: string, { kind, id, name }: FindingDraft['subject']): string => `${code}:${kind}:${id ?? name}`;

/** Sources that say nothing new now. */
function silentSources({ readings }: FindingContext, failed: ReadonlySet<SourceName>): Set<SourceName> {
  return new Set(
    sourceNames.filter(
      name => failed.has(name) || readings[name].state === 'failed' || readings[name].state === 'pending',
    ),
  );
}

/**
 * Runs every detector.
 *
 * A finding once raised only goes when it is judged again: while a source that its detector needs is silent, or its container could
 * not be inspected, it stays as it was, marked stale. So losing a source never makes a host look better than it did. What Docker has
 * told since of its container may contradict it, though: then it goes.
 * @param failed sources that could not be read; those whose reading says so itself count too
 * @returns errors first, then by code and subject, each with the time it was first raised
 */
export function judge(context: FindingContext, failed: ReadonlySet<SourceName>): Finding[] {
  return judgeWith(detectors, context, failed);
}

/** `judge` in pieces of some milliseconds each: between two of them the caller may do other things. */
export function* judgeSlowly(context: FindingContext, failed: ReadonlySet<SourceName>): Generator<void, Finding[]> {
  // What several detectors ask of each container, and what takes longest.
  if (canWalk(context)) {
    for (const container of publishers(context)) {
      reachesOf(container, context);
      yield;
    }
  }
  return yield* judging(detectors, context, failed);
}

/** `judge` with other detectors. */
export function judgeWith(
  list: readonly Detector[],
  context: FindingContext,
  failed: ReadonlySet<SourceName>,
): Finding[] {
  const slices = judging(list, context, failed);
  let slice = slices.next();
  while (!slice.done) slice = slices.next();
  return slice.value;
}

function* judging(
  list: readonly Detector[],
  context: FindingContext,
  failed: ReadonlySet<SourceName>,
): Generator<void, Finding[]> {
  const silent = silentSources(context, failed);
  const unreadable = new Set(
    context.readings.docker.value?.containers.flatMap(({ id, inspectError }) =>
      inspectError === undefined ? [] : [id],
    ),
  );
  const containers = silent.has('docker') ? undefined : context.readings.docker.value?.containers;
  const isGone = ({ subject, containerIds: [first] }: Finding) =>
    (subject.kind === 'container' || first !== undefined) && containers?.every(({ id }) => id !== first) === true;
  const isSo = (finding: Finding) => mayStay(finding, context.judgedIn, context.facts.containers);
  const known = new Map(context.previous.map(finding => [finding.id, finding]));
  const findings: Finding[] = [];
  for (const detector of list) {
    yield;
    const { code, severity } = detector;
    const before = context.previous.filter(finding => finding.code === code);
    if (detector.needs.some(name => silent.has(name))) {
      findings.push(...before.filter(finding => !isGone(finding) && isSo(finding)).map(stale));
      continue;
    }
    const raised = new Map<string, Finding>();
    for (const draft of detector.detect(context)) {
      const id = idOf(code, draft.subject);
      const since = known.get(id)?.since ?? new Date(context.now).toISOString();
      raised.set(id, { id, code, severity, ...draft, since });
    }
    const isBlind = detector.helpedBy?.some(name => silent.has(name)) === true;
    const kept = before.filter(
      finding =>
        !raised.has(finding.id) &&
        !isGone(finding) &&
        isSo(finding) &&
        ((isBlind && detector.possible?.(context, finding) !== false) ||
          finding.containerIds.some(id => unreadable.has(id)) ||
          detector.undecided?.(context, finding) === true),
    );
    findings.push(...raised.values(), ...kept.map(stale));
  }
  return findings.sort(compareFindings);
}

const stale = (finding: Finding): Finding => (finding.stale === true ? finding : { ...finding, stale: true });
