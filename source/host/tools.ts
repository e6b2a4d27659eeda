/** Finding and running the read-only programs of `Tool`, without a shell. */
import { setImmediate } from 'node:timers/promises';
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { accessSync, constants, statSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import { HostError, type Subscription, type Tool, type ToolResult } from './host.ts';
import { inTurn } from '../loop/turns.ts';
import { isTrustedFolder, isTrustedProgram } from './trusted.ts';

/** The Debian and Ubuntu package that brings each tool, for the message when it is not there. */
const packageOf: Record<Tool, string> = {
  ip: 'iproute2',
  ss: 'iproute2',
  nft: 'nftables',
  nsenter: 'util-linux',
  'iptables-save': 'iptables',
  'ip6tables-save': 'iptables',
  'iptables-legacy-save': 'iptables',
  'ip6tables-legacy-save': 'iptables',
  ipset: 'ipset',
};

/** Where administrators' tools live; an ordinary user's PATH often lacks the sbin folders. */
const systemFolders = ['/usr/sbin', '/sbin', '/usr/local/sbin', '/usr/bin', '/bin'];
const defaultTimeoutMs = 5000;
const maximumBytes = 64 * 1024 * 1024;
/** Of what is followed, which is read line by line, and kept until the line is whole. */
const maximumLine = 256 * 1024;
/** A pipe of a tool that has ended and that is open and silent for so long is held by a process that the tool started. */
const silenceMs = 1000;

/** The folders of a PATH, absolute ones only ('.' there must not run what lies about), then the system's. */
export function toolFolders(path: string): string[] {
  return [...new Set([...path.split(':').filter(folder => isAbsolute(folder)), ...systemFolders])];
}

/** `toolFolders`, without those that others may write to: what tools themselves look for must not be found there either. */
export function trustedPath(path = process.env['PATH'] ?? ''): string {
  if (trusted?.of !== path) trusted = { of: path, folders: toolFolders(path).filter(isTrustedFolder).join(':') };
  return trusted.folders;
}

let trusted: { of: string; folders: string } | undefined;

const found = new Map<string, string>();

/**
 * The absolute path of a program, remembered once it was found. One that others can put there or change is passed over.
 * @param folders where to look, in this order
 * @throws HostError `missing`, naming the package that has it, and what was passed over
 */
export function findProgram(
  name: string,
  packageName: string,
  folders = toolFolders(process.env['PATH'] ?? ''),
): string {
  const known = found.get(name);
  if (known) return known;
  const passedOver: string[] = [];
  for (const folder of folders) {
    const path = join(folder, name);
    try {
      accessSync(path, constants.X_OK);
      if (!statSync(path).isFile()) continue;
    } catch {
      continue;
    }
    if (isTrustedProgram(path)) {
      found.set(name, path);
      return path;
    }
    passedOver.push(path);
  }
  const why = passedOver.length > 0 ? ` (${passedOver.join(', ')}: passed over, since others may change it)` : '';
  throw notFound(name, packageName, why);
}

/** `findProgram` for a tool. @throws HostError */
export function findTool(tool: Tool, folders?: string[]): string {
  return findProgram(tool, packageOf[tool], folders);
}

/** The arguments as they are run: nsenter gets the absolute path of the tool that it is to run, lest it look for one itself. */
function resolved(tool: Tool, args: readonly string[]): string[] {
  return args.map(argument => (tool === 'nsenter' && isTool(argument) ? findTool(argument) : argument));
}

const isTool = (word: string): word is Tool => Object.hasOwn(packageOf, word);

const notFound = (name: string, packageName: string, why = ''): HostError =>
  new HostError('missing', `${name} not found: install ${packageName}${why}`);

/** Messages in English, no colours, no pager. */
function environment(): Record<string, string> {
  return { LC_ALL: 'C', PATH: trustedPath() };
}

function startError(tool: Tool, code: string): HostError {
  if (code === 'ENOENT') {
    found.delete(tool);
    return notFound(tool, packageOf[tool]);
  }
  if (code === 'EACCES' || code === 'EPERM') return new HostError('denied', `${tool}: not permitted to run it`);
  return new HostError('failed', `${tool} could not be started: ${code}`);
}

let lastStart: Promise<void> = Promise.resolve();

/** Resolves when all tools that were to be run so far have been started. */
export const toolsStarted = (): Promise<void> => lastStart;

/** Text that nobody asks for is never made: with hundreds of containers it is half a megabyte each time, mostly the same. */
function resultOf(code: number | null, signal: string | null, raw: Buffer, stderr: Buffer): ToolResult {
  let text: string | undefined;
  return {
    code,
    signal,
    get stdout() {
      return (text ??= raw.toString('utf8'));
    },
    raw,
    stderr: stderr.toString('utf8'),
  };
}

/** `Host.run` on this machine. @throws HostError */
export async function runTool(
  tool: Tool,
  args: readonly string[],
  options: { timeoutMs?: number } = {},
): Promise<ToolResult> {
  const timeoutMs = options.timeoutMs ?? defaultTimeoutMs;
  // Starting a process stops Node until the child runs its program, milliseconds each time.
  lastStart = new Promise<void>(inTurn);
  await lastStart;
  return new Promise((resolve, reject) => {
    const path = findTool(tool);
    const child = execFile(
      path,
      resolved(tool, args),
      { env: environment(), timeout: timeoutMs, killSignal: 'SIGKILL', maxBuffer: maximumBytes, encoding: 'buffer' },
      (error, stdout, stderr) => {
        running.delete(child);
        if (!error) return resolve(resultOf(0, null, stdout, stderr));
        if (error.code === 'ERR_CHILD_PROCESS_STDIO_MAXBUFFER') {
          return reject(new HostError('too-large', `${tool} printed more than ${maximumBytes / 1024 / 1024} MiB`));
        }
        if (error.killed) return reject(new HostError('timeout', `${tool} did not end within ${timeoutMs / 1000} s`));
        if (typeof error.code === 'string') return reject(startError(tool, error.code));
        return resolve(resultOf(error.code ?? null, error.signal ?? null, stdout, stderr));
      },
    );
    child.stdin?.end();
    letGoAfterExit(child);
    track(child);
  });
}

/** Children that must not outlive netdash. */
const running = new Set<ChildProcess>();
let watchingExit = false;

function track(child: ChildProcess): void {
  running.add(child);
  if (watchingExit) return;
  watchingExit = true;
  process.on('exit', () => {
    for (const each of running) each.kill('SIGKILL');
  });
}

/**
 * Lets go of what a child prints, so that it counts as closed once it has ended. Processes that it started hold its pipes as
 * well: without this they would keep netdash waiting, and alive, for as long as they live.
 */
function letGo(child: ChildProcess): void {
  child.stdout?.destroy();
  child.stderr?.destroy();
}

/** Lets go of a child that ends, once all that it printed has been read. */
function letGoAfterExit(child: ChildProcess): void {
  child.on('exit', () => {
    let silent = false;
    let timer: NodeJS.Timeout | undefined;
    for (const pipe of [child.stdout, child.stderr]) pipe?.on('data', () => (silent = false));
    const wait = (): void => {
      if (silent) return letGo(child);
      silent = true;
      // By the next turn Node has read what came while something else kept it busy.
      timer = setTimeout(() => void setImmediate().then(wait), silenceMs);
    };
    wait();
    child.on('close', () => clearTimeout(timer));
  });
}

/** `Host.follow` on this machine. */
export function followTool(
  tool: Tool,
  args: readonly string[],
  onLine: (line: string) => void,
  onComplaint?: () => void,
): Subscription {
  let path: string;
  try {
    path = findTool(tool);
  } catch (error) {
    return { stop: () => undefined, ended: Promise.resolve(error as HostError) };
  }
  const child = spawn(path, args, { env: environment(), stdio: ['ignore', 'pipe', 'pipe'] });
  track(child);
  let stopped = false;
  let complaint = '';
  let begun = '';
  let overlong = false;
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    if (stopped || overlong) return;
    const lines = (begun + text).split('\n');
    begun = lines.pop() ?? '';
    for (const line of lines) if (!stopped) onLine(line);
    if (begun.length <= maximumLine) return;
    overlong = true;
    begun = '';
    child.kill('SIGKILL');
    letGo(child);
  });
  child.stdout.on('end', () => {
    if (!stopped && begun !== '') onLine(begun);
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    complaint = (complaint + text).slice(-400);
    if (!stopped) onComplaint?.();
  });
  const ended = new Promise<HostError | undefined>(resolve => {
    child.on('error', (error: NodeJS.ErrnoException) => {
      running.delete(child);
      resolve(startError(tool, error.code ?? error.message));
    });
    letGoAfterExit(child);
    child.on('close', (code, signal) => {
      running.delete(child);
      if (overlong && !stopped) {
        return resolve(new HostError('too-large', `${tool} printed a line of more than ${maximumLine / 1024} KiB`));
      }
      const words = complaint.trim().split('\n').at(-1) ?? '';
      const how = signal ? `ended by ${signal}` : `ended with status ${code}`;
      resolve(
        stopped ? undefined : new HostError('failed', `${tool} ${args.join(' ')} ${how}${words && `: ${words}`}`),
      );
    });
  });
  return {
    stop: () => {
      stopped = true;
      child.kill('SIGKILL');
      letGo(child);
    },
    ended,
  };
}
