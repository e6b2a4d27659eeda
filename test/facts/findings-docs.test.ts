import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { it } from 'node:test';
import { detectors } from '../../source/facts/findings/index.ts';

const docs = readFileSync(new URL('../../docs/findings.md', import.meta.url), 'utf8');

it('has a section in docs/findings.md for each detector, with its severity, and none besides', () => {
  const sections = docs
    .split(/^## /m)
    .slice(1)
    .map(text => [text.split('\n')[0], text] as const);
  assert.deepEqual(
    sections.map(([code]) => code ?? '').toSorted((a, b) => a.localeCompare(b)),
    detectors.map(({ code }) => code).toSorted((a, b) => a.localeCompare(b)),
  );
  const texts = new Map(sections);
  for (const { code, severity } of detectors) {
    const text = texts.get(code) ?? '';
    assert.match(text, new RegExp(`^Severity: ${severity}\\.$`, 'm'), code);
    for (const part of ['What', 'Why it matters', 'Confirm by hand', 'Fix']) {
      assert.ok(text.includes(`**${part}.**`), `${code} does not say: ${part}`);
    }
    assert.match(docs, new RegExp(`^\\| \\[${code}\\]\\(#${code}\\) +\\| ${severity} +\\|`, 'm'), code);
  }
});

it('lists every detector file, each code once', () => {
  const folder = new URL('../../source/facts/findings/', import.meta.url);
  const files = readdirSync(folder).filter(name => {
    const text = readFileSync(new URL(name, folder), 'utf8');
    return /^export const \w+: Detector = /m.test(text);
  });
  assert.equal(files.length, detectors.length);
  assert.equal(new Set(detectors.map(({ code }) => code)).size, detectors.length);
});
