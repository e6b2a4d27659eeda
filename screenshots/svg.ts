/** A terminal's screen as a picture: SVG by hand, PNG through resvg. Every glyph gets its own x, so columns stay true in any font. */
import { Resvg } from '@resvg/resvg-js';

/** One cell of the screen; colours are ANSI numbers 0-15, absent for the default. */
export interface PictureCell {
  text: string;
  /** Columns: 1, or 2 for a wide character. */
  width: number;
  foreground?: number;
  bold: boolean;
  dim: boolean;
  inverse: boolean;
}

/** The sixteen colours of GitHub's dark theme. */
const palette = [
  '#484f58',
  '#ff7b72',
  '#3fb950',
  '#d29922',
  '#58a6ff',
  '#bc8cff',
  '#39c5cf',
  '#b1bac4',
  '#6e7681',
  '#ffa198',
  '#56d364',
  '#e3b341',
  '#79c0ff',
  '#d2a8ff',
  '#56d4dd',
  '#ffffff',
];
const background = '#0d1117';
const foreground = '#c9d1d9';
const bright = '#f0f6fc';

const size = { cell: 8.4, line: 18, font: 14, padding: 14 };

const escapeXml = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');

function colourOf(cell: PictureCell): string {
  if (cell.foreground === undefined) return cell.bold ? bright : foreground;
  return palette[cell.foreground + (cell.bold && cell.foreground < 8 ? 8 : 0)] ?? foreground;
}

/** Lines drawn rather than set, since fonts leave gaps between them. */
function drawn(text: string, x: number, y: number, width: number, colour: string): string | undefined {
  const middle = y + size.line / 2;
  if (text === '─') return `<path d="M${x} ${middle}h${width}" stroke="${colour}" stroke-width="1"/>`;
  if (text === '│') return `<path d="M${x + width / 2} ${y}v${size.line}" stroke="${colour}" stroke-width="1"/>`;
  if (text === '▌') return `<rect x="${x}" y="${y}" width="${width / 2}" height="${size.line}" fill="${colour}"/>`;
  if (text === '▏')
    return `<rect x="${x}" y="${y + 2}" width="${width / 5}" height="${size.line - 4}" fill="${colour}"/>`;
  return undefined;
}

function rowSvg(row: readonly PictureCell[], y: number): string {
  const parts: string[] = [];
  let x = size.padding;
  for (const cell of row) {
    const width = size.cell * cell.width;
    const colour = colourOf(cell);
    const opacity = cell.dim ? ' opacity="0.55"' : '';
    if (cell.inverse)
      parts.push(
        `<rect x="${x.toFixed(1)}" y="${y}" width="${(width + 0.3).toFixed(1)}" height="${size.line}" fill="${colour}"/>`,
      );
    if (cell.text !== ' ') {
      const ink = cell.inverse ? background : colour;
      const weight = cell.bold ? ' font-weight="bold"' : '';
      const glyph = drawn(cell.text, x, y, width, ink);
      parts.push(
        glyph
          ? `<g${opacity}>${glyph}</g>`
          : `<text x="${x.toFixed(1)}" y="${y + size.line * 0.74}" fill="${ink}"${weight}${opacity}>${escapeXml(cell.text)}</text>`,
      );
    }
    x += width;
  }
  return parts.join('');
}

/** The screen as an SVG document. @param cells rows of cells, as `VirtualTerminal.cells` gives them */
export function screenToSvg(cells: readonly (readonly PictureCell[])[], title?: string): string {
  const columns = Math.max(...cells.map(row => row.reduce((sum, cell) => sum + cell.width, 0)));
  const width = columns * size.cell + 2 * size.padding;
  const height = cells.length * size.line + 2 * size.padding;
  const rows = cells.map((row, i) => rowSvg(row, size.padding + i * size.line));
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="'DejaVu Sans Mono', Menlo, Consolas, monospace" font-size="${size.font}">`,
    title === undefined ? '' : `<title>${escapeXml(title)}</title>`,
    `<rect width="100%" height="100%" rx="8" fill="${background}"/>`,
    ...rows,
    '</svg>',
  ].join('\n');
}

/** An SVG as PNG. @param zoom how many times as large: by default twice, which is sharp on any screen */
export function svgToPng(svg: string, zoom = 2): Buffer {
  const resvg = new Resvg(svg, {
    fitTo: { mode: 'zoom', value: zoom },
    font: { loadSystemFonts: true, defaultFontFamily: 'DejaVu Sans Mono' },
  });
  return Buffer.from(resvg.render().asPng());
}
