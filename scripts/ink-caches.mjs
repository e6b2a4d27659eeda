// Lets Ink remember from one frame to the next what it computes of a text, its width and its characters with their styles,
// and compute it straight away of texts in printable ASCII, where one character takes one column.
// Ink 8 forgets all of it after every frame, which is most of what a frame of a full screen costs: hardly a text changes.
// The functions are pure, so nothing else changes. The edits fit the one version of Ink that package.json names: with
// another one the build fails rather than going without.
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');

/** Text of which every UTF-16 unit takes one column, as in source/terminal/width.ts. */
const narrow = String.raw`/^[\x20-\x7e✓✗●○◌‖↻→←↔↑↓·▌▏─│…↵×\u{FFFD}]*$/u`;

/** Holds what the last two frames asked for. */
const generations = `
class Generations {
    fresh = new Map();
    former = new Map();
    get(key) {
        let value = this.fresh.get(key);
        if (value === undefined) {
            value = this.former.get(key);
            if (value !== undefined) this.fresh.set(key, value);
        }
        return value;
    }
    set(key, value) {
        this.fresh.set(key, value);
    }
    turn() {
        this.former = this.fresh;
        this.fresh = new Map();
    }
}
`;

/**
 * Rows as they were drawn last: a row into which the same texts are written at the same columns is the same row. Only rows
 * that differ are made of cells anew. Clips and texts of several lines go the old way.
 */
const rowCache = `
class RowCache {
    rows = [];
    painted = new WeakMap();
    transformed(text, transformers) {
        if (transformers.length === 0) return text;
        if (transformers.length > 1) return transformers.reduce((line, transformer) => transformer(line, 0), text);
        const [transformer] = transformers;
        const known = this.painted.get(transformer);
        if (known?.text === text) return known.result;
        const result = transformer(text, 0);
        this.painted.set(transformer, { text, result });
        return result;
    }
    joined(row, width, caches) {
        let line = '';
        let column = 0;
        for (const { x, bare, text } of row) {
            if (x < column) return undefined;
            line += ' '.repeat(x - column) + text;
            column = x + caches.getStringWidth(bare);
        }
        return column > width ? undefined : line.trimEnd();
    }
    draw(output) {
        const { operations, width, height } = output;
        if (operations.some(({ type, text }) => type !== 'write' || text.includes('\\n'))) return undefined;
        const writes = Array.from({ length: height }, () => []);
        for (const { x, y, text, transformers } of operations) {
            writes[y]?.push({ x, bare: text, text: this.transformed(text, transformers) });
        }
        const before = this.rows;
        this.rows = writes.map((row, y) => {
            const old = before[y];
            const isSame = old !== undefined && old.width === width && old.row.length === row.length &&
                row.every(({ x, text }, index) => old.row[index].x === x && old.row[index].text === text);
            if (isSame) return old;
            const plain = this.joined(row, width, output.caches);
            if (plain !== undefined) return { width, row, line: plain };
            const cells = [Array.from({ length: width }, () => ({ type: 'char', value: ' ', fullWidth: false, styles: [] }))];
            for (const { x, text } of row) {
                output.applyWriteOperation(cells, { type: 'write', x, y: 0, text, transformers: [] });
            }
            const line = styledCharsToString(cells[0].filter(item => item !== undefined)).trimEnd();
            return { width, row, line };
        });
        return { output: this.rows.map(({ line }) => line).join('\\n'), height };
    }
}
`;

const edits = {
  'output.js': [
    [
      'class OutputCaches {',
      `${generations}${rowCache}class OutputCaches {\n    rows = new RowCache();\n    lines = new Generations();`,
    ],
    ['widths = new Map();', 'widths = new Generations();'],
    ['blockWidths = new Map();', 'blockWidths = new Generations();'],
    [
      'styledChars = new Map();',
      `styledChars = new Generations();
    turn() {
        for (const cache of [this.lines, this.widths, this.blockWidths, this.styledChars]) cache.turn();
        return this;
    }
    getLines(text, split) {
        let cached = this.lines.get(text);
        if (cached === undefined) {
            cached = split();
            this.lines.set(text, cached);
        }
        return cached;
    }`,
    ],
    [
      'cached = styledCharsFromTokens(tokenize(line))',
      `cached = /^[ -~]*$/.test(line)
                ? Array.from(line, value => ({ type: 'char', value, fullWidth: false, styles: [] }))
                : styledCharsFromTokens(tokenize(line))`,
    ],
    ['export default class Output {', 'const sharedCaches = new OutputCaches();\nexport default class Output {'],
    ['caches = new OutputCaches();', 'caches = sharedCaches.turn();'],
    [
      '    get() {\n        // Initialize output array',
      '    get() {\n        const drawn = this.caches.rows.draw(this);\n        if (drawn) return drawn;\n        // Initialize output array',
    ],
    ['cached = stringWidth(text);', `cached = ${narrow}.test(text) ? text.length : stringWidth(text);`],
    [
      'const characterLines = [[]];',
      'let lines = this.caches.getLines(text, () => {\n        const characterLines = [[]];',
    ],
    [
      'let lines = characterLines.map(line => styledCharsToString(line));',
      'return characterLines.map(line => styledCharsToString(line));\n        });',
    ],
  ],
  'log-update.js': [
    [
      "stream.write(buffer.join(''));",
      "stream.write(buffer.join('').replaceAll(/(?:\\u001B\\[E){2,}/g, moves => `\\u001B[${moves.length / 3}E`));",
    ],
    [
      `import lineUpdate from './line-update.js';`,
      `import lineUpdate from ${JSON.stringify(join(root, 'source', 'terminal', 'line-update.ts'))};`,
    ],
  ],
  'measure-text.js': [
    ['const width = widestLine(text);', `const width = ${narrow}.test(text) ? text.length : widestLine(text);`],
  ],
  'render-node-to-output.js': [
    ["import widestLine from 'widest-line';", "import measureText from './measure-text.js';"],
    ['widestLine(text)', 'measureText(text).width'],
  ],
};

/** The plugin for esbuild. */
export const inkCaches = {
  name: 'ink-caches',
  setup(pipeline) {
    pipeline.onLoad(
      { filter: /\/ink\/build\/(log-update|output|measure-text|render-node-to-output)\.js$/ },
      ({ path }) => {
        const name = path.slice(path.lastIndexOf('/') + 1);
        let text = readFileSync(path, 'utf8');
        for (const [from, to] of edits[name]) {
          if (text.split(from).length !== 2) throw new Error(`${path} does not have once: ${from}`);
          text = text.replace(from, () => to);
        }
        return { contents: text, loader: 'js' };
      },
    );
  },
};
