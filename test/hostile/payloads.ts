/** What somebody who wants the operator's terminal would call a container, a process, an interface… */

const parts = {
  'CSI, OSC and DCS':
    '\u{1B}[2J\u{1B}[1;1H\u{1B}]0;owned\u{7}\u{1B}]52;c;cm0gLXJmIC8=\u{7}\u{1B}P$q"p\u{1B}\\\u{1B}[?1049l\u{1B}c\u{1B}[6n',
  'C1 controls in UTF-8': '\u{9B}2J\u{9D}0;owned\u{9C}\u{90}q\u{9C}\u{85}\u{84}\u{8D}',
  'C0 controls and DEL': '\u{0}\u{1}\u{7}\b\u{B}\u{C}\r\u{E}\u{F}\u{11}\u{13}\u{1A}\u{7F}\n\t',
  'bidirectional overrides': '\u{202E}\u{2066}\u{2067}\u{2068}\u{202A}\u{202B}\u{202D}\u{200E}\u{200F}\u{61C}gpj',
  'zero width and invisible': '\u{200B}\u{200C}\u{200D}\u{2060}\u{FEFF}\u{AD}\u{34F}\u{3164}\u{E0041}\u{FE0F}\u{180E}',
  'line separators': '\u{2028}\u{2029}\u{85}\u{B}\u{C}',
  'wide, combined and joined':
    '資料庫👩\u{200D}👩\u{200D}👧👍\u{1F3FD}\u{1F1E9}\u{1F1EA}e\u{301}\u{302}\u{303}\u{304}\u{305}한국Z̷̡̛a\u{816}\u{1AB0}\u{1AB1}1\u{FE0F}\u{20E3}',
  'broken surrogates and noncharacters': '\u{D800}x\u{DC00}\u{FFFE}\u{FFFF}\u{10FFFF}\u{378}\u{FFFD}',
  'members of every object': '__proto__ constructor toString ',
  'markup and quotes': '"\'`$(id)${HOME}<b>%s%n\\u001b[31m\\x1b[31m;|&"),("',
};

/** By name. Each stands before the true name, so that names stay different from one another. */
export const payloads: Readonly<Record<string, string>> = {
  everything: Object.values(parts).join(''),
  'four kilobytes': '\u{1B}[31m資'.repeat(700),
  // Names that are no more than that, for what is keyed by name.
  'members of every object': parts['members of every object'],
};

/** What a field can hold: `text` anything, `line` no line break, `word` neither white space nor `/` nor `:`. */
export type FieldKind = 'text' | 'line' | 'word';

/** A payload as far as a field of this kind can hold it. */
export function forField(payload: string, kind: FieldKind, longest = Infinity): string {
  const fitting =
    kind === 'text'
      ? payload
      : kind === 'line'
        ? payload.replaceAll(/[\n\0]/g, '')
        : payload.replaceAll(/[\s\0/:"\\()]/g, '');
  return Array.from(fitting).slice(0, longest).join('');
}
