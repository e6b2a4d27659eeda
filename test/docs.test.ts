import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { test } from 'node:test';
import { pages } from '../scripts/docs.ts';

for (const [path, make] of Object.entries(pages)) {
  test(`docs/${basename(path)} says what the schema says (else: npm run docs)`, () => {
    assert.equal(readFileSync(path, 'utf8'), make());
  });
}
