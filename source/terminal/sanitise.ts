/**
 * Makes text that came from outside (container names, labels, process names, rule comments) harmless on a terminal.
 * Everything netdash draws or prints as text passes here: `cell()` in present/ is the only maker of what is drawn.
 */

/**
 * Unicode general categories that move the cursor, hide, join or reorder what is around them: controls (C0, C1, ESC),
 * formats (bidirectional overrides U+202A-E and U+2066-9, zero-width characters, tags), line and paragraph separators,
 * lone surrogates, and the invisible letters and variation selectors that terminals give differing widths.
 */
const unsafe = new RegExp(
  String.raw`[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\u{115F}\u{1160}\u{3164}\u{FFA0}\u{180B}-\u{180F}\u{FE00}-\u{FE0F}\u{E0000}-\u{E0FFF}]`,
  'gu',
);
const printableAscii = /^[\x20-\x7e]*$/;
/** More marks on one letter than any script uses. */
const heapedMarks = /(\p{M}{3})\p{M}+/gu;

/** What stands in the place of a character that may not be shown. */
export const replacement = '\u{FFFD}';

/**
 * Returns `text` as one line without anything that a terminal would act on. A tab becomes a space, every other unsafe
 * character `\u{FFFD}`; text longer than `limit` UTF-16 units is cut and ends in `…`.
 */
export function sanitise(text: string, limit = 4096): string {
  const bounded = text.length > limit ? `${text.slice(0, limit - 1)}…` : text;
  if (printableAscii.test(bounded)) return bounded;
  return bounded.replaceAll('\t', ' ').replace(unsafe, replacement).replace(heapedMarks, '$1');
}
