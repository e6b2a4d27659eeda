/**
 * Lines that are wider than the terminal thinks they are. Terminals differ on how wide some characters are; a line that one
 * takes for wider than it was laid out would run over into the next and push the screen up. While netdash has the screen,
 * the terminal is told to cut such a line off at its edge instead (DECAWM, DEC private mode 7).
 */
const enter = '\u{1B}[?1049h';
const leave = '\u{1B}[?1049l';
const cut = '\u{1B}[?7l';
const wrap = '\u{1B}[?7h';

/** What is written to the terminal, with wrapping off for as long as the own screen (DEC private mode 1049) is shown. */
export function withoutWrapping(text: string): string {
  if (!text.includes('[?1049')) return text;
  return text.replaceAll(enter, enter + cut).replaceAll(leave, wrap + leave);
}
