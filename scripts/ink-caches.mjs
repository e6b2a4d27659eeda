// Lets Ink remember from one frame to the next what it computes of a text, its width and its characters with their styles,
// and compute it straight away of texts in printable ASCII, where one character takes one column.
// Ink 8 forgets all of it after every frame, which is most of what a frame of a full screen costs: hardly a text changes.
// The functions are pure, so nothing else changes. The edits fit the one version of Ink that package.json names: with
// another one the build fails rather than going without.
import { readFileSync } from 'node:fs';

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

const edits = {
  'output.js': [
    ['class OutputCaches {', `${generations}class OutputCaches {\n    lines = new Generations();`],
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
      'const characterLines = [[]];',
      'let lines = this.caches.getLines(text, () => {\n        const characterLines = [[]];',
    ],
    [
      'let lines = characterLines.map(line => styledCharsToString(line));',
      'return characterLines.map(line => styledCharsToString(line));\n        });',
    ],
  ],
  'measure-text.js': [
    ['const width = widestLine(text);', 'const width = /^[ -~]*$/.test(text) ? text.length : widestLine(text);'],
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
    pipeline.onLoad({ filter: /\/ink\/build\/(output|measure-text|render-node-to-output)\.js$/ }, ({ path }) => {
      const name = path.slice(path.lastIndexOf('/') + 1);
      let text = readFileSync(path, 'utf8');
      for (const [from, to] of edits[name]) {
        if (text.split(from).length !== 2) throw new Error(`${path} does not have once: ${from}`);
        text = text.replace(from, () => to);
      }
      return { contents: text, loader: 'js' };
    });
  },
};
