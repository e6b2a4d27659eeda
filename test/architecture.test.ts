/** Imports may only point to the left in host → facts → live → present → (ui | commands); see docs/architecture.md. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const source = join(root, 'source');

/** What each layer may import besides itself; `types` may be imported as types only. */
const allowed: Record<string, { values: string[]; types: string[] }> = {
  loop: { values: [], types: [] },
  host: { values: ['loop'], types: [] },
  facts: { values: [], types: ['host'] },
  live: { values: ['loop', 'host', 'facts'], types: [] },
  terminal: { values: [], types: [] },
  present: { values: ['terminal'], types: ['facts', 'live', 'host'] },
  ui: { values: ['loop', 'present', 'terminal'], types: ['facts', 'live', 'host'] },
  commands: { values: ['host', 'live', 'present', 'terminal', 'ui', 'facts', 'demo'], types: [] },
  demo: { values: [], types: ['host'] },
};

const files = readdirSync(source, { recursive: true, withFileTypes: true })
  .filter(entry => entry.isFile() && /\.tsx?$/.test(entry.name))
  .map(entry => join(entry.parentPath, entry.name));

const importPattern = /^(?:import|export)\s+(type\s+)?(?:[^'";]*?\sfrom\s+)?'([^']+)'|import\('([^']+)'\)/gm;

test('every source file belongs to a layer and imports only what its layer may', () => {
  assert.ok(files.length > 30, `only ${files.length} source files found`);
  const wrong: string[] = [];
  for (const file of files) {
    const layer = relative(source, file).split('/')[0]!;
    const rule = allowed[layer];
    if (!rule) {
      wrong.push(`${relative(root, file)}: no layer ${layer}`);
      continue;
    }
    for (const match of readFileSync(file, 'utf8').matchAll(importPattern)) {
      const specifier = match[2] ?? match[3]!;
      if (!specifier.startsWith('.')) continue;
      const target = relative(source, resolve(dirname(file), specifier)).split('/')[0]!;
      // The contract between host and everything else: types, and the list of the sources' names.
      if (resolve(dirname(file), specifier) === join(source, 'host', 'readings.ts') && rule.types.includes('host'))
        continue;
      if (target === layer || rule.values.includes(target) || (match[1] && rule.types.includes(target))) continue;
      wrong.push(`${relative(root, file)}: imports ${specifier}${match[1] ? ' (types)' : ''}`);
    }
  }
  assert.deepEqual(wrong, []);
});

test('only host/ and the state of live/ touch the machine', () => {
  // isIP of node:net only parses.
  const machine =
    /^(?!import \{ isIP(?:v[46])?(?:, isIP(?:v[46])?)* \}).*from '(?:node:(?:fs|child_process|net|dgram|http|https|tls)[^']*|dockerode|systeminformation)'/m;
  const touching = files
    .filter(file => machine.test(readFileSync(file, 'utf8')))
    .map(file => relative(source, file))
    .filter(file => !file.startsWith('host/') && !file.startsWith('live/state'));
  // Commands may read a recording that the user names.
  assert.deepEqual(
    touching.filter(file => !/^commands\/|^demo\//.test(file)),
    [],
  );
});

test('facts and present know no clock', () => {
  const clock = /\bDate\.now\(|new Date\(\)|performance\.now\(|setTimeout\(|setInterval\(|Math\.random\(/;
  const impure = files
    .filter(file => /^(facts|present)\//.test(relative(source, file)))
    .filter(file => clock.test(readFileSync(file, 'utf8')))
    .map(file => relative(source, file));
  assert.deepEqual(impure, []);
});

test('only terminal/ vouches for text: what is drawn, printed or copied has been through the sanitiser', () => {
  const vouching = files
    .filter(file =>
      /\bas (?:unknown as )?(?:SafeText|SafeOutput|TerminalSequence)\b|<(?:SafeText|SafeOutput)>\s*[(\w]/.test(
        readFileSync(file, 'utf8'),
      ),
    )
    .map(file => relative(source, file));
  assert.ok(vouching.length > 0);
  assert.deepEqual(
    vouching.filter(file => !file.startsWith('terminal/')),
    [],
  );
});

test('nothing reaches the terminal beside the typed ways', () => {
  const ways: Record<string, { pattern: RegExp; files: string[] }> = {
    'text in Ink': {
      pattern: /\bText\b[^'\n]*\} from 'ink'|\b(?:Static|Transform|useStdout|useStderr)\b[^'\n]*\} from 'ink'/,
      files: ['ui/components/line.tsx'],
    },
    'standard streams': { pattern: /\bprocess\.std(?:out|err)\b|\bconsole\./, files: ['ui/dashboard.tsx'] },
    // TerminalOutput is what Ink writes its frames to.
    'a stream of any text': {
      pattern: /\bWritable\b|\bWriteStream\b/,
      files: ['terminal/output.ts', 'ui/dashboard.tsx'],
    },
  };
  for (const [way, { pattern, files: expected }] of Object.entries(ways)) {
    const using = files
      .filter(file => pattern.test(readFileSync(file, 'utf8')))
      .map(file => relative(source, file))
      .sort();
    assert.deepEqual(using, expected, way);
  }
});
