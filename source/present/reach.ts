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

/** The interfaces from whose networks it is reached, when there are others from which it is not. */
function narrower({ answers }: Exposure): string | undefined {
  const names = (list: Exposure['answers']) =>
    new Set(list.flatMap(({ question: { from } }) => (from.kind === 'lan' ? [from.interface] : [])));
  const open = names(answers.filter(({ verdict }) => verdict.verdict === 'reachable'));
  return open.size < names(answers).size ? [...open].join(' ') : undefined;
}

/** `reachable from lan`, `reachable from eth1`, `blocked`, … */
export function exposureText(exposure: Exposure): string {
  if (exposure.word === 'reachable') return `reachable from ${narrower(exposure) ?? 'lan'}`;
  return exposure.word === 'apart' ? 'no lan' : exposure.word;
}

/** The glyph and the word. */
export function exposureCell(exposure: Exposure): Cell {
  if (exposure.word === 'apart') return nothing;
  const { glyph, tone } = verdictLooks[exposure.word];
  return cell(`${glyph} ${exposureText(exposure)}`, tone);
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

/** Several places in one cell: the word of all, or the worst with how many it holds for. */
export function exposuresCell(exposures: readonly Exposure[]): Cell {
  const worst = urgency.find(word => exposures.some(exposure => exposure.word === word));
  const first = exposures.find(({ word }) => word === worst);
  if (!first) return nothing;
  const count = exposures.filter(({ word }) => word === worst).length;
  const one = exposureCell(first);
  return count === exposures.length || first.word === 'apart'
    ? one
    : cell(`${verdictLooks[first.word].glyph} ${first.word} ${count}/${exposures.length}`, one.tone);
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
