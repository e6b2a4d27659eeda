/** `netdash explain TARGET…`: who can reach it, hop by hop, and what stops the others. */
import { UsageError } from '../host/usage-error.ts';
import type { Snapshot } from '../facts/schema.ts';
import { adviceFor } from '../facts/walk/advice.ts';
import { questionsAbout } from '../facts/walk/subjects.ts';
import { makeWorld, walk } from '../facts/walk/walk.ts';
import { cell, type Line } from '../present/cell.ts';
import { verdictLines } from '../present/verdict-lines.ts';
import type { Invocation } from './command.ts';
import { exitCodes } from './exit.ts';
import { explainJson, type Answer } from './explain-json.ts';
import { parseFrom, parseSubject } from './explain-target.ts';
import { readOnce } from './look-once.ts';
import { openHost } from './open-host.ts';
import { layoutOf, print, printJson, textOf } from './output.ts';
import { unreadForWalk } from './unread.ts';

/** Runs it. */
export async function run(invocation: Invocation): Promise<number> {
  const { io, options, args: targets = [] } = invocation;
  if (targets.length === 0)
    throw new UsageError('explain what? Give a port, ADDRESS:PORT or a container; see netdash explain --help');
  const { host } = await openHost(invocation);
  const { view, readings } = await readOnce(host);
  const { snapshot } = view;
  const from = typeof options.from === 'string' ? parseFrom(options.from, snapshot) : undefined;
  const subjects = targets.map(target => ({ target, subject: parseSubject(target, snapshot) }));
  const world = makeWorld(readings, snapshot);
  const answers = subjects.flatMap(({ target, subject }) =>
    questionsAbout(subject, from, snapshot).map((question): Answer => ({
      target,
      question,
      verdict: walk(world, question),
    })),
  );
  const missing = unreadForWalk(snapshot);
  if (options.json) await printJson(io, explainJson(snapshot, answers));
  else {
    const { charset } = layoutOf(io);
    const lines = targets.flatMap((target, index) => targetLines(target, answers, snapshot, index === 0));
    await print(
      io,
      [...lines, ...missing.map((text): Line => [cell(text)])].map(line => textOf(line, charset)),
    );
  }
  const isOpen = answers.length === 0 || answers.some(({ verdict }) => verdict.verdict === 'unknown');
  return missing.length > 0 && isOpen ? exitCodes.unjudged : exitCodes.fine;
}

function targetLines(target: string, answers: readonly Answer[], snapshot: Snapshot, isFirst: boolean): Line[] {
  const own = answers.filter(answer => answer.target === target);
  const head: Line[] = [...(isFirst ? [] : [[]]), [cell(target, 'title')]];
  if (own.length === 0) return [...head, [cell(`nothing to ask: ${nothingReason(target, snapshot)}`)]];
  return [
    ...head,
    ...own.flatMap(({ question, verdict }) => verdictLines(question, verdict, adviceFor(question, verdict), snapshot)),
  ];
}

/** Why there is no question about a target. */
function nothingReason(target: string, { containers }: Snapshot): string {
  const name = target.split(/[:/]/)[0] ?? '';
  const container = containers.find(each => each.name === name || each.id.startsWith(name));
  if (container && container.state !== 'running' && container.state !== 'paused')
    return `${container.name} does not run (${container.state})`;
  if (container)
    return `${container.name} publishes, exposes and listens on nothing; name a port as ${container.name}:80`;
  return 'no interface of this host has an address of that family';
}
