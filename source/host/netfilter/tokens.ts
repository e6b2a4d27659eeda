/** Splits a line of iptables-save into words. */
import { ownText } from '../own-text.ts';

/** A word; `quoted` ones are values, whatever they look like. */
export interface Token {
  text: string;
  quoted: boolean;
}

/**
 * The words of a line, quoting undone. iptables-save puts a value into double quotes when it holds anything but letters,
 * digits, `-` and `_`, with a backslash before `"`, `\` and `'` (libxtables, xtables_save_string).
 */
export function tokenize(line: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  while (at < line.length) {
    if (line[at] === ' ') {
      at++;
      continue;
    }
    if (line[at] !== '"') {
      const space = line.indexOf(' ', at);
      const end = space < 0 ? line.length : space;
      tokens.push({ text: line.slice(at, end), quoted: false });
      at = end;
      continue;
    }
    let text = '';
    for (at++; at < line.length && line[at] !== '"'; at++) {
      if (line[at] === '\\' && at + 1 < line.length) at++;
      text += line[at];
    }
    at++;
    tokens.push({ text, quoted: true });
  }
  return tokens;
}

/** Whether a quote is open at the end of `text`. @param open whether one is at its beginning */
function endsOpen(text: string, open: boolean): boolean {
  let isOpen = open;
  for (let at = 0; at < text.length; at++) {
    if (isOpen && text[at] === '\\') at++;
    else if (text[at] === '"' && (isOpen || text[at - 1] === ' ')) isOpen = !isOpen;
  }
  return isOpen;
}

/** Longer than any rule: the kernel takes comments of 255 bytes. */
const longestRule = 64 * 1024;

/** The lines of iptables-save. A comment may hold line breaks, which are printed as they are: a rule goes on until its quote is closed. */
export function* ruleLines(stdout: string): Generator<string> {
  let parts: string[] = [];
  let length = 0;
  for (const line of stdout.split('\n')) {
    const goesOn = parts.length > 0;
    parts.push(line);
    length += line.length + 1;
    const isRule = goesOn || /^(?:\[\d+:\d+\] )?-A /.test(line);
    // Only what is new is looked at: a quote that is never closed must not cost the square of what follows it.
    if (isRule && length < longestRule && (goesOn || line.includes('"')) && endsOpen(line, goesOn)) continue;
    yield ownText(parts.join('\n'));
    parts = [];
    length = 0;
  }
  if (parts.length > 0) yield ownText(parts.join('\n'));
}
