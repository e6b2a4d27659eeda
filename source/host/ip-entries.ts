/** What `ip -j` prints, as entries (iproute2, lib/json_print.c). */
import { createHash } from 'node:crypto';
import { HostError, type ToolResult } from './host.ts';
import { ownText } from './own-text.ts';

/** What was made of the entries of a table the last time, by their text. */
export type KnownEntries<T> = Map<string, { text: string; made: T }>;

/**
 * The elements of the JSON array that `ip -j` printed.
 * @param what the command, for messages
 * @throws HostError failed or denied when it printed something else
 */
export function ipArray(what: string, result: ToolResult): unknown[] {
  return arrayOf(what, printed(what, result));
}

/**
 * What is made of each element of that array. An element whose text is as it was the last time is neither parsed nor made again: on a host with many containers,
 * one of hundreds has changed. To find them without parsing, the text is cut where an element of these tables begins; should that be in the midst of
 * one, which `ip` prints nowhere, a piece is no JSON, and all is read as one. Where all was printed as the last time, it is the very list of then.
 * @param make is given each element as JSON has it
 * @param known is changed to what is printed now; the text that it keeps is that of one table
 * @throws HostError as `ipArray`
 */
export function ipEntries<T>(
  what: string,
  result: ToolResult,
  make: (entry: unknown) => T,
  known: KnownEntries<T>,
): T[] {
  const digest = result.raw && result.code === 0 ? createHash('sha256').update(result.raw).digest('base64') : undefined;
  const last = wholes.get(known);
  if (last && digest === last.digest) return last.made as T[];
  wholes.delete(known);
  const made = entriesOf(what, result, make, known);
  if (digest !== undefined) wholes.set(known, { digest, made });
  return made;
}

/** What was made of a whole table the last time, by what is known of it, with a digest of what was printed. */
const wholes = new WeakMap<object, { digest: string; made: unknown[] }>();

function entriesOf<T>(what: string, result: ToolResult, make: (entry: unknown) => T, known: KnownEntries<T>): T[] {
  const text = printed(what, result).trim();
  const before = new Map(known);
  known.clear();
  const texts = text.startsWith('[{"') && text.endsWith('}]') ? text.slice(2, -2).split(border) : undefined;
  const made: T[] = [];
  for (const each of texts ?? []) {
    const entry = before.get(each) ?? entryOf(each, make);
    if (!entry) {
      known.clear();
      return arrayOf(what, text).map(make);
    }
    known.set(entry.text, entry);
    made.push(entry.made);
  }
  return texts ? made : arrayOf(what, text).map(make);
}

/** Between two interfaces, or two routes: with what they begin, nothing begins that is within them. */
const border = /\},\{(?="(?:ifindex|type|dst)":)/;

function entryOf<T>(text: string, make: (entry: unknown) => T): { text: string; made: T } | undefined {
  let entry: unknown;
  try {
    entry = JSON.parse(`{${text}}`);
  } catch {
    return undefined;
  }
  return { text: ownText(text), made: make(entry) };
}

/** What it printed, in valid JSON if it was. @throws HostError when it failed */
function printed(what: string, result: ToolResult): string {
  const complaint = result.stderr.trim().split('\n')[0] ?? '';
  if (result.code !== 0) {
    const how = result.signal ? `was ended by ${result.signal}` : `ended with status ${result.code}`;
    const denied = /not permitted|permission denied/i.test(complaint);
    throw new HostError(denied ? 'denied' : 'failed', `${what} ${how}${complaint && `: ${complaint}`}`);
  }
  return withEscapes(result.stdout);
}

function arrayOf(what: string, text: string): unknown[] {
  // With nothing to show, some releases print nothing at all.
  if (text.trim() === '') return [];
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    throw new HostError('failed', `${what} printed no valid JSON`);
  }
  if (!Array.isArray(parsed)) throw new HostError('failed', `${what} printed no JSON array`);
  return parsed;
}

/**
 * Control characters in the form that JSON has for them. An interface may be called anything but white space, `/` and `:`
 * (dev_valid_name in net/core/dev.c), and iproute2 prints most control characters as they are (lib/json_writer.c).
 */
function withEscapes(json: string): string {
  return json.replace(/[\0-\x08\x0e-\x1f]/g, control => `\\u${control.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
