/**
 * The file format of a recorded host, `netdash-recording/1`: what the host said, raw, before any parsing, so that a
 * recording made by one version of netdash is read by another's parsers. It holds no environment variables and no
 * credentials (see docker-redact.ts), but names, addresses, command lines and labels as they were.
 */
import * as v from 'valibot';
import type { HostErrorCode } from '../host.ts';

export const recordingSchemaName = 'netdash-recording/1';

const errorCodes = [
  'missing',
  'denied',
  'gone',
  'timeout',
  'too-large',
  'refused',
  'failed',
] as const satisfies readonly HostErrorCode[];

/** A HostError. */
const FailureSchema = v.object({ error: v.picklist(errorCodes), message: v.string() });

const ToolResultSchema = v.object({
  code: v.nullable(v.number()),
  signal: v.nullable(v.string()),
  stdout: v.string(),
  stderr: v.string(),
});

/** What was answered from `atMs` on. Only the first frame is complete: the others have what changed. */
const FrameSchema = v.object({
  /** Since `recordedAt`. */
  atMs: v.number(),
  /** By path: content. */
  files: v.optional(v.record(v.string(), v.union([v.string(), FailureSchema]))),
  /** By path: target of the symbolic link. */
  links: v.optional(v.record(v.string(), v.union([v.string(), FailureSchema]))),
  /** By path: the names in the folder. */
  folders: v.optional(v.record(v.string(), v.union([v.array(v.string()), FailureSchema]))),
  /** By command line, words joined by a space. */
  tools: v.optional(v.record(v.string(), v.union([ToolResultSchema, FailureSchema]))),
  /** By path of the Engine API, query included. */
  docker: v.optional(v.record(v.string(), v.union([FailureSchema, v.object({ answer: v.unknown() })]))),
});

const DockerEventSchema = v.object({
  type: v.string(),
  action: v.string(),
  id: v.string(),
  attributes: v.record(v.string(), v.string()),
  at: v.number(),
});

export const RecordingSchema = v.object({
  schema: v.literal(recordingSchemaName),
  title: v.string(),
  recordedAt: v.pipe(v.string(), v.isoTimestamp()),
  /** The version of netdash that made it. */
  netdash: v.string(),
  host: v.object({ name: v.string(), uid: v.number() }),
  /** Where Docker was asked. */
  endpoint: v.string(),
  frames: v.pipe(v.array(FrameSchema), v.minLength(1)),
  dockerEvents: v.array(v.object({ atMs: v.number(), event: DockerEventSchema })),
  /** When Docker's event stream opened and ended, if it ever did. */
  dockerStream: v.optional(v.array(v.object({ atMs: v.number(), ended: v.optional(FailureSchema) }))),
  /** By command line: the lines of tools that were followed. */
  followed: v.optional(
    v.record(
      v.string(),
      v.object({
        lines: v.array(v.object({ atMs: v.number(), line: v.string() })),
        ended: v.optional(v.object({ atMs: v.number(), failure: FailureSchema })),
      }),
    ),
  ),
});

export type Failure = v.InferOutput<typeof FailureSchema>;
export type Frame = v.InferOutput<typeof FrameSchema>;
export type Recording = v.InferOutput<typeof RecordingSchema>;

/** The kinds of answers that a frame has. */
export type AnswerKind = Exclude<keyof Frame, 'atMs'>;

/** How a command is named in a recording. */
export function commandLine(tool: string, args: readonly string[]): string {
  return [tool, ...args].join(' ');
}
