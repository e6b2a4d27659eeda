import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { test } from 'node:test';
import { pages } from '../scripts/docs.ts';

for (const [path, make] of Object.entries(pages)) {
  test(`docs/${basename(path)} says what the schema says (else: npm run docs)`, () => {
    assert.equal(readFileSync(path, 'utf8'), make());
  });
}

test('every test that docs/faults.md names is there', () => {
  const text = readFileSync(new URL('../docs/faults.md', import.meta.url), 'utf8');
  const named = [...new Set(text.match(/\b(?:live|e2e|ui)\/[a-z-]+/g))];
  assert.ok(named.length > 8);
  for (const name of named) assert.ok(existsSync(new URL(`${name}.test.ts`, import.meta.url)), name);
});
