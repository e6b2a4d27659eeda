/**
 * The lab's machine: a set of Linux namespaces (PID, mount, network, UTS) that looks like a computer of its own, with a
 * neighbour on its LAN. `machine.sh` and `init.sh` make it; here it is entered.
 */
import { spawn, type ChildProcess, type StdioOptions } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { unpackedAt } from './binaries.ts';
import { ended, run, type Result, type RunOptions } from './process.ts';

const here = dirname(fileURLToPath(import.meta.url));

/** The addresses on the wire between the machine (`host`, `second`, `host6`) and its neighbour (`lan`, `lan6`). */
export const addresses = {
  host: '10.77.0.100',
  second: '10.77.0.200',
  lan: '10.77.0.1',
  host6: 'fd00:77::100',
  lan6: 'fd00:77::1',
} as const;

export interface SpawnOptions extends Omit<RunOptions, 'input' | 'timeoutMs'> {
  /** As in `child_process.spawn`; `pipe` for all by default. */
  stdio?: StdioOptions;
  /** Own session, out of reach of the terminal's Ctrl-C. True by default; false for a program that uses the terminal. */
  detached?: boolean;
}

/** A program that runs on the machine. */
export interface LabProcess {
  /** The process that entered the machine and waits for the program: its streams are the program's. */
  child: ChildProcess;
  /** The program's PID as the machine counts. */
  pid: number;
  /** Sends the program a signal (not the process that waits for it). */
  kill(signal?: NodeJS.Signals): Promise<void>;
  /** How it ended, once its output is complete. */
  exited: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
}

export interface Machine {
  /** PID of the machine's PID 1 as the outside counts. */
  pid: number;
  /** argv that runs `command` on the machine (for a terminal multiplexer, `script`, …). */
  enter(command: readonly string[], cwd?: string): string[];
  run(command: readonly string[], options?: RunOptions): Promise<Result>;
  /** As `run`, from the LAN neighbour: its network, the machine's processes and files. */
  runInLan(command: readonly string[], options?: RunOptions): Promise<Result>;
  spawn(command: readonly string[], options?: SpawnOptions): Promise<LabProcess>;
  /** Ends everything that runs there; resolves when nothing of the machine is left. Safe to call twice. */
  stop(): Promise<void>;
}

// The working folder can only be taken once the mount namespace has been entered.
const inFolder = 'cd "$1" && shift && exec "$@"';
const inFolderTellingPid = 'cd "$1" && shift && echo $$ >&3 && exec 3>&- && exec "$@"';

const firstLine = (child: ChildProcess, fd: number): Promise<string> =>
  new Promise(resolve => {
    let text = '';
    const stream = child.stdio[fd];
    stream?.on('data', (chunk: Buffer) => {
      text += chunk.toString();
      if (text.includes('\n')) resolve(text.slice(0, text.indexOf('\n')));
    });
    child.once('close', () => resolve(text));
  });

/**
 * Starts the machine. It lives until `stop()` or until this process is gone, however that happens.
 * @param folder its folder, which must not exist; removed at the end
 * @param name names its cgroups
 * @param env what programs on the machine find in their environment on top of this process's
 * @param unpacked a folder that everybody on the machine finds at `unpackedAt`
 */
export const startMachine = async (
  folder: string,
  name: string,
  hostname: string,
  env: Record<string, string | undefined>,
  unpacked = '',
): Promise<Machine> => {
  const { host, second, lan, host6, lan6 } = addresses;
  const keeper = spawn(
    'sh',
    [join(here, 'machine.sh'), folder, name, hostname, host, second, lan, host6, lan6, unpacked, unpackedAt],
    // A session of its own: a Ctrl-C that ends this process must not end the one that clears up after it.
    { cwd: '/', detached: true, stdio: ['pipe', 'pipe', 'pipe'], env: { ...process.env, ...env } },
  );
  let complaints = '';
  keeper.stderr.setEncoding('utf8').on('data', (text: string) => (complaints += text));
  keeper.stdin.on('error', () => undefined);
  const over = ended(keeper);
  const pid = Number(/^ready (\d+)$/.exec(await firstLine(keeper, 1))?.[1]);
  if (!(pid > 0)) {
    await over;
    throw new Error(`the lab's machine did not start: ${complaints.trim()}`);
  }

  const into = (network: string, script: string, command: readonly string[], cwd = process.cwd()): string[] => [
    ...`nsenter -t ${pid} --mount --uts --pid ${network} sh -c`.split(' '),
    script,
    'sh',
    cwd,
    ...command,
  ];
  const running = new Set<ChildProcess>();
  const hostNetwork = '--net';
  const lanNetwork = `--net=/proc/${pid}/root/run/netns/lan`;
  const runIn = (network: string, command: readonly string[], { cwd, ...options }: RunOptions): Promise<Result> =>
    run(into(network, inFolder, command, cwd), { ...options, env: { ...env, ...options.env } });

  return {
    pid,
    enter: (command, cwd) => into(hostNetwork, inFolder, command, cwd),
    run: (command, options = {}) => runIn(hostNetwork, command, options),
    runInLan: (command, options = {}) => runIn(lanNetwork, command, options),
    spawn: async (command, options = {}) => {
      const [entry = '', ...args] = into(hostNetwork, inFolderTellingPid, command, options.cwd);
      const { stdio = 'pipe' } = options;
      const child = spawn(entry, args, {
        stdio: [...(typeof stdio === 'string' ? [stdio, stdio, stdio] : stdio), 'pipe'],
        detached: options.detached ?? true,
        env: { ...process.env, ...env, ...options.env },
      });
      const exited = ended(child);
      running.add(child);
      void exited.then(() => running.delete(child));
      const inner = Number(await firstLine(child, 3));
      if (!(inner > 0)) throw new Error(`could not be started on the lab's machine: ${command.join(' ')}`);
      return {
        child,
        pid: inner,
        exited,
        kill: async (signal = 'SIGTERM') => {
          await runIn(hostNetwork, ['sh', '-c', `kill -${signal.slice(3)} ${inner}`], {});
        },
      };
    },
    stop: async () => {
      // nsenter stops itself along with what it runs, and then does not notice that this is gone.
      for (const child of running) child.kill('SIGCONT');
      keeper.stdin.end();
      await over;
    },
  };
};
