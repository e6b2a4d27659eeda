/** What `ipset save` prints (ipset(8)): the sets that `-m set` of xtables looks into. */
import { ownText } from '../own-text.ts';
import type { IpsetReading } from '../readings.ts';

/** Options of an element with a value after them; `comment` has a quoted one. */
const valued = new Set(['timeout', 'packets', 'bytes', 'skbmark', 'skbprio', 'skbqueue', 'comment']);

/**
 * The sets by name. Lines that are not understood are passed over: an element of a kind that is not known is told by the
 * type of its set.
 * @param text what `ipset save` printed
 */
export function parseIpsets(text: string): Record<string, IpsetReading> {
  const sets: Record<string, IpsetReading> = Object.create(null) as Record<string, IpsetReading>;
  for (const line of text.split('\n')) {
    const [verb, name, what, ...options] = ownText(line).trim().split(/\s+/);
    if (name === undefined || what === undefined) continue;
    if (verb === 'create') sets[name] = { type: what, elements: [], exceptions: [] };
    const set = sets[name];
    if (verb !== 'add' || !set) continue;
    (isException(options) ? set.exceptions : set.elements).push(what);
  }
  return sets;
}

/** Whether `nomatch` is among the options, and not a word of a comment. */
function isException(options: readonly string[]): boolean {
  for (let at = 0; at < options.length; at += 1) {
    const option = options[at] ?? '';
    if (option === 'nomatch') return true;
    if (option === 'comment') {
      const rest = options
        .slice(at)
        .join(' ')
        .replace(/"[^"]*"/, '');
      return rest.endsWith(' nomatch');
    }
    if (valued.has(option)) at += 1;
  }
  return false;
}
