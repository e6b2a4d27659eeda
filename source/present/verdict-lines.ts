/** Verdicts of the packet walk as lines: the verdict, then the way, then what to do. */
import type { Explained } from '../facts/reachability.ts';
import type { Snapshot } from '../facts/schema.ts';
import type { DecidedBy, Vantage, Verdict } from '../facts/walk/verdict.ts';
import { glyphs } from '../terminal/charset.ts';
import { socketAddress } from './addresses.ts';
import { cell, type Cell, type Line } from './cell.ts';
import { verdictLooks } from './reach.ts';

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

/** What decided, with who wrote it and how often it did so: `ip filter DOCKER-USER rule 1: … (written by admin, 4 packets so far)`. */
export function reasonText({ detail, author, packets }: DecidedBy): string {
  const about = [
    author !== undefined && `written by ${author}`,
    packets !== undefined && `${packets} packets so far`,
  ].filter(Boolean);
  return about.length > 0 ? `${detail} (${about.join(', ')})` : detail;
}

/** The same in few words, for where the whole stands below. */
function briefReason({ kind, table, chain, rule, author, inside }: DecidedBy): string {
  if (chain === undefined || (kind !== 'rule' && kind !== 'policy')) return '';
  const place = kind === 'policy' ? `policy of ${table} ${chain}` : `${table} ${chain} rule ${rule ?? '?'}`;
  if (inside !== undefined) return `${place} inside ${inside}`;
  return author === undefined ? place : `${place}, by ${author}`;
}

/** One verdict in three or four cells: the word, from where, to where, and what decided in few words. */
export function verdictSummary(
  { question, verdict }: Pick<Explained, 'question' | 'verdict'>,
  facts: Pick<Snapshot, 'containers'>,
): Cell[] {
  const { glyph, tone } = verdictLooks[verdict.verdict];
  const { address, port } = question.to;
  const why = verdict.verdict === 'reachable' || !verdict.decidedBy ? '' : briefReason(verdict.decidedBy);
  return [
    cell(`${glyph} ${verdict.verdict}`, tone),
    cell(`from ${vantageText(question.from, facts)}`),
    cell(socketAddress(address, port)),
    ...(why === '' ? [] : [cell(why, 'dim')]),
  ];
}

/** One verdict in full. */
export function verdictLines(
  { question, verdict, advice: { fix, confirm } }: Explained,
  facts: Pick<Snapshot, 'containers'>,
): Line[] {
  const { glyph, tone } = verdictLooks[verdict.verdict];
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
      cell(`${socketAddress(address, port)}/${proto}`, 'accent'),
    ],
    ...verdict.path.map(({ hop, ok, unknown, detail }): Line => [
      cell(
        `    ${ok ? glyphs.ok : unknown || verdict.verdict === 'unknown' ? '?' : glyphs.failed} `,
        ok ? 'good' : unknown ? verdictLooks.unknown.tone : tone,
      ),
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
