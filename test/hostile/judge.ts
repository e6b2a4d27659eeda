/** Whether bytes may be shown to an operator. Written apart from the sanitiser: it knows terminals, not netdash. */
import assert from 'node:assert/strict';

/** Everything but line breaks that moves the cursor, hides, joins or reorders (Unicode general categories, UAX #9). */
const acted =
  /\p{Cc}|\p{Cf}|\p{Zl}|\p{Zp}|\p{Cs}|\p{Cn}|\p{Variation_Selector}|\p{Emoji_Modifier}|\p{Regional_Indicator}/u;

const excerpt = (text: string, at: number): string => JSON.stringify(text.slice(Math.max(0, at - 40), at + 40));

/** Text for a pipe or the clipboard: lines, and nothing that a terminal acts on. */
export function assertPlain(text: string, what: string): void {
  const bare = text.replaceAll('\n', ' ');
  const at = bare.search(acted);
  assert.equal(at, -1, `${what}: U+${bare.codePointAt(at)?.toString(16)} in ${excerpt(bare, at)}`);
}

/** The control sequences of ECMA-48 and OSC in what was written to a terminal, with numbers and payloads taken out. */
export function sequencesOf(written: string): { shapes: Set<string>; text: string; clipboard: string[] } {
  const shapes = new Set<string>();
  const clipboard: string[] = [];
  const text = written.replaceAll(
    /\u{1B}\[([<=>?]?)([\d;:]*)([ -/]*)([@-~])|\u{1B}\](\d+);([^\u{7}\u{1B}]*)(?:\u{7}|\u{1B}\\)|\u{1B}[PX^_][^]*?\u{1B}\\|\u{1B}[^[\]PX^_]|[\0-\x1f\x7f-\x9f]/gu,
    (
      whole: string,
      mark?: string,
      numbers?: string,
      between?: string,
      final?: string,
      command?: string,
      body?: string,
    ) => {
      if (final !== undefined) {
        // Modes count one by one, colours and positions by their kind.
        shapes.add(`CSI ${mark}${final === 'h' || final === 'l' ? numbers : ''}${between}${final}`);
      } else if (command !== undefined) {
        shapes.add(`OSC ${command}`);
        if (command === '52') clipboard.push(Buffer.from(body!.replace(/^c;/, ''), 'base64').toString('utf8'));
      } else shapes.add(JSON.stringify(whole));
      return whole === '\n' ? '\n' : '';
    },
  );
  return { shapes, text, clipboard };
}
