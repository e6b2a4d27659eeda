/**
 * `--debug-log FILE`: what was read when, how long it took and what came of it, one JSON object a line. Never what the
 * answers say, so that the file can be sent to somebody else.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { closeSync, constants, fchmodSync, fstatSync, openSync, writeSync } from 'node:fs';
import { recordDocker } from './debug-docker.ts';
import { HostError, type Host } from './host.ts';
import { UsageError } from './usage-error.ts';

/** How a read ended: as the states of readings, of which a single question knows only two. */
export type LogState = 'ok' | 'partial' | 'failed';

/** One line. Times are of the machine that netdash runs on. */
export interface LogLine {
  /** When it began, ISO 8601 UTC. */
  at: string;
  /** The source that is read (docker, links, sockets…); absent for what is asked outside of a reading. */
  source?: string;
  /** What was asked of the machine: a tool's command line, `GET` and a path, a file. Absent: the line sums up a reading. */
  ask?: string;
  /** How long it took, ms. */
  ms?: number;
  /** What came, as text in UTF-8; Docker's answers as compact JSON. */
  bytes?: number;
  state?: LogState;
  /** Why it is not `ok`. */
  reason?: string;
  /** How many questions a reading asked, or how many files a question named. */
  count?: number;
  /** What happened, where nothing was asked. */
  event?: string;
}

/** Takes what there is to say and begins the line with the time. */
export type LogWriter = (startedAt: number, line: Omit<LogLine, 'at'>) => void;

const reasons: Readonly<Record<string, string>> = {
  EEXIST: 'there is something of that name already, and it is not overwritten',
  ENOENT: 'there is no such folder, or no file can be made in it; name one in a folder of yours',
  ENOTDIR: 'its folder is no folder',
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  EROFS: 'the file system is read-only',
  EISDIR: 'it is a folder',
  ELOOP: 'it is a symbolic link',
};

/**
 * Makes the file, readable by its owner alone. What exists is left as it is, a symbolic link too: the name may lie in a
 * folder where others write.
 * @returns its descriptor
 * @throws UsageError
 */
export function createLogFile(path: string): number {
  const { O_WRONLY, O_CREAT, O_EXCL, O_APPEND, O_NOFOLLOW } = constants;
  try {
    if (path === '') throw Object.assign(new Error('empty'), { code: 'ENOENT' });
    const file = openSync(path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_NOFOLLOW, 0o600);
    fchmodSync(file, 0o600);
    if (fstatSync(file).isFile()) return file;
    closeSync(file);
    throw new Error('no file');
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    throw new UsageError(`--debug-log ${path === '' ? "''" : path}: ${reasons[code] ?? code}`);
  }
}

/** Writes lines to a file until that fails: a full disk must not end what is being watched. */
export function lineWriter(file: number): LogWriter {
  let works = true;
  return (startedAt, line) => {
    if (!works) return;
    try {
      writeSync(file, `${JSON.stringify({ at: new Date(startedAt).toISOString(), ...line })}\n`);
    } catch {
      works = false;
    }
  };
}

/** What a source's reading has asked for so far. */
interface Reading {
  source: string;
  count: number;
  bytes: number;
}

const bytesOf = (texts: readonly (string | HostError)[]): number =>
  texts.reduce((sum, text) => sum + (typeof text === 'string' ? Buffer.byteLength(text) : 0), 0);

const failure = (error: unknown): { state: LogState; reason: string } => ({
  state: 'failed',
  // Other errors are faults of netdash's own, whose words may hold anything.
  reason: error instanceof HostError ? error.message : 'internal error',
});

/** The host, with every question written down, and every reading that names itself by `trace`. Answers pass unchanged. */
export function logHost(host: Host, write: LogWriter): Host {
  const readings = new AsyncLocalStorage<Reading>();

  const note = (startedAt: number, line: Omit<LogLine, 'at'>): void => {
    const reading = readings.getStore();
    if (reading) {
      reading.count += 1;
      reading.bytes += line.bytes ?? 0;
    }
    const source = reading?.source ?? (line.ask?.startsWith('GET ') === true ? 'docker' : undefined);
    write(startedAt, source === undefined ? line : { source, ...line });
  };
  const timed = async <T>(ask: string, answer: Promise<T>, size: (value: T) => number): Promise<T> => {
    const [startedAt, begin] = [Date.now(), performance.now()];
    const took = (): number => round(performance.now() - begin);
    try {
      const value = await answer;
      note(startedAt, { ask, ms: took(), bytes: size(value), state: 'ok' });
      return value;
    } catch (error) {
      note(startedAt, { ask, ms: took(), ...failure(error) });
      throw error;
    }
  };
  const many = (verb: string, paths: readonly string[], read: () => (string | HostError)[]): (string | HostError)[] => {
    if (paths.length === 0) return [];
    const [startedAt, begin] = [Date.now(), performance.now()];
    const answers = read();
    const errors = answers.filter(answer => answer instanceof HostError);
    const [first] = errors;
    note(startedAt, {
      ask: `${verb} ${paths[0]}${paths.length > 1 ? ` and ${paths.length - 1} more` : ''}`,
      ms: round(performance.now() - begin),
      bytes: bytesOf(answers),
      state: errors.length === 0 ? 'ok' : errors.length < answers.length ? 'partial' : 'failed',
      ...(first && { reason: first.message }),
      count: paths.length,
    });
    return answers;
  };

  return {
    kind: host.kind,
    name: host.name,
    uid: host.uid,
    docker: recordDocker(host.docker, { timed, note }),
    now: () => host.now(),
    readFile: path => timed(`read ${path}`, host.readFile(path), text => Buffer.byteLength(text)),
    readFiles: paths => many('read', paths, () => host.readFiles(paths)),
    readLinks: paths => many('readlink', paths, () => host.readLinks(paths)),
    list: path => timed(`list ${path}`, host.list(path), bytesOf),
    run: (tool, args, options) =>
      timed(
        [tool, ...args].join(' '),
        host.run(tool, args, options),
        result => (result.raw ?? Buffer.from(result.stdout)).length,
      ),
    follow: (tool, args, onLine, onComplaint) => {
      const ask = [tool, ...args].join(' ');
      write(Date.now(), { ask, event: 'follow' });
      const tell = (line: string): void => {
        write(Date.now(), { ask, event: 'line', bytes: Buffer.byteLength(line) });
        onLine(line);
      };
      const subscription = host.follow(tool, args, tell, onComplaint);
      void subscription.ended.then(error => write(Date.now(), { ask, event: 'end', ...(error && failure(error)) }));
      return subscription;
    },
    trace: (source, read) => {
      const reading: Reading = { source, count: 0, bytes: 0 };
      const [startedAt, begin] = [Date.now(), performance.now()];
      const done = (how: { state: LogState; reason?: string }): void =>
        write(startedAt, {
          source,
          ms: round(performance.now() - begin),
          bytes: reading.bytes,
          count: reading.count,
          ...how,
        });
      return readings.run(reading, async () => {
        try {
          const outcome = await read();
          const { missing } = outcome;
          done(missing === undefined ? { state: 'ok' } : { state: 'partial', reason: missing });
          return outcome;
        } catch (error) {
          done(failure(error));
          throw error;
        }
      });
    },
  };
}

const round = (ms: number): number => Math.round(ms * 10) / 10;
