/** The messages of Docker's event stream (Engine API, `GET /events`): one JSON object a line. */
import { StringDecoder } from 'node:string_decoder';
import * as v from 'valibot';
import type { DockerEvent } from './host.ts';

/** Before API 1.52 `status`, `id` and `from` repeat part of this; they are not looked at. */
const MessageSchema = v.object({
  Type: v.string(),
  Action: v.string(),
  Actor: v.object({
    ID: v.optional(v.string(), ''),
    Attributes: v.optional(v.nullable(v.record(v.string(), v.unknown()))),
  }),
  time: v.optional(v.number()),
  timeNano: v.optional(v.number()),
});

/** One line of the stream as an event; undefined for anything else than a message that names type, action and actor. */
export function parseEvent(line: string): DockerEvent | undefined {
  let json: unknown;
  try {
    json = JSON.parse(line);
  } catch {
    return undefined;
  }
  const message = v.safeParse(MessageSchema, json);
  if (!message.success) return undefined;
  const { Type: type, Action: action, Actor: actor, time, timeNano } = message.output;
  const attributes: Record<string, string> = {};
  for (const [name, value] of Object.entries(actor.Attributes ?? {})) {
    if (typeof value === 'string') attributes[name] = value;
  }
  // A double holds nanoseconds since the epoch to within half a microsecond.
  const at = timeNano ? Math.floor(timeNano / 1e6) : (time ?? 0) * 1000;
  return { type, action: action.split(':')[0]!, id: actor.ID, attributes, at };
}

/** Far longer than any message; a stream that sends no newline for so long is no event stream. */
const longestLine = 1024 * 1024;

/**
 * Cuts a stream of bytes into lines and hands over the events among them. Chunks may end anywhere, within a character too.
 * @returns what takes the next chunk
 */
export function eventReader(onEvent: (event: DockerEvent) => void): (chunk: Uint8Array) => void {
  const decoder = new StringDecoder('utf8');
  let rest = '';
  let skipping = false;
  return chunk => {
    const lines = (rest + decoder.write(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength))).split('\n');
    rest = lines.pop()!;
    for (const line of lines) {
      const event = skipping ? undefined : parseEvent(line);
      skipping = false;
      if (event) onEvent(event);
    }
    if (rest.length > longestLine) {
      rest = '';
      skipping = true;
    }
  };
}
