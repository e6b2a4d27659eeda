/**
 * What was made of each rule the last time that all rules were read. A restart changes a few of many hundred rules, and traffic only their counters: the others are
 * the very objects of before, and are neither parsed nor compared again.
 */
import type { ChainReading, RuleReading } from './readings.ts';

/** A rule of a saver, as parsed. */
export interface SavedRule {
  chain: string;
  rule: RuleReading;
}

/** A rule of nft, as parsed. */
export interface NftRule {
  rule: RuleReading;
  xt: boolean;
}

/** Rules by a text that tells what they are, valid as long as what they refer to is the same. */
interface Known<T> {
  referred: string;
  byText: Map<string, T>;
}

/** What was made of texts, kept from one parse to the next: what a parse does not ask for is forgotten. */
export class Memo<T> {
  #last = new Map<string, Known<T>>();
  #next = new Map<string, Known<T>>();

  /**
   * @param part of what is parsed, such as a table; texts of one part are no texts of another
   * @param referred all else that decides what a text of this part means: when that is another, nothing is known
   * @returns the way to make something of a text, or to get what was made of it
   */
  part(part: string, referred: string): (text: string, make: () => T) => T {
    const last = this.#last.get(part);
    const known = last?.referred === referred ? last.byText : undefined;
    const byText = new Map<string, T>();
    this.#next.set(part, { referred, byText });
    return (text, make) => {
      const made = byText.get(text) ?? known?.get(text) ?? make();
      byText.set(text, made);
      return made;
    };
  }

  /** Replaces what was kept for a text of a part that is being parsed. */
  put(part: string, text: string, made: T): void {
    this.#next.get(part)?.byText.set(text, made);
  }

  /** A parse has come to its end. */
  turn(): void {
    this.#last = this.#next;
    this.#next = new Map();
  }
}

/** The memos of all that one host's tools print, by tool. */
export interface Memos {
  saved: Map<string, Memo<SavedRule>>;
  nft: Memo<NftRule>;
}

export const newMemos = (): Memos => ({ saved: new Map(), nft: new Memo() });

/** The rule at this place and with these counters: the very same object where they are as before. */
export function placed(
  rule: RuleReading,
  number: number,
  counters: Pick<RuleReading, 'packets' | 'bytes'> = rule,
): RuleReading {
  const { packets, bytes } = counters;
  if (rule.number === number && rule.packets === packets && rule.bytes === bytes) return rule;
  const { packets: _, bytes: __, ...rest } = rule;
  return { ...rest, number, ...(packets !== undefined && { packets, bytes }) };
}

const handled = new WeakMap<RuleReading, RuleReading>();

/** The rule with this handle; the very same object for the same rule. */
export function withHandle(rule: RuleReading, handle: number): RuleReading {
  const known = handled.get(rule);
  if (known?.handle === handle) return known;
  const made = { ...rule, handle };
  handled.set(rule, made);
  return made;
}

const meanings = new WeakMap<RuleReading['matches'], { rule: RuleReading; key: string }>();

/** What `keyOf` says of a rule's meaning, asked once for all rules that share matches, effects and target. */
export function meaningOf(rule: RuleReading, keyOf: (rule: RuleReading) => string): string {
  const known = meanings.get(rule.matches);
  if (known && known.rule.target === rule.target && known.rule.effects === rule.effects) return known.key;
  const key = keyOf(rule);
  meanings.set(rule.matches, { rule, key });
  return key;
}

/** The names of chains, as far as they decide what a rule that names one means. */
export const namesOf = (chains: ReadonlyMap<string, ChainReading>): string => [...chains.keys()].join('\n');
