/** Names from outside in commands that an operator copies: what a shell, or nft, would read as more than a name must not be one. */

/** What no shell reads as anything but itself. */
const plain = /^[\w@%+=:,./][\w@%+=:,./-]*$/;

/** One argument of a command: itself where a shell (POSIX sh, bash, zsh) takes it literally, else in single quotes. */
export function shellWord(text: string): string {
  return plain.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`;
}

/** A container, network or the like by name, or by the first digits of its id where the name could be read as an option or more. */
export function shellName({ name, id }: { name: string; id?: string | undefined }): string {
  return /^\w[\w.-]*$/.test(name) || id === undefined ? shellWord(name) : id.slice(0, 12);
}

/**
 * The arguments of a rule as iptables-save prints them, each as a word for a shell. Its own quotes do not protect from one: they
 * are double (xtables_save_string of libxtables), inside which a shell still runs `$(…)`.
 */
export function savedWords(rule: string): string {
  const words = rule.match(/"(?:\\.|[^"\\])*"|\S+/gs) ?? [];
  return words
    .map(word => (/^".*"$/s.test(word) ? shellWord(word.slice(1, -1).replaceAll(/\\(.)/gs, '$1')) : savedWord(word)))
    .join(' ');
}

/** A `!` alone, and an option, are what iptables-save itself prints. */
const savedWord = (word: string): string => (/^(?:!|--?[\w-]+)$/.test(word) ? word : shellWord(word));

/** Whether nft takes all of these for names of tables and chains. It reads its arguments as one text, quoted or not. */
export const areNftNames = (...names: readonly string[]): boolean =>
  names.every(name => /^[A-Za-z_][\w.-]*$/.test(name));
