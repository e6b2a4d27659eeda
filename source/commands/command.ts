/** What a command is, and what it gets to work with. */
import type { Readable } from 'node:stream';
import type { SafeOutput } from '../terminal/sanitise.ts';
import type { OptionName } from './options.ts';

/** Where a command writes. It takes nothing that has not been through the sanitiser. */
export interface TextSink {
  write(text: SafeOutput, done?: (error?: Error | null) => void): boolean;
  on(event: 'error' | 'close', listener: () => void): unknown;
}

/** The process around a command. */
export interface Io {
  stdin: Readable & { isTTY?: boolean };
  stdout: TextSink & { isTTY?: boolean; columns?: number; rows?: number };
  stderr: TextSink & { isTTY?: boolean };
  env: Record<string, string | undefined>;
}

/** The options that were given, by their long name. */
export type OptionValues = Partial<Record<OptionName, string | boolean>>;

/** One call of a command. */
export interface Invocation {
  io: Io;
  options: OptionValues;
  /** The container that a bare `netdash NAME` names. */
  target?: string;
  /** What a command that takes arguments was given. */
  args?: readonly string[];
  /** Names of all commands, one of which may have been meant. */
  commandNames: readonly string[];
}

/** A command. */
export interface Command {
  /** One line for the list in `--help`. */
  summary: string;
  /** The rest of its own `--help`. */
  details: string;
  /** Its arguments, for `--help`, such as `TARGET…`; absent when it takes none. */
  takes?: string;
  /** The options that it takes beside those that all take. */
  options: readonly OptionName[];
  /** Loads what it needs and runs it. @returns the exit code */
  run(invocation: Invocation): Promise<number>;
}
