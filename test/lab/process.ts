/** Running programs and waiting for their end. */
import { spawn, type ChildProcess } from 'node:child_process';

/** What a finished program left. `code` is null when a signal ended it. */
export interface Result {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

export interface RunOptions {
  /** Fed to standard input, which is empty otherwise. */
  input?: string | Buffer;
  /** Added to the environment; undefined takes a variable away. */
  env?: Record<string, string | undefined>;
  /** The working folder; by default the caller's. */
  cwd?: string;
  /** After so many ms the program is killed (code null, signal SIGKILL). */
  timeoutMs?: number;
}

/** Resolves when the program has ended and its output is complete. @throws when it could not be started */
export const ended = (child: ChildProcess): Promise<{ code: number | null; signal: NodeJS.Signals | null }> =>
  new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve({ code, signal }));
  });

/** Runs a program to its end, without a shell. A failure of the program is a result. @throws when it could not be started */
export const run = async (argv: readonly string[], options: RunOptions = {}): Promise<Result> => {
  const [command = '', ...args] = argv;
  const child = spawn(command, args, {
    stdio: ['pipe', 'pipe', 'pipe'],
    cwd: options.cwd,
    env: { ...process.env, ...options.env },
    timeout: options.timeoutMs,
    killSignal: 'SIGKILL',
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  // A program that ends without reading its input is no error here.
  child.stdin.on('error', () => undefined).end(options.input);
  const end = await ended(child);
  return { ...end, stdout, stderr };
};

/** As `run`, and a failure of the program is an error that says what it printed. Returns standard output. */
export const must = async (argv: readonly string[], options: RunOptions = {}): Promise<string> => {
  const result = await run(argv, options);
  if (result.code === 0) return result.stdout;
  const said = (result.stderr || result.stdout).trim().split('\n').slice(-5).join('\n');
  throw new Error(`${argv.join(' ')}: ${result.signal ?? `exit ${result.code}`}${said === '' ? '' : `: ${said}`}`);
};
