/** JSON that can be looked at on a terminal: the same value, and nothing in it that a terminal would act on. */
import { unsafeCharacters, type SafeOutput } from './sanitise.ts';

const unsafe = new RegExp(`[${unsafeCharacters}]`, 'gu');
/** What JSON.stringify itself writes between members. */
const layout = new Set(['\n']);

const escaped = (character: string): string =>
  layout.has(character)
    ? character
    : Array.from(
        { length: character.length },
        (_, unit) => `\\u${character.charCodeAt(unit).toString(16).padStart(4, '0')}`,
      ).join('');

/**
 * `value` as JSON (RFC 8259) with one line break at its end. JSON.stringify escapes C0 controls and lone surrogates; C1
 * controls, DEL, bidirectional overrides and the like are escaped here, so that a reader gets every value back as it was.
 * @param indent spaces a level; absent: all on one line
 */
export function jsonText(value: unknown, indent?: number): SafeOutput {
  return `${(JSON.stringify(value, undefined, indent) ?? 'null').replace(unsafe, escaped)}\n` as SafeOutput;
}
