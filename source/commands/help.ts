/** `--help`, made from the tables of commands and options. */
import { asLines, sanitise, type SafeOutput } from '../terminal/sanitise.ts';
import type { Command } from './command.ts';
import { commonOptions, optionLines } from './options.ts';

const exits = [
  'Exit codes: 0 fine; 1 findings of severity error (doctor); 2 bad usage; 3 a source that is needed cannot be read,',
  'or only in part (doctor, explain, ports --exposed); 4 internal error. doctor --nagios: 0, 1, 2, 3 as plugins do.',
];

/** `netdash --help`. */
export function mainHelp(dashboard: Command, commands: Readonly<Record<string, Command>>): SafeOutput {
  const names = ['', '[NAME]', ...Object.keys(commands)].slice(1);
  const width = Math.max(...names.map(name => name.length));
  return lines([
    'netdash: the network of a Docker host, live: who owns which port, which veth is whose, what conflicts, what moved',
    '',
    'Usage: netdash [OPTIONS] [NAME | COMMAND]',
    '',
    `  netdash ${'[NAME]'.padEnd(width)}  ${dashboard.summary}`,
    ...Object.entries(commands).map(([name, { summary }]) => `  netdash ${name.padEnd(width)}  ${summary}`),
    '',
    ...optionLines(commonOptions),
    '',
    'netdash COMMAND --help says more. In the dashboard, ? lists the keys.',
    'netdash only reads: it changes nothing in Docker, in the firewall or on the network.',
    '',
    ...exits,
  ]);
}

/** `netdash COMMAND --help`. */
export function commandHelp(name: string, command: Command): SafeOutput {
  return lines([
    `netdash ${name}: ${command.summary}`,
    '',
    `Usage: netdash ${name} [OPTIONS]${command.takes === undefined ? '' : ` ${command.takes}`}`,
    '',
    ...command.details.split('\n'),
    '',
    ...optionLines([...command.options, ...commonOptions]),
    '',
    ...exits,
  ]);
}

const lines = (text: readonly string[]): SafeOutput => asLines(text.map(line => sanitise(line)));
