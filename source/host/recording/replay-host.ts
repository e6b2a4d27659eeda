/** A recording as a host: answers what was answered, at the pace at which it was. */
import { HostError, type DockerApi, type DockerEvent, type Host, type Subscription, type ToolResult } from '../host.ts';
import { commandLine, type AnswerKind, type Failure, type Recording } from './format.ts';

/** Time for a replay. */
export interface Clock {
  /** ms, from any origin. */
  now(): number;
  /** Calls back once after so many ms; returns the way to prevent that. */
  after(ms: number, callback: () => void): () => void;
}

export interface ReplayOptions {
  /** How many times faster than it was; 1 by default. */
  speed?: number;
  /** Where in the recording to begin, ms since its start; 0 by default. */
  startMs?: number;
  /** The machine's own by default. */
  clock?: Clock;
}

const machineClock: Clock = {
  now: () => Date.now(),
  after: (ms, callback) => {
    // Longer than a timer can be is longer than anyone waits.
    const timer = setTimeout(callback, Math.min(ms, 2 ** 31 - 1));
    return () => clearTimeout(timer);
  },
};

/**
 * Replays a recording. Its time begins to run now; after its last frame it stays as it was then. A question that was
 * never recorded is answered with a HostError `missing`; one that was recorded later only, with its first answer.
 */
export function replayHost(recording: Recording, options: ReplayOptions = {}): Host {
  const { speed = 1, startMs = 0, clock = machineClock } = options;
  const begun = clock.now();
  const elapsed = (): number => startMs + (clock.now() - begun) * speed;
  const after = (atMs: number, callback: () => void): (() => void) =>
    clock.after(Math.max(0, atMs - elapsed()) / speed, callback);
  const answers = new Answers(recording, elapsed);
  return {
    kind: 'recording',
    name: recording.title,
    uid: recording.host.uid,
    now: () => Date.parse(recording.recordedAt) + Math.floor(elapsed()),
    docker: replayDocker(recording, answers, { elapsed, after }),
    readFile: async path => answers.get('files', path),
    readFiles: paths => paths.map(path => answers.attempt('files', path)),
    readLinks: paths => paths.map(path => answers.attempt('links', path)),
    list: async path => [...answers.get('folders', path)],
    run: async (tool, args) => ({ ...answers.get('tools', commandLine(tool, args)) }),
    follow: (tool, args, onLine) => {
      const command = commandLine(tool, args);
      const followed = recording.followed?.[command];
      if (!followed) return stream(() => [], notRecorded(command));
      const { lines, ended } = followed;
      return stream(end => {
        const stops = lines
          .filter(({ atMs }) => atMs >= elapsed())
          .map(({ atMs, line }) => after(atMs, () => onLine(line)));
        if (ended) stops.push(after(ended.atMs, () => end(errorOf(ended.failure))));
        return stops;
      });
    },
  };
}

interface Pace {
  elapsed(): number;
  after(atMs: number, callback: () => void): () => void;
}

function replayDocker(recording: Recording, answers: Answers, pace: Pace): DockerApi {
  return {
    endpoint: recording.endpoint,
    get: async path => structuredClone(answers.get('docker', path).answer),
    events: (filters, onEvent, onOpen) => {
      const wanted = (event: DockerEvent): boolean =>
        (filters['type']?.includes(event.type) ?? true) && (filters['event']?.includes(event.action) ?? true);
      const begun = pace.elapsed();
      const states = recording.dockerStream ?? [];
      // A stream that had ended by now and opens again later answers with the end, as the daemon would.
      const current = states.findLast(({ atMs }) => atMs <= begun);
      if (current?.ended) return stream(() => [], errorOf(current.ended));
      return stream(end => {
        const stops = [pace.after(begun, () => onOpen?.())];
        const next = states.find(({ atMs, ended }) => atMs > begun && ended);
        for (const { atMs, event } of recording.dockerEvents) {
          if (atMs < begun || (next && atMs > next.atMs) || !wanted(event)) continue;
          stops.push(pace.after(atMs, () => onEvent(structuredClone(event))));
        }
        if (next?.ended) {
          const error = errorOf(next.ended);
          stops.push(pace.after(next.atMs, () => end(error)));
        }
        return stops;
      });
    },
  };
}

/** @param start schedules what is to come and returns the ways to prevent it; @param failed the stream is over already */
function stream(start: (end: (error: HostError) => void) => (() => void)[], failed?: HostError): Subscription {
  if (failed) return { stop: () => undefined, ended: Promise.resolve(failed) };
  const over = new AbortController();
  const end = (error?: HostError): void => over.abort(error);
  const ended = new Promise<HostError | undefined>(resolve => {
    over.signal.addEventListener('abort', () => {
      const reason: unknown = over.signal.reason;
      resolve(reason instanceof HostError ? reason : undefined);
    });
  });
  const stops = start(end);
  return {
    stop: () => {
      for (const stop of stops) stop();
      end();
    },
    ended,
  };
}

function errorOf(failure: Failure): HostError {
  return new HostError(failure.error, failure.message);
}

function notRecorded(what: string): HostError {
  return new HostError('missing', `${what} is not in the recording`);
}

/** What an answer of each kind is when it is no failure. */
interface AnswerOf {
  files: string;
  links: string;
  folders: string[];
  tools: ToolResult;
  docker: { answer: unknown };
}

/** Each question's answers over time. */
class Answers {
  readonly #byQuestion = new Map<string, { atMs: number; value: unknown }[]>();
  readonly #elapsed: () => number;

  constructor(recording: Recording, elapsed: () => number) {
    this.#elapsed = elapsed;
    for (const { atMs, ...kinds } of recording.frames) {
      for (const [kind, answers] of Object.entries(kinds)) {
        for (const [key, value] of Object.entries(answers ?? {})) {
          const question = `${kind} ${key}`;
          const list = this.#byQuestion.get(question);
          if (list) list.push({ atMs, value });
          else this.#byQuestion.set(question, [{ atMs, value }]);
        }
      }
    }
  }

  /** The answer of this moment. @throws HostError as recorded, or `missing` when there never was one */
  get<K extends AnswerKind>(kind: K, key: string): AnswerOf[K] {
    const answer = this.attempt(kind, key);
    if (answer instanceof HostError) throw answer;
    return answer;
  }

  /** The same with the error as a value. */
  attempt<K extends AnswerKind>(kind: K, key: string): AnswerOf[K] | HostError {
    const list = this.#byQuestion.get(`${kind} ${key}`);
    if (!list) return notRecorded(key);
    const now = this.#elapsed();
    const { value } = list.findLast(({ atMs }) => atMs <= now) ?? list[0]!;
    if (typeof value === 'object' && value !== null && 'error' in value) return errorOf(value as Failure);
    return value as AnswerOf[K];
  }
}
