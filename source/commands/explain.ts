/** `netdash explain TARGET…`: who can reach it, hop by hop, and what stops the others; once, or as it changes. */
import { UsageError } from '../host/usage-error.ts';
import type { Reachability } from '../facts/reachability.ts';
import type { Snapshot } from '../facts/schema.ts';
import { cell, type Line } from '../present/cell.ts';
import { verdictLines } from '../present/verdict-lines.ts';
import type { Invocation } from './command.ts';
import { exitCodes } from './exit.ts';
import { explainJson, type Answer } from './explain-json.ts';
import { parseFrom, parseSubject } from './explain-target.ts';
import { lookOnce } from './look-once.ts';
import { openHost } from './open-host.ts';
import { layoutOf, print, printJson, textOf } from './output.ts';
import { limitOf } from './until-ended.ts';
import { unreadForWalk } from './unread.ts';

/** What was asked, as it was given. */
export interface Asked {
  targets: readonly string[];
  /** The value of `--from`. */
  from?: string;
}

/** Answers what was asked from one moment's readings. @throws UsageError for what is no target or not there */
export function answersTo({ targets, from: text }: Asked, snapshot: Snapshot, reach: Reachability): Answer[] {
  const from = text === undefined ? undefined : parseFrom(text, snapshot);
  const subjects = targets.map(target => ({ target, subject: parseSubject(target, snapshot) }));
  return subjects.flatMap(({ target, subject }) =>
    reach.explain(subject, from).map((explained): Answer => ({ target, ...explained })),
  );
}

/** Runs it. */
export async function run(invocation: Invocation): Promise<number> {
  const { io, options, args = [] } = invocation;
  if (args.length === 0)
    throw new UsageError('explain what? Give a port, ADDRESS:PORT or a container; see netdash explain --help');
  const asked: Asked = { targets: [...new Set(args)], ...(typeof options.from === 'string' && { from: options.from }) };
  const limitMs = limitOf(options.for);
  if (limitMs !== undefined && !options.watch) throw new UsageError('--for goes with --watch');
  const { host } = await openHost(invocation);
  if (options.watch) {
    const { watchVerdicts } = await import('./explain-watch.ts');
    return await watchVerdicts(host, { io, json: options.json === true, asked, limitMs });
  }
  const { snapshot, reach } = await lookOnce(host);
  const answers = answersTo(asked, snapshot, reach);
  const missing = unreadForWalk(snapshot);
  if (options.json) await printJson(io, explainJson(snapshot, answers));
  else {
    const { charset } = layoutOf(io);
    const lines = asked.targets.flatMap((target, index) => targetLines(target, answers, snapshot, index === 0));
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
  return [...head, ...own.flatMap(answer => verdictLines(answer, snapshot))];
}

/** Why there is no question about a target. */
export function nothingReason(target: string, { containers }: Snapshot): string {
  const name = target.split(/[:/]/)[0] ?? '';
  const container = containers.find(each => each.name === name || each.id.startsWith(name));
  if (container && container.state !== 'running' && container.state !== 'paused')
    return `${container.name} does not run (${container.state})`;
  const { networkMode, endpoints = [] } = container ?? {};
  if (container && networkMode !== 'host' && !endpoints.some(({ ipv4, ipv6 }) => (ipv4 ?? ipv6) !== undefined)) {
    return `${container.name} has no address on any network (network mode ${networkMode}), so nobody can ask it`;
  }
  if (container)
    return `${container.name} publishes, exposes and listens on nothing; name a port as ${container.name}:80`;
  return 'no interface of this host has an address of that family';
}
