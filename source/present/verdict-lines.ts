/** Verdicts of the packet walk as lines: the verdict, then the way, then what to do. */
import type { Snapshot } from '../facts/schema.ts';
import type { Advice } from '../facts/walk/advice.ts';
import type { Question, Vantage, Verdict, VerdictWord } from '../facts/walk/walk.ts';
import { glyphs } from '../terminal/charset.ts';
import { cell, type Line, type Tone } from './cell.ts';

const looks: Readonly<Record<VerdictWord, { glyph: string; tone: Tone }>> = {
  reachable: { glyph: glyphs.ok, tone: 'good' },
  blocked: { glyph: glyphs.failed, tone: 'bad' },
  'local-only': { glyph: glyphs.failed, tone: 'info' },
  'nothing-listening': { glyph: glyphs.failed, tone: 'warn' },
  unknown: { glyph: '?', tone: 'dim' },
};

/** Where a question comes from, in words. */
export function vantageText(from: Vantage, { containers }: Pick<Snapshot, 'containers'>): string {
  switch (from.kind) {
    case 'loopback':
      return 'this host';
    case 'lan':
      return from.address === undefined ? `the LAN of ${from.interface}` : `${from.address} on ${from.interface}`;
    case 'address':
      return from.address;
    case 'container':
      break;
  }
  return `container ${containers.find(({ id }) => id === from.containerId)?.name ?? from.containerId.slice(0, 12)}`;
}

const placeText = (address: string, port: number): string =>
  address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;

/** One verdict in full. */
export function verdictLines(
  question: Question,
  verdict: Verdict,
  { fix, confirm }: Advice,
  facts: Pick<Snapshot, 'containers'>,
): Line[] {
  const { glyph, tone } = looks[verdict.verdict];
  const { address, port, proto } = question.to;
  const counted = verdict.decidedBy?.packets;
  const author = verdict.decidedBy?.author;
  const about = [
    author !== undefined && `written by ${author}`,
    counted !== undefined && `${counted} packets so far`,
  ].filter(Boolean);
  return [
    [
      cell(`${glyph} ${verdict.verdict}`, tone),
      cell(`  from ${vantageText(question.from, facts)} to `),
      cell(`${placeText(address, port)}/${proto}`, 'accent'),
    ],
    ...verdict.path.map(({ hop, ok, detail }): Line => [
      cell(`    ${ok ? glyphs.ok : verdict.verdict === 'unknown' ? '?' : glyphs.failed} `, ok ? 'good' : tone),
      cell(`${hop}: `, 'title'),
      cell(detail),
    ]),
    ...undecided(verdict),
    ...(about.length > 0 && verdict.verdict !== 'reachable' ? [[cell(`      ${about.join(', ')}`, 'dim')]] : []),
    ...(fix === undefined ? [] : [[cell('    What to do: ', 'title'), cell(fix)]]),
    ...(confirm === undefined ? [] : [[cell('    See it without netdash: ', 'title'), cell(confirm, 'info')]]),
  ];
}

/** What an unknown verdict hangs on, where the way does not end with it. */
function undecided({ verdict, decidedBy, path }: Verdict): Line[] {
  if (verdict !== 'unknown' || !decidedBy || path.at(-1)?.detail === decidedBy.detail) return [];
  return [[cell('    ? ', 'dim'), cell('it hangs on this: ', 'title'), cell(decidedBy.detail)]];
}
