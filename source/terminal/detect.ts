/** What this terminal can do, judged by the environment and the streams. */
import type { Charset } from './charset.ts';

/** What `detectTerminal` looks at of a stream. */
export interface TerminalStream {
  isTTY?: boolean;
  columns?: number;
  rows?: number;
}

export interface Terminal {
  /** Whether a full-screen program can run: both ends are terminals and it can move the cursor. */
  interactive: boolean;
  /** Whether colours and attributes may be used at all. */
  colour: boolean;
  charset: Charset;
  /** Whether the background is light, as far as COLORFGBG tells. */
  light: boolean;
  columns: number;
  rows: number;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** The size of a terminal; one that does not know its own (0x0, as under `script`) counts as 80x24. */
export function sizeOf(stream: TerminalStream): { columns: number; rows: number } {
  const { columns, rows } = stream;
  return { columns: columns && columns > 0 ? columns : 80, rows: rows && rows > 0 ? rows : 24 };
}

/** UTF-8 when the locale says so (POSIX precedence: LC_ALL, LC_CTYPE, LANG), ASCII on the Linux console and old terminals. */
export function detectCharset(env: Environment): Charset {
  if (['linux', 'vt100', 'vt102', 'vt220', 'dumb'].includes(env['TERM'] ?? '')) return 'ascii';
  const locale = [env['LC_ALL'], env['LC_CTYPE'], env['LANG']].find(value => value !== undefined && value !== '');
  return locale !== undefined && /utf-?8/i.test(locale) ? 'unicode' : 'ascii';
}

/** NO_COLOR (https://no-color.org: set and not empty) wins, then FORCE_COLOR=0/false, then whether the terminal is dumb. */
function detectColour(env: Environment): boolean {
  if (env['NO_COLOR']) return false;
  const forced = env['FORCE_COLOR'];
  if (forced !== undefined) return forced !== '0' && forced !== 'false';
  return env['TERM'] !== 'dumb';
}

/**
 * Judges the terminal behind `stdin` and `stdout`.
 * @param env the process's environment: TERM, LC_ALL, LC_CTYPE, LANG, NO_COLOR, FORCE_COLOR, COLORFGBG
 */
export function detectTerminal(env: Environment, stdout: TerminalStream, stdin: TerminalStream): Terminal {
  return {
    interactive: stdout.isTTY === true && stdin.isTTY === true && env['TERM'] !== 'dumb',
    colour: detectColour(env),
    charset: detectCharset(env),
    light: /;(7|15)$/.test(env['COLORFGBG'] ?? ''),
    ...sizeOf(stdout),
  };
}

/**
 * Tells chalk, which Ink colours with, what was found. chalk 6 does not know NO_COLOR and reads FORCE_COLOR once, when it
 * is imported: call this before Ink is.
 */
export function announceColour(terminal: Terminal, env: Record<string, string | undefined>): void {
  if (!terminal.colour) env['FORCE_COLOR'] = '0';
}
