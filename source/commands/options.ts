/** The options of all commands, for the parser and for `--help`. */

interface Option {
  type: 'string' | 'boolean';
  short?: string;
  /** What its value is, for `--help`. */
  value?: string;
  about: string;
}

/** By long name. */
export const optionTable = {
  host: {
    type: 'string',
    short: 'H',
    value: 'URL',
    about: 'the Docker daemon: unix://, tcp:// or ssh:// (else DOCKER_HOST, the Docker context, the default socket)',
  },
  context: { type: 'string', short: 'c', value: 'NAME', about: 'the Docker context to use' },
  json: { type: 'boolean', about: 'print JSON (docs/json.md)' },
  nagios: { type: 'boolean', about: 'print one line with performance data and exit as monitoring plugins do' },
  from: {
    type: 'string',
    value: 'VANTAGE',
    about: 'loopback, lan, lan:INTERFACE, an address, or container:NAME (else loopback and lan)',
  },
  watch: { type: 'boolean', about: 'go on, and tell each verdict again when it changes' },
  exposed: { type: 'boolean', about: 'only what others can reach, riskiest first' },
  for: { type: 'string', value: 'SECONDS', about: 'end after this time' },
  demo: { type: 'boolean', about: 'show the recording of a Docker host that comes with netdash' },
  replay: { type: 'string', value: 'FILE', about: 'show a recording' },
  'debug-log': {
    type: 'string',
    value: 'FILE',
    about: 'write to a new file what is read when, how long it takes and what comes of it (docs/debugging.md)',
  },
  help: { type: 'boolean', short: 'h', about: 'print this' },
  version: { type: 'boolean', short: 'V', about: 'print the version' },
} as const satisfies Record<string, Option>;

/** Long name of an option. */
export type OptionName = keyof typeof optionTable;

/** The options that every command takes. */
export const commonOptions: readonly OptionName[] = [
  'host',
  'context',
  'demo',
  'replay',
  'debug-log',
  'help',
  'version',
];

/** Lines of `--help` for these options. */
export function optionLines(names: readonly OptionName[]): string[] {
  const heads = names.map(name => {
    const option: Option = optionTable[name];
    return `${option.short ? `-${option.short}, ` : '    '}--${name}${option.value ? ` ${option.value}` : ''}`;
  });
  const width = Math.max(...heads.map(head => head.length));
  return names.map((name, index) => `  ${heads[index]!.padEnd(width)}  ${optionTable[name].about}`);
}
