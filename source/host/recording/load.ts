/** Reading and writing recordings as files: JSON, or JSON in gzip. */
import { createReadStream } from 'node:fs';
import { gunzipSync, gzipSync } from 'node:zlib';
import * as v from 'valibot';
import { UsageError } from '../usage-error.ts';
import { RecordingSchema, recordingSchemaName, type Recording } from './format.ts';

const maximumBytes = 256 * 1024 * 1024;

/**
 * A recording from the content of its file.
 * @param name how to call the file in messages
 * @throws UsageError, one line: what is wrong, where, what to do
 */
export function parseRecording(content: Uint8Array | string, name = 'the recording'): Recording {
  const text = typeof content === 'string' ? content : unpack(content, name);
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    // Node quotes the text around the fault, line breaks and all.
    const where = (error instanceof Error ? error.message : String(error)).replaceAll(/\s+/g, ' ');
    throw new UsageError(`${name} is no JSON (${where}): give a file that holds a recording of netdash's`);
  }
  const schema = typeof json === 'object' && json !== null && 'schema' in json ? json.schema : undefined;
  if (schema !== recordingSchemaName) {
    const found = typeof schema === 'string' ? `its schema is "${schema}"` : 'it has no "schema"';
    throw new UsageError(
      `${name} is no recording that this netdash can replay: ${found}, not "${recordingSchemaName}"`,
    );
  }
  const result = v.safeParse(RecordingSchema, json);
  if (result.success) return result.output;
  const [issue] = result.issues;
  const where = v.getDotPath(issue) ?? 'the whole';
  throw new UsageError(`${name} is damaged at ${where}: ${issue.message}`);
}

const unpackReasons: Readonly<Record<string, string>> = {
  ERR_BUFFER_TOO_LARGE: `it unpacks to more than ${maximumBytes >> 20} MiB`,
  Z_BUF_ERROR: 'it is cut off',
  Z_DATA_ERROR: 'it is damaged',
};

function unpack(content: Uint8Array, name: string): string {
  const packed = content[0] === 0x1f && content[1] === 0x8b;
  try {
    return (packed ? gunzipSync(content, { maxOutputLength: maximumBytes }) : Buffer.from(content)).toString('utf8');
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    const why = unpackReasons[code] ?? code;
    throw new UsageError(`${name} cannot be unpacked (${why}): give a file that holds a recording of netdash's`);
  }
}

const reasons: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  ENOTDIR: 'there is no such file',
  EISDIR: 'it is a folder; name the file of the recording',
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  ELOOP: 'its symbolic links lead in a circle',
};

/** All of a file, or of a pipe. What has no end (a device) is not read to it. @throws UsageError when there is too much */
async function readWhole(path: string): Promise<Buffer> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of createReadStream(path, { highWaterMark: 1 << 20 }) as AsyncIterable<Buffer>) {
    size += part.length;
    if (size > maximumBytes)
      throw new UsageError(`${path} has more than ${maximumBytes >> 20} MiB: too large to replay`);
    parts.push(part);
  }
  return Buffer.concat(parts);
}

/** Reads a recording from a file, packed or not. @throws UsageError */
export async function loadRecording(path: string): Promise<Recording> {
  let content: Buffer;
  try {
    content = await readWhole(path);
  } catch (error) {
    if (error instanceof UsageError) throw error;
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    const why = reasons[String(code)] ?? String(code ?? error);
    throw new UsageError(`${path} cannot be read: ${why}`);
  }
  return parseRecording(content, path);
}

/** The content of a recording's file, packed with gzip. */
export function packRecording(recording: Recording): Buffer {
  return gzipSync(JSON.stringify(recording), { level: 9 });
}
