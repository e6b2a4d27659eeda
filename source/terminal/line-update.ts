/**
 * From one line on screen to the next by the cells that differ. Ink rewrites a line from the first difference to its end;
 * of a line of numbers in columns, most is the same behind the number that moved.
 */
import { widthOf } from './width.ts';

const escape = '\u001B';
/** What a line may hold beside text: SGR sequences of the attributes that netdash uses. */
const sgr = /^\u001B\[(\d*)m/;
const control = /[\u0000-\u001F\u007F-\u009F]/;
const narrow = /^[\x20-\x7e✓✗●○◌‖↻→←↔↑↓·▌▏─│…↵×\u{FFFD}]*$/u;
const graphemes = new Intl.Segmenter(undefined, { granularity: 'grapheme' });

/** A line as cells: the text of each column ('' for the second column of a wide character), and its attributes as SGR parameters. */
interface Cells {
  texts: string[];
  styles: string[];
}

type Attribute = 'bold' | 'dim' | 'inverse' | 'colour';
const switches: Readonly<Record<string, readonly Attribute[]>> = {
  '22': ['bold', 'dim'],
  '27': ['inverse'],
  '39': ['colour'],
  '0': ['bold', 'dim', 'inverse', 'colour'],
  '': ['bold', 'dim', 'inverse', 'colour'],
};
const attributeOf = (code: string): Attribute | undefined =>
  code === '1'
    ? 'bold'
    : code === '2'
      ? 'dim'
      : code === '7'
        ? 'inverse'
        : /^(3|9)[0-7]$/.test(code)
          ? 'colour'
          : undefined;

/** @returns undefined for a line with a sequence or a character that is not understood */
function cellsOf(line: string): Cells | undefined {
  const cells: Cells = { texts: [], styles: [] };
  const on = new Map<Attribute, string>();
  let style = '';
  let rest = line;
  while (rest !== '') {
    if (rest.startsWith(escape)) {
      const [sequence, code] = sgr.exec(rest) ?? [];
      if (sequence === undefined || code === undefined) return undefined;
      const off = switches[code];
      const attribute = attributeOf(code);
      if (off) for (const each of off) on.delete(each);
      else if (attribute) on.set(attribute, code);
      else return undefined;
      style = [...on.values()].sort().join(';');
      rest = rest.slice(sequence.length);
      continue;
    }
    const end = rest.indexOf(escape);
    const text = end < 0 ? rest : rest.slice(0, end);
    rest = end < 0 ? '' : rest.slice(end);
    if (control.test(text)) return undefined;
    if (narrow.test(text)) {
      for (const character of text) {
        cells.texts.push(character);
        cells.styles.push(style);
      }
      continue;
    }
    for (const { segment } of graphemes.segment(text)) {
      const width = widthOf(segment);
      if (width < 1 || width > 2) return undefined;
      cells.texts.push(segment);
      cells.styles.push(style);
      if (width === 2) {
        cells.texts.push('');
        cells.styles.push(style);
      }
    }
  }
  return cells;
}

/** Columns that are written although they are the same, rather than moving the cursor past them, which takes as many bytes. */
const shortGap = 6;

/**
 * What turns the line `previous`, which the cursor is on, into `next`: cursor movements within the line, attributes and
 * text, with all attributes off at the end.
 * @param previous, next without a line break
 * @param columns of the terminal; undefined when not known
 */
export default function lineUpdate(previous: string, next: string, columns: number | undefined): string {
  const whole = `${escape}[1G${escape}[K${next}`;
  if (columns === undefined || !(columns >= 1)) return whole;
  const before = cellsOf(previous);
  const after = cellsOf(next);
  if (!before || !after || before.texts.length > columns || after.texts.length > columns) return whole;
  const length = after.texts.length;
  const isSame = (column: number): boolean =>
    before.texts[column] === after.texts[column] && before.styles[column] === after.styles[column];
  let out = '';
  let style = '';
  let cursor = -1;
  for (let column = 0; column < length; column += 1) {
    if (isSame(column)) continue;
    // The first column of a wide character stands for both.
    const from = after.texts[column] === '' ? column - 1 : column;
    if (from < cursor) continue;
    const isNear =
      cursor >= 0 && from - cursor < shortGap && after.styles.slice(cursor, from).every(each => each === style);
    let at = isNear ? cursor : from;
    if (!isNear) out += `${escape}[${from + 1}G`;
    for (; at <= column || after.texts[at] === ''; at += 1) {
      if (after.styles[at] !== style) {
        style = after.styles[at]!;
        out += style === '' ? `${escape}[m` : `${escape}[0;${style}m`;
      }
      out += after.texts[at]!;
    }
    cursor = at;
  }
  if (style !== '') out += `${escape}[m`;
  // Erased last: at the end of a full row the cursor does not stand behind it.
  if (before.texts.length > length) out += `${escape}[${length + 1}G${escape}[K`;
  return out.length < whole.length ? out : whole;
}
