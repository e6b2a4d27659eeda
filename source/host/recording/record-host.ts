/** Writing down what a host is asked and what it answers. */
import { redact } from '../docker-redact.ts';
import { HostError, type DockerApi, type Host, type Subscription, type ToolResult } from '../host.ts';
import {
  commandLine,
  recordingSchemaName,
  type AnswerKind,
  type Failure,
  type Frame,
  type Recording,
} from './format.ts';

/** A host that is being recorded. */
export interface RecordedHost {
  /** To be asked instead of the host itself. */
  host: Host;
  /** What was recorded so far. */
  recording(): Recording;
  /** Begins a new frame: what is answered from now on no longer replaces what was answered before. */
  mark(): void;
}

/** What a recording is to say of itself, and how it is cut. */
export interface RecordOptions {
  title?: string;
  /** The version of netdash. */
  version: string;
  /** A frame that is older than this is closed at the next answer; by default only `mark` closes frames. */
  frameMs?: number;
}

const withoutRaw = ({ code, signal, stdout, stderr }: ToolResult): ToolResult => ({ code, signal, stdout, stderr });

/**
 * Wraps a host. Answers pass unchanged; in the recording Docker's are redacted (no environments, no credentials), and
 * an environment of a process is never written down.
 */
export function recordHost(host: Host, options: RecordOptions): RecordedHost {
  const recorder = new Recorder(host, options);
  return {
    host: {
      kind: host.kind,
      name: host.name,
      uid: host.uid,
      docker: recordDocker(host.docker, recorder),
      now: () => host.now(),
      readFile: path => recorder.keepLater('files', path, host.readFile(path), text => text),
      readFiles: paths => recorder.keepAll('files', paths, host.readFiles(paths)),
      readLinks: paths => recorder.keepAll('links', paths, host.readLinks(paths)),
      list: path => recorder.keepLater('folders', path, host.list(path), names => names),
      run: (tool, args, runOptions) =>
        recorder.keepLater('tools', commandLine(tool, args), host.run(tool, args, runOptions), withoutRaw),
      follow: (tool, args, onLine, onComplaint) => {
        const command = commandLine(tool, args);
        recorder.followed(command);
        const keep = (line: string): void => {
          recorder.followed(command).lines.push({ atMs: recorder.elapsed(), line });
          onLine(line);
        };
        const subscription = host.follow(tool, args, keep, onComplaint);
        void subscription.ended.then(error => {
          if (error) recorder.followed(command).ended = { atMs: recorder.elapsed(), failure: failureOf(error) };
        });
        return subscription;
      },
    },
    recording: () => recorder.recording(),
    mark: () => recorder.mark(),
  };
}

function recordDocker(docker: DockerApi, recorder: Recorder): DockerApi {
  return {
    endpoint: docker.endpoint,
    close: () => docker.close?.(),
    get: (path, options) =>
      recorder.keepLater('docker', path, docker.get(path, options), answer => ({ answer: redact(answer) })),
    events: (filters, onEvent, onOpen): Subscription => {
      const subscription = docker.events(
        filters,
        event => {
          recorder.dockerEvents.push({ atMs: recorder.elapsed(), event });
          onEvent(event);
        },
        () => {
          recorder.dockerStream.push({ atMs: recorder.elapsed() });
          onOpen?.();
        },
      );
      void subscription.ended.then(error => {
        if (error) recorder.dockerStream.push({ atMs: recorder.elapsed(), ended: failureOf(error) });
      });
      return subscription;
    },
  };
}

function failureOf(error: unknown): Failure {
  if (error instanceof HostError) return { error: error.code, message: error.message };
  return { error: 'failed', message: error instanceof Error ? error.message : String(error) };
}

class Recorder {
  readonly dockerEvents: Recording['dockerEvents'] = [];
  readonly dockerStream: NonNullable<Recording['dockerStream']> = [];
  readonly #follows: NonNullable<Recording['followed']> = {};
  readonly #frames: Frame[] = [{ atMs: 0 }];
  /** The last answer to each question, as JSON, over all frames. */
  readonly #last = new Map<string, string>();
  readonly #startedAt: number;
  readonly #host: Host;
  readonly #options: RecordOptions;

  constructor(host: Host, options: RecordOptions) {
    this.#host = host;
    this.#options = options;
    this.#startedAt = host.now();
  }

  elapsed(): number {
    return Math.max(0, this.#host.now() - this.#startedAt);
  }

  mark(): void {
    const frame = this.#frames.at(-1)!;
    if (Object.keys(frame).length > 1) this.#frames.push({ atMs: this.elapsed() });
    else if (this.#frames.length > 1) frame.atMs = this.elapsed();
  }

  keepAll(kind: 'files' | 'links', paths: readonly string[], answers: (string | HostError)[]): (string | HostError)[] {
    for (const [index, answer] of answers.entries()) {
      this.#keep(kind, paths[index]!, answer instanceof HostError ? failureOf(answer) : answer);
    }
    return answers;
  }

  async keepLater<T>(kind: AnswerKind, key: string, answer: Promise<T>, shape: (answer: T) => unknown): Promise<T> {
    try {
      const value = await answer;
      this.#keep(kind, key, shape(value));
      return value;
    } catch (error) {
      this.#keep(kind, key, failureOf(error));
      throw error;
    }
  }

  followed(command: string): NonNullable<Recording['followed']>[string] {
    return (this.#follows[command] ??= { lines: [] });
  }

  recording(): Recording {
    const { title, version } = this.#options;
    return structuredClone({
      schema: recordingSchemaName,
      title: title ?? this.#host.name,
      recordedAt: new Date(this.#startedAt).toISOString(),
      netdash: version,
      host: { name: this.#host.name, uid: this.#host.uid },
      endpoint: this.#host.docker.endpoint,
      frames: this.#frames.filter((frame, index) => index === 0 || Object.keys(frame).length > 1),
      dockerEvents: this.dockerEvents,
      dockerStream: this.dockerStream,
      followed: this.#follows,
    });
  }

  #keep(kind: AnswerKind, key: string, value: unknown): void {
    if (kind === 'files' && /^\/proc\/[^/]+(\/task\/[^/]+)?\/environ$/.test(key)) return;
    const question = `${kind} ${key}`;
    const json = JSON.stringify(value);
    if (this.#last.get(question) === json) return;
    this.#last.set(question, json);
    const { frameMs } = this.#options;
    if (frameMs !== undefined && this.elapsed() - this.#frames.at(-1)!.atMs >= frameMs) this.mark();
    const answers: Record<string, unknown> = (this.#frames.at(-1)![kind] ??= {});
    answers[key] = value;
  }
}
