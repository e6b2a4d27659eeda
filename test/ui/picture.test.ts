import assert from 'node:assert/strict';
import { test } from 'node:test';
import { screenToSvg, svgToPng } from '../../screenshots/svg.ts';
import type { PictureCell } from '../../screenshots/svg.ts';

const row = (text: string, style: Partial<PictureCell> = {}): PictureCell[] =>
  Array.from(text, character => ({ text: character, width: 1, bold: false, dim: false, inverse: false, ...style }));

test('a screen becomes an SVG with a glyph per cell, markup escaped', () => {
  const svg = screenToSvg([row('a<b'), row('x', { inverse: true, foreground: 5 })], 'lab & co');
  assert.equal(svg.match(/<text /g)?.length, 4);
  assert.match(svg, />&lt;<\/text>/);
  assert.match(svg, /<title>lab &amp; co<\/title>/);
  assert.equal(svg.match(/<rect /g)?.length, 2);
});

test('the SVG becomes a PNG of twice its size', () => {
  const svg = screenToSvg([row('netdash')]);
  const png = svgToPng(svg);
  assert.deepEqual([...png.subarray(1, 4)], [...Buffer.from('PNG')]);
  const width = Number(/width="([\d.]+)"/.exec(svg)![1]);
  assert.equal(png.readUInt32BE(16), Math.round(width * 2));
});
