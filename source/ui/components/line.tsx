/** The only place where text meets Ink: a line of cells in the colours of their tones. */
import { Box, Text } from 'ink';
import { createContext, useContext } from 'react';
import type { ReactElement } from 'react';
import type { Cell, Line, Tone } from '../../present/cell.ts';
import { inCharset, type Charset } from '../../terminal/charset.ts';
import type { Terminal } from '../../terminal/detect.ts';
import { joinText, type SafeText } from '../../terminal/sanitise.ts';

/** What the screen needs to know of the terminal. */
export type Look = Pick<Terminal, 'charset' | 'light'>;

export const LookContext = createContext<Look>({ charset: 'unicode', light: false });

interface Style {
  color?: string;
  bold?: boolean;
  dimColor?: boolean;
  inverse?: boolean;
}

// The sixteen ANSI names only: they are the operator's own colours. Yellow and cyan cannot be read on white, blue not on
// black, so each background has its own.
const dark: Readonly<Record<Tone, Style>> = {
  plain: {},
  dim: { dimColor: true },
  good: { color: 'green' },
  warn: { color: 'yellow' },
  bad: { color: 'red', bold: true },
  info: { color: 'magenta' },
  accent: { color: 'cyan' },
  title: { bold: true },
  mark: { color: 'magenta', bold: true, inverse: true },
};
const light: Readonly<Record<Tone, Style>> = {
  ...dark,
  warn: { color: 'magenta', bold: true },
  info: { color: 'magenta' },
  accent: { color: 'blue' },
};

interface Run {
  text: SafeText;
  tone: Tone;
}

/** The one place where Ink gets text to draw: it takes nothing that has not been through the sanitiser. */
function span(text: SafeText, charset: Charset, style: Style, key?: number): ReactElement {
  return (
    <Text key={key} wrap="truncate" {...style}>
      {inCharset(text, charset)}
    </Text>
  );
}

/** Cells of one tone side by side are one piece of text: Ink's cost is by piece. */
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
  /** Columns of the screen; the line must not be wider. */
  width: number;
  /** Shown in reverse from edge to edge, in one tone. */
  selected?: boolean;
}

/** Draws one line. */
export function LineView({ line, width, selected = false }: LineViewProps): ReactElement {
  const look = useContext(LookContext);
  if (selected) {
    return (
      <Box width={width} height={1}>
        {span(joinText(line.map(part => part.text)), look.charset, { inverse: true })}
      </Box>
    );
  }
  const styles = look.light ? light : dark;
  return (
    <Box width={width} height={1}>
      {runsOf(line).map(({ text, tone }, i) => span(text, look.charset, styles[tone], i))}
    </Box>
  );
}

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
