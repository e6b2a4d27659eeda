/** From what Ink hands over to names of keys: several keys can come as one input. */

/** The part of Ink's key object that is used. */
export interface InkKey {
  upArrow: boolean;
  downArrow: boolean;
  leftArrow: boolean;
  rightArrow: boolean;
  pageUp: boolean;
  pageDown: boolean;
  home: boolean;
  end: boolean;
  return: boolean;
  escape: boolean;
  ctrl: boolean;
  shift: boolean;
  tab: boolean;
  backspace: boolean;
  delete: boolean;
  meta: boolean;
}

const named: readonly (readonly [keyof InkKey, string])[] = [
  ['upArrow', 'up'],
  ['downArrow', 'down'],
  ['leftArrow', 'left'],
  ['rightArrow', 'right'],
  ['pageUp', 'page-up'],
  ['pageDown', 'page-down'],
  ['home', 'home'],
  ['end', 'end'],
  ['return', 'enter'],
  ['escape', 'escape'],
  ['backspace', 'backspace'],
  ['delete', 'backspace'],
];

const controls: Readonly<Record<string, string>> = {
  '\r': 'enter',
  '\n': 'enter',
  '\t': 'tab',
  '\u{7F}': 'backspace',
  '\b': 'backspace',
  '\u{1B}': 'escape',
};

function characterKey(character: string): string {
  const known = controls[character];
  if (known !== undefined) return known;
  const code = character.codePointAt(0)!;
  return code < 32 ? `ctrl-${String.fromCharCode(code + 96)}` : character;
}

/**
 * The keys in one input, in order: a printable character is itself, others have names (`enter`, `ctrl-d`, `page-down`,
 * `shift-tab`). Keys typed faster than they are read ("jjjj", "q\r") arrive together.
 */
export function keysOf(input: string, key: InkKey): string[] {
  if (key.tab) return [key.shift ? 'shift-tab' : 'tab'];
  const name = named.find(([flag]) => key[flag])?.[1];
  if (name !== undefined) return [name];
  if (key.ctrl && input.length === 1) return [`ctrl-${input.toLowerCase()}`];
  if (key.meta) return [];
  return Array.from(input, characterKey);
}
