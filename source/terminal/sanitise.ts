/**
 * Makes text that came from outside (container names, labels, process names, rule comments) harmless on a terminal, and
 * says so in its type: what reaches a terminal, a pipe or the clipboard is `SafeText` or `SafeOutput`, and only this folder
 * makes those. test/architecture.test.ts holds that nobody else asserts them.
 */

declare const safe: unique symbol;

/** One line without anything that a terminal would act on. */
export type SafeText = string & { readonly [safe]: 'line' };

/** Such lines one below the other, or JSON in which everything else is escaped: what may be written to a terminal or a pipe. */
export type SafeOutput = string & { readonly [safe]: 'line' | 'lines' };

/**
 * Characters that move the cursor, hide, join or reorder what is around them, or that terminals give differing widths:
 * controls (C0, C1, ESC), formats (bidirectional overrides U+202A-E and U+2066-9, zero-width characters, tags), line and
 * paragraph separators, lone surrogates, characters that Unicode has not assigned, invisible letters, variation selectors,
 * the second half of what only some terminals draw as one (skin tones, flags, Hangul letters that are not composed).
 */
export const unsafeCharacters = String.raw`\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\p{Cn}\u{115F}-\u{11FF}\u{D7B0}-\u{D7FF}\u{3164}\u{FFA0}\u{180B}-\u{180F}\u{FE00}-\u{FE0F}\u{1F1E6}-\u{1F1FF}\u{1F3FB}-\u{1F3FF}\u{E0000}-\u{E0FFF}`;

const unsafe = new RegExp(`[${unsafeCharacters}]`, 'gu');
const printableAscii = /^[\x20-\x7e]*$/;
/** More marks on one letter than any script uses. */
const heapedMarks = /(\p{M}{3})\p{M}+/gu;

/** What stands in the place of a character that may not be shown. */
export const replacement = '\u{FFFD}';

/**
 * Returns `text` as one line without anything that a terminal would act on. A tab becomes a space, every other unsafe
 * character `\u{FFFD}`; text longer than `limit` UTF-16 units is cut and ends in `…`.
 */
export function sanitise(text: string, limit = 4096): SafeText {
  const bounded = text.length > limit ? `${text.slice(0, limit - 1)}…` : text;
  if (printableAscii.test(bounded)) return bounded as SafeText;
  if (bounded.length <= longText) return cleaned(bounded);
  let clean = known.get(bounded);
  if (clean === undefined) {
    if (known.size >= mostKnown) known.clear();
    clean = cleaned(bounded);
    known.set(bounded, clean);
  }
  return clean;
}

/** What was made of long texts: the same ones are shown in frame after frame. */
const known = new Map<string, SafeText>();
const longText = 256;
const mostKnown = 500;

function cleaned(text: string): SafeText {
  // Composed first: Korean as macOS writes it is made of letters that terminals give differing widths.
  const composed = text.replaceAll('\t', ' ').normalize('NFC');
  return composed.replace(unsafe, replacement).replace(heapedMarks, '$1') as SafeText;
}

/** Pieces of one line side by side. */
export function joinText(parts: readonly SafeText[]): SafeText {
  return parts.join('') as SafeText;
}

/** Without the spaces at its end. */
export function trimEnd(text: SafeText): SafeText {
  return text.trimEnd() as SafeText;
}

/** Lines one below the other, for print: each ended by a line break. */
export function asLines(lines: readonly SafeText[]): SafeOutput {
  return lines.map(line => `${line}\n`).join('') as SafeOutput;
}

/** Lines one below the other, for the clipboard: without a line break at the end, on which a shell would act. */
export function asParagraph(lines: readonly SafeText[]): SafeOutput {
  return lines.join('\n') as SafeOutput;
}
