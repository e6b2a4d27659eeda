/** Who off this host reaches something, in a glyph and a word. */
import type { Exposure } from '../facts/exposure.ts';
import type { VerdictWord } from '../facts/walk/verdict.ts';
import { glyphs } from '../terminal/charset.ts';
import { socketAddress } from './addresses.ts';
import { cell, type Cell, type Tone } from './cell.ts';
import { nothing } from './common-cells.ts';

/** The glyph and the tone of every verdict. */
export const verdictLooks: Readonly<Record<VerdictWord, { glyph: string; tone: Tone }>> = {
  reachable: { glyph: glyphs.ok, tone: 'good' },
  blocked: { glyph: glyphs.failed, tone: 'bad' },
  'local-only': { glyph: glyphs.created, tone: 'dim' },
  'nothing-listening': { glyph: glyphs.failed, tone: 'warn' },
  unknown: { glyph: '?', tone: 'dim' },
};

const interfacesOf = (list: Exposure['answers']): Set<string> =>
  new Set(list.flatMap(({ question: { from } }) => (from.kind === 'lan' ? [from.interface] : [])));

/** The interfaces from whose networks it is reached, when there are others from which it is not. */
function narrower({ answers }: Exposure): string | undefined {
  const open = interfacesOf(answers.filter(({ verdict }) => verdict.verdict === 'reachable'));
  return open.size < interfacesOf(answers).size ? [...open].join(' ') : undefined;
}

/** `reachable from lan`, `reachable from eth1`, `blocked`, … */
export function exposureText(exposure: Exposure): string {
  if (exposure.word === 'reachable') return `reachable from ${narrower(exposure) ?? 'lan'}`;
  return exposure.word === 'apart' ? 'no lan' : exposure.word;
}

/** The glyph and the word. */
export function exposureCell(exposure: Exposure): Cell {
  if (exposure.word === 'apart') return nothing;
  const tone = exposure.unmeant ? 'warn' : verdictLooks[exposure.word].tone;
  return cell(`${glyphOf(exposure)} ${exposureText(exposure)}`, tone);
}

function glyphOf({ word, unmeant }: Exposure): string {
  if (word === 'apart') return '';
  return unmeant ? glyphs.warning : verdictLooks[word].glyph;
}

/** Worst first: what an operator should look at before the rest. */
const urgency: readonly Exposure['word'][] = [
  'blocked',
  'nothing-listening',
  'unknown',
  'reachable',
  'local-only',
  'apart',
];

/** One port as others meet it on both families: the one that an operator should look at first. */
export interface PortReach {
  exposure: Exposure;
  /** The family that the exposure is about, where the other one is met otherwise. */
  family?: 4 | 6;
  words: readonly Exposure['word'][];
}

const byUrgency = (a: Exposure, b: Exposure): number => urgency.indexOf(a.word) - urgency.indexOf(b.word);

/** Whether all of its answers are about addresses that only neighbours on one wire have. */
const isOnLinkOnly = ({ answers }: Exposure): boolean =>
  answers.length > 0 && answers.every(({ question: { to } }) => /^fe[89ab]/i.test(to.address));

/** A port's families in one: where IPv6 is met at link-local addresses alone, what IPv4 meets counts. */
export function portReach(families: readonly { family: 4 | 6; exposure: Exposure }[]): PortReach | undefined {
  const counted = families.filter(({ family, exposure }) => family === 4 || !isOnLinkOnly(exposure));
  const kept = (counted.length > 0 ? counted : families).filter(
    ({ exposure }, _, all) => exposure.word !== 'apart' || all.length === 1,
  );
  const [worst] = [...kept].sort((a, b) => byUrgency(a.exposure, b.exposure));
  if (!worst) return undefined;
  const words = [...new Set(kept.map(({ exposure }) => exposure.word))];
  return { exposure: worst.exposure, words, ...(words.length > 1 && { family: worst.family }) };
}

/** Several ports in one cell: the word of all, or the one to look at first after how many, or which family, it holds for. */
export function reachesCell(reaches: readonly PortReach[]): Cell {
  const [first] = [...reaches].sort((a, b) => byUrgency(a.exposure, b.exposure));
  if (!first) return nothing;
  const { exposure, family } = first;
  const count = reaches.filter(each => each.exposure.word === exposure.word).length;
  const one = exposureCell(exposure);
  if (exposure.word === 'apart') return one;
  // First, so that a narrow column does not leave of it what would be said of all.
  const part = (which: string): Cell => cell(`${glyphOf(exposure)} ${which} ${exposure.word}`, one.tone);
  if (count < reaches.length) return part(`${count}/${reaches.length}`);
  return family === undefined ? one : part(`v${family}`);
}

/** Why it is so, in one line: the hop that decided, or at which address it answers. */
export function exposureReason(exposure: Exposure): string {
  const { deciding, reason, word, answers } = exposure;
  if (word === 'apart') return 'no interface leads from there off this host';
  if (!deciding) return reason ?? 'it listens on loopback only';
  if (word !== 'reachable') return deciding.verdict.decidedBy?.detail ?? '';
  const open = answers.filter(({ verdict }) => verdict.verdict === 'reachable');
  const places = open.map(({ question: { to } }) => socketAddress(to.address, to.port));
  return `at ${[...new Set(places)].join(', ')}`;
}
