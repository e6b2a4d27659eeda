/** The only place where text meets Ink: a line of cells in the colours of their tones. */
import { Box, Transform } from 'ink';
import { createContext, memo, useContext } from 'react';
import type { ReactElement } from 'react';
import type { Cell, Line, Tone } from '../../present/cell.ts';
import { cutLine } from '../../present/layout.ts';
import { inCharset } from '../../terminal/charset.ts';
import type { Terminal } from '../../terminal/detect.ts';
import { joinText, type SafeText } from '../../terminal/sanitise.ts';
import { painted, stylesOf } from './paint.ts';

/** What the screen needs to know of the terminal. */
export type Look = Pick<Terminal, 'charset' | 'light' | 'colour'>;

export const LookContext = createContext<Look>({ charset: 'unicode', light: false, colour: false });

interface Run {
  text: SafeText;
  tone: Tone;
}

/** Cells of one tone side by side are one piece. */
function runsOf(line: Line): Run[] {
  const runs: Run[] = [];
  for (const part of line) {
    const last = runs.at(-1);
    const isBlank = part.text.trim() === '';
    if (last && (last.tone === part.tone || isBlank)) last.text = joinText([last.text, part.text]);
    else runs.push({ text: part.text, tone: part.tone });
  }
  return runs;
}

export interface LineViewProps {
  line: Line;
  /** Columns of the screen; what does not fit is cut off. */
  width: number;
  /** Shown in reverse from edge to edge, in one tone. */
  selected?: boolean;
}

const isSameLine = (a: LineViewProps, b: LineViewProps): boolean =>
  a.width === b.width &&
  a.selected === b.selected &&
  a.line.length === b.line.length &&
  a.line.every(({ text, tone }, i) => text === b.line[i]!.text && tone === b.line[i]!.tone);

/**
 * Draws one line. It is one node of text, which Ink lays out and measures without colours; they come when it is drawn. A
 * node for each piece would cost Ink five times as much for every frame. It takes nothing that has not been through the
 * sanitiser.
 */
export const LineView = memo(function LineView({ line: whole, width, selected = false }: LineViewProps): ReactElement {
  const { charset, light, colour } = useContext(LookContext);
  const line = cutLine(whole, width);
  const text = inCharset(joinText(line.map(part => part.text)), charset);
  const styles = stylesOf(light);
  const drawn = !colour
    ? text
    : selected
      ? painted(text, { inverse: true })
      : runsOf(line)
          .map(run => painted(inCharset(run.text, charset), styles[run.tone]))
          .join('');
  return (
    <Box width={width} height={1}>
      {text === '' ? null : <Transform transform={part => (part === text ? drawn : part)}>{text}</Transform>}
    </Box>
  );
}, isSameLine);

/** Draws lines below one another; empty ones take their place too. */
export function LinesView({ lines, width }: { lines: readonly Line[]; width: number }): ReactElement {
  return (
    <>
      {lines.map((line, i) => (
        <LineView key={i} line={line} width={width} />
      ))}
    </>
  );
}

/** A line of nothing but a glyph, for rules. */
export function filled(glyph: string, count: number, make: (text: string) => Cell): Cell {
  return make(glyph.repeat(Math.max(0, count)));
}
