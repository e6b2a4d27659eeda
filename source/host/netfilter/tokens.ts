/** Splits a line of iptables-save into words. */

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
