/** The commands by name, and how a command line becomes one of them. */
import { parseArgs } from 'node:util';
import { HostError } from '../host/host.ts';
import { UsageError } from '../host/usage-error.ts';
import type { Command, Invocation, Io, OptionValues } from './command.ts';
import { exitCodes } from './exit.ts';
import { commandHelp, mainHelp } from './help.ts';
import { commonOptions, optionTable, type OptionName } from './options.ts';
import { complain, print } from './output.ts';
import { sanitise } from '../terminal/sanitise.ts';

const dashboard: Command = {
  summary: 'the dashboard, or with a container its page; into a pipe: snapshot',
  details: 'netdash NAME opens the page of a container, by name, id or beginning of an id.',
  options: [],
  run: async invocation => (await import('./dashboard.ts')).run(invocation),
};

/** Every command by its name. */
export const commands: Readonly<Record<string, Command>> = {
  snapshot: {
    summary: 'containers, ports, links, networks, rules and findings, once',
    details: 'Reads every source once and prints what it found; what cannot be read says why. Exits 0.',
    options: ['json'],
    run: async invocation => (await import('./snapshot.ts')).run(invocation),
  },
  ports: {
    summary: 'every listener and published port, on the host and in containers',
    details: [
      'One line per protocol, address and port, with its owner and who off this host reaches it. Exits 0.',
      '',
      'With --exposed only what others can reach, riskiest first and with the reason: ports of the host and published ones, on',
      'IPv4 and IPv6, and ports of containers at their own addresses, for a neighbour that routes those by this host. What is',
      'not known comes last. Exits 3 when something is unknown for want of a source that cannot be read.',
    ].join('\n'),
    options: ['exposed', 'json'],
    run: async invocation => (await import('./ports.ts')).run(invocation),
  },
  explain: {
    summary: 'who can reach a port, hop by hop, and what stops the others',
    details: [
      'Follows a packet through the rules, routes and settings as they were read; nothing is sent.',
      '',
      'TARGET is a port of the host (8080, 8080/udp), an address (10.0.0.5:443, [fd00::5]:443/udp), or a container, with or',
      'without a port inside it (web, web:80). Several are answered from one reading.',
      'Without --from: from this host and from the LAN of each of its interfaces.',
      'Verdicts: reachable, blocked, local-only (only this host can), nothing-listening, unknown (says what it hangs on).',
      'They judge an exchange of data, not the handshake. A LAN neighbour is taken to send to a container by way of this host.',
      'With --watch it goes on until Ctrl-C, SIGTERM or --for, and prints a verdict again when it changes; with --json one',
      'object a line: {at, was, target, from, to, verdict, …}.',
      'Exits 0 when all is judged, 3 when a verdict is unknown for want of a source that cannot be read.',
    ].join('\n'),
    options: ['from', 'watch', 'for', 'json'],
    takes: 'TARGET…',
    run: async invocation => (await import('./explain.ts')).run(invocation),
  },
  doctor: {
    summary: 'what is wrong, with evidence, what to do and how to see it by hand',
    details:
      "Exits 1 when something is an error, 3 when nothing is but a source that it needs cannot be read in full, else 0.\nTakes up to 15 s longer where a link seems to be nobody's, to see whether it stays, and says so on a terminal.\nWith --nagios it does not wait and tells of no such link; it exits with 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN.",
    options: ['json', 'nagios'],
    run: async invocation => (await import('./doctor.ts')).run(invocation),
  },
  watch: {
    summary: 'what happens, a line each, until interrupted',
    details:
      'Each line waits 0.3 s for what happened before it; what is seen later than that is told late, with the time at which it\nhappened. With --json one JSON object a line: {at, type, …}.\nEnds with Ctrl-C, SIGTERM or when nobody reads it; exits 0.\nWhat is wrong when it begins is not told (netdash doctor tells that); what is found only in the next half minute, since it\nhas to be seen twice, is told as "already there", in JSON with initial: true.',
    options: ['json', 'for'],
    run: async invocation => (await import('./watch.ts')).run(invocation),
  },
};

/** What is wrong with the options, in one line. */
function optionProblem(error: unknown): string {
  const words = error instanceof Error ? error.message : String(error);
  // Node explains this one over three lines.
  const [, short, long] = /^Option '(?:-(\w)(?:, )?)?(?:--([\w-]+))?[^']*' argument is ambiguous/.exec(words) ?? [];
  const name =
    long ?? Object.entries(optionTable).find(([, option]) => 'short' in option && option.short === short)?.[0];
  if (name !== undefined && words.includes('ambiguous'))
    return `--${name} needs a value; one that begins with a dash is written --${name}=-VALUE`;
  return words.split(/\. |\n/)[0]!;
}

/** The call that a command line asks for. @throws UsageError */
export function parseCommandLine(args: readonly string[]): {
  name: string | undefined;
  target?: string;
  args?: readonly string[];
  options: OptionValues;
} {
  let parsed;
  try {
    parsed = parseArgs({ args: [...args], options: optionTable, allowPositionals: true, strict: true });
  } catch (error) {
    throw new UsageError(`${optionProblem(error)}; see netdash --help`);
  }
  const options: OptionValues = { ...parsed.values };
  const [name, ...rest] = parsed.positionals;
  const isCommand = name !== undefined && Object.hasOwn(commands, name);
  const takesArgs = isCommand && commands[name]!.takes !== undefined;
  if (rest.length > 0 && !takesArgs) throw new UsageError(`unexpected argument '${rest[0]}'; see netdash --help`);
  const taken: readonly OptionName[] = [...commonOptions, ...(isCommand ? commands[name]!.options : dashboard.options)];
  // `netdash --json` without a command has only one sensible meaning.
  if (name === undefined && options.json) return { name: 'snapshot', options };
  for (const option of Object.keys(options) as OptionName[]) {
    if (taken.includes(option)) continue;
    throw new UsageError(
      `${isCommand ? `netdash ${name}` : 'netdash'} has no option --${option}; see netdash ${isCommand ? `${name} ` : ''}--help`,
    );
  }
  if (takesArgs) return { name, args: rest, options };
  return isCommand || name === undefined ? { name, options } : { name: undefined, target: name, options };
}

/**
 * Runs what the arguments ask for.
 * @param version netdash's own
 * @returns the exit code; never throws
 */
export async function main(args: readonly string[], io: Io, version: string): Promise<number> {
  try {
    const { name, target, args: given, options } = parseCommandLine(args);
    const command = name === undefined ? dashboard : commands[name]!;
    if (options.version) await print(io, [sanitise(`netdash ${version}`)]);
    else if (options.help)
      io.stdout.write(name === undefined ? mainHelp(dashboard, commands) : commandHelp(name, command));
    else {
      const invocation: Invocation = { io, options, commandNames: Object.keys(commands) };
      if (target !== undefined) invocation.target = target;
      if (given !== undefined) invocation.args = given;
      return await command.run(invocation);
    }
    return exitCodes.fine;
  } catch (error) {
    return failed(error, io);
  }
}

function failed(error: unknown, io: Io): number {
  // Whoever read the output has had enough of it.
  if (error instanceof Error && 'code' in error && error.code === 'EPIPE') return exitCodes.fine;
  if (error instanceof UsageError || error instanceof HostError) {
    complain(io, `netdash: ${error.message}`);
    return error instanceof UsageError ? exitCodes.usage : exitCodes.unjudged;
  }
  const words = error instanceof Error ? (error.stack ?? error.message) : String(error);
  complain(io, `netdash: internal error: ${words}`);
  return exitCodes.internal;
}
