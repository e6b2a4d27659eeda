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

/** Whether a quote that was opened in `text` is still open at its end. */
function isOpen(text: string): boolean {
  let open = false;
  for (let at = 0; at < text.length; at++) {
    if (open && text[at] === '\\') at++;
    else if (text[at] === '"' && (open || text[at - 1] === ' ')) open = !open;
  }
  return open;
}

/** Longer than any rule: the kernel takes comments of 255 bytes. */
const longestRule = 64 * 1024;

/** The lines of iptables-save. A comment may hold line breaks, which are printed as they are: a rule goes on until its quote is closed. */
export function* ruleLines(stdout: string): Generator<string> {
  let rule: string | undefined;
  for (const line of stdout.split('\n')) {
    const whole: string = rule === undefined ? line : `${rule}\n${line}`;
    const isRule = /^(?:\[\d+:\d+\] )?-A /.test(whole) && whole.length < longestRule;
    rule = isRule && whole.includes('"') && isOpen(whole) ? whole : undefined;
    if (rule === undefined) yield ownText(whole);
  }
  if (rule !== undefined) yield ownText(rule);
}
