/** This machine, now: the `Host` that reads files, follows links and runs tools here. */
import { readdir, readFile } from 'node:fs/promises';
import { closeSync, constants, openSync, readlinkSync, readSync } from 'node:fs';
import { hostname } from 'node:os';
import { HostError, type DockerApi, type Host, type HostErrorCode } from './host.ts';
import { followTool, runTool } from './tools.ts';

const codeOf: Record<string, HostErrorCode> = {
  ENOENT: 'missing',
  ENOTDIR: 'missing',
  EACCES: 'denied',
  EPERM: 'denied',
  // procfs and sysfs answer so when the process or device behind an open file is gone.
  ESRCH: 'gone',
  ENODEV: 'gone',
  EFBIG: 'too-large',
  ETIMEDOUT: 'timeout',
};

const meaning: Partial<Record<HostErrorCode, string>> = {
  missing: 'no such file',
  denied: 'permission denied',
  gone: 'gone while it was read',
  'too-large': 'too large',
  timeout: 'no answer in time',
};

/** What a failed file operation on `path` (an error of node:fs) is to netdash. */
export function fileError(path: string, error: unknown): HostError {
  const errno = error instanceof Error && 'code' in error ? String(error.code) : '';
  let code: HostErrorCode = codeOf[errno] ?? 'failed';
  // The folder of a process that ended is not there any more; of those that live, some files are merely absent.
  if (code === 'missing' && /^\/proc\/\d+(\/|$)/.test(path)) code = 'gone';
  return new HostError(code, `${path}: ${meaning[code] ?? (errno || String(error))}`);
}

/** Larger than any file of procfs that netdash reads on purpose; a guard against being pointed at something endless. */
const maximumBytes = 64 * 1024 * 1024;
let chunk: Buffer | undefined;

/** Reads a file whose size is not known beforehand, as all of procfs. One buffer serves all reads of the process. */
function readSmallFile(path: string): string {
  chunk ??= Buffer.allocUnsafe(256 * 1024);
  // Under a container's root there may be a FIFO where a file should be: opening it must not wait for a writer.
  const file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    let size = readSync(file, chunk, 0, chunk.length, null);
    if (size === 0) return '';
    const parts: Buffer[] = [];
    let total = 0;
    let filled = 0;
    while (size > 0) {
      filled += size;
      total += size;
      if (total > maximumBytes) throw Object.assign(new Error('too large'), { code: 'EFBIG' });
      if (filled === chunk.length) {
        parts.push(Buffer.from(chunk));
        filled = 0;
      }
      size = readSync(file, chunk, filled, chunk.length - filled, null);
    }
    const rest = chunk.subarray(0, filled);
    return (parts.length === 0 ? rest : Buffer.concat([...parts, rest])).toString('utf8');
  } finally {
    closeSync(file);
  }
}

function attempt<T>(path: string, read: () => T): T | HostError {
  try {
    return read();
  } catch (error) {
    return fileError(path, error);
  }
}

/**
 * The machine netdash runs on, seen from the namespaces netdash runs in.
 * @param options.docker where Docker is asked; it may be a daemon elsewhere
 */
export function createLiveHost(options: { docker: DockerApi }): Host {
  return {
    kind: 'live',
    name: hostname(),
    docker: options.docker,
    uid: process.geteuid?.() ?? -1,
    now: () => Date.now(),
    readFile: path =>
      readFile(path, 'utf8').catch((error: unknown) => {
        throw fileError(path, error);
      }),
    readFiles: paths => paths.map(path => attempt(path, () => readSmallFile(path))),
    readLinks: paths => paths.map(path => attempt(path, () => readlinkSync(path))),
    list: path =>
      readdir(path).catch((error: unknown) => {
        throw fileError(path, error);
      }),
    run: runTool,
    follow: followTool,
  };
}
