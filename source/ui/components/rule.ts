/** Rules: the horizontal lines that carry a title. */
import { cell } from '../../present/cell.ts';
import type { Line } from '../../present/cell.ts';
import { cutLine, lineWidth } from '../../present/layout.ts';
import { glyphs } from '../../terminal/charset.ts';

/** `── title ──────── right ─` in `width` columns; the rule of what has the focus is not dim. */
export function ruleLine(title: Line, right: string, width: number, focused: boolean): Line {
  const tone = focused ? 'accent' : 'dim';
  const end: Line = right === '' ? [] : [cell(` ${right} `, 'dim'), cell(glyphs.rule, tone)];
  const start: Line = [cell(`${glyphs.rule} `, tone), ...title, cell(' ')];
  const space = width - lineWidth(start) - lineWidth(end);
  if (space < 0) return cutLine(start, width);
  return [...start, cell(glyphs.rule.repeat(space), tone), ...end];
}
