/** Findings that what has become of their container since has overtaken: they are not to stand beside what contradicts them. */
import { isUp } from '../publishing.ts';
import type { Container, Finding } from '../schema.ts';

/** Found by what the state and the run of their container are: with another state or another run they say nothing any more. */
const ofRun = new Set([
  'nothing-listening',
  'listener-loopback-only',
  'port-conflict-failed',
  'port-conflict-pending',
  'bind-failed',
  'bindings-missing',
]);

/** A container at two moments; undefined where it is in only one of them, or the finding is about no container. */
function atBoth(
  { subject }: Finding,
  judgedIn: readonly Container[] | undefined,
  containers: readonly Container[],
): [Container, Container] | undefined {
  if (subject.kind !== 'container' || judgedIn === undefined || judgedIn === containers) return undefined;
  const was = judgedIn.find(({ id }) => id === subject.id);
  const is = containers.find(({ id }) => id === subject.id);
  return was && is && was !== is ? [was, is] : undefined;
}

/**
 * Whether a finding tells of a state or a run of its container that is over, by what Docker said of it at both moments.
 * @param judgedIn the containers in which it was found; undefined: not known, so that nothing contradicts it
 * @param containers those of now
 */
export function isOvertaken(
  finding: Finding,
  judgedIn: readonly Container[] | undefined,
  containers: readonly Container[],
): boolean {
  if (!ofRun.has(finding.code)) return false;
  const both = atBoth(finding, judgedIn, containers);
  return both !== undefined && (both[0].state !== both[1].state || both[0].startedAt !== both[1].startedAt);
}

/**
 * Whether a finding that cannot be judged now may stay as it was: not when it is overtaken, nor when its container has come up or
 * gone down since, for then it would be told of what is no more. `judgedIn` and `containers` are as for `isOvertaken`.
 */
export function mayStay(
  finding: Finding,
  judgedIn: readonly Container[] | undefined,
  containers: readonly Container[],
): boolean {
  const both = atBoth(finding, judgedIn, containers);
  return both === undefined || (isUp(both[0]) === isUp(both[1]) && !isOvertaken(finding, judgedIn, containers));
}

/** The findings that are not overtaken; the very same list when none is. The parameters are those of `isOvertaken`. */
export function withoutOvertaken(
  findings: Finding[],
  judgedIn: readonly Container[] | undefined,
  containers: readonly Container[],
): Finding[] {
  const left = findings.filter(finding => !isOvertaken(finding, judgedIn, containers));
  return left.length === findings.length ? findings : left;
}
