import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { glyphs, toAscii } from '../../source/terminal/charset.ts';
import { clipboardSequence } from '../../source/terminal/clipboard.ts';
import { jsonText } from '../../source/terminal/json-text.ts';
import { asLines, asParagraph, sanitise } from '../../source/terminal/sanitise.ts';
import { fit, truncate, widthOf, widthWithin, wrap } from '../../source/terminal/width.ts';

const anyText = fc.string({ unit: 'binary', maxLength: 80 });

test('sanitise leaves nothing that a terminal acts on', () => {
  assert.equal(sanitise('a\u{1B}[31mb\u{9B}2Jc'), 'a�[31mb�2Jc');
  assert.equal(sanitise('one\r\ntwo\tthree'), 'one��two three');
  assert.equal(sanitise('file\u{202E}gpj.exe\u{2066}\u{200B}'), 'file�gpj.exe��');
  assert.equal(sanitise('a\u{2028}b\u{FEFF}'), 'a�b�');
  assert.equal(sanitise('x\ud800y'), 'x�y');
  assert.equal(sanitise('資料庫 héllo'), '資料庫 héllo');
});

test('sanitise keeps text of any kind free of controls, formats and separators', () => {
  fc.assert(
    fc.property(anyText, text => {
      assert.doesNotMatch(sanitise(text), /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\p{Cn}]/u);
    }),
  );
});

test('what only some terminals draw as one is taken apart, what can be composed is composed', () => {
  assert.equal(sanitise('👍\u{1F3FD}'), '👍�');
  assert.equal(sanitise('👩\u{200D}💻'), '👩�💻');
  assert.equal(sanitise('\u{1F1E9}\u{1F1EA}'), '��');
  assert.equal(sanitise('한국'.normalize('NFD')), '한국');
  assert.equal(widthOf(sanitise('\u{1112}\u{1161}x')), 3);
});

test('JSON gives every value back, and holds nothing that a terminal acts on', () => {
  fc.assert(
    fc.property(fc.jsonValue({ stringUnit: 'binary' }), fc.boolean(), (value, isIndented) => {
      const text = jsonText({ value }, isIndented ? 2 : undefined);
      assert.deepEqual(JSON.parse(text), JSON.parse(JSON.stringify({ value })));
      assert.doesNotMatch(text.replaceAll('\n', ''), /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u);
      assert.equal(text.indexOf('\n') === text.length - 1, !isIndented);
    }),
  );
  assert.equal(jsonText('\u{9B}31m\u{202E}\u{7F}\u{E0041}'), String.raw`"\u009b31m\u202e\u007f\udb40\udc41"` + '\n');
  assert.equal(jsonText(undefined), 'null\n');
});

test('text for the clipboard has no line break at its end', () => {
  assert.equal(asParagraph([sanitise('a\n'), sanitise('b')]), 'a�\nb');
  assert.equal(asLines([sanitise('a'), sanitise('b')]), 'a\nb\n');
});

test('sanitise bounds length and heaps of marks', () => {
  assert.equal(sanitise('x'.repeat(9000)).length, 4096);
  assert.ok(sanitise(`z${'\u{301}'.repeat(50)}`).length < 6);
});

test('fit gives exactly the width asked for, whatever the text', () => {
  fc.assert(
    fc.property(anyText, fc.integer({ min: 0, max: 30 }), (text, width) => {
      assert.equal(widthOf(fit(sanitise(text), width)), width);
      assert.equal(widthOf(fit(sanitise(text), width, 'right')), width);
    }),
  );
});

test('text of any length is measured as far as it matters', () => {
  fc.assert(
    fc.property(anyText, fc.integer({ min: 0, max: 30 }), fc.nat(60), (text, limit, times) => {
      const clean = sanitise(text.repeat(times));
      const [whole, within] = [widthOf(clean), widthWithin(clean, limit)];
      assert.ok(whole <= limit ? within === whole : within >= limit, `${whole} columns, ${within} within ${limit}`);
    }),
  );
});

test('a wide character is never cut in half', () => {
  assert.equal(truncate(sanitise('資料庫'), 5), '資料…');
  assert.equal(truncate(sanitise('資料庫'), 4), '資…');
  assert.equal(fit(sanitise('資料庫'), 4), '資… ');
});

test('wrap keeps every word and no line is too wide', () => {
  fc.assert(
    fc.property(fc.array(fc.string({ minLength: 1, maxLength: 12 }), { maxLength: 12 }), words => {
      const text = words.map(word => sanitise(word)).join(' ');
      const lines = wrap(text, 20, 4);
      assert.ok(lines.every((line, i) => widthOf(line) <= (i === 0 ? 20 : 16)));
      assert.equal(lines.join('').replaceAll(' ', ''), text.replaceAll(' ', ''));
    }),
  );
});

test('every glyph has an ASCII stand-in of the same width', () => {
  for (const glyph of Object.values(glyphs)) {
    const ascii = toAscii(sanitise(glyph));
    assert.match(ascii, /^[\x20-\x7e]$/, glyph);
    assert.notEqual(ascii, '?', glyph);
  }
  assert.equal(toAscii(sanitise('資→ok…')), '??>ok~');
});

test('the clipboard sequence carries the text in base64, and nothing too long for terminals', () => {
  assert.equal(clipboardSequence(sanitise('wéb')), `\u{1B}]52;c;${Buffer.from('wéb').toString('base64')}\u{7}`);
  assert.equal(clipboardSequence(sanitise('x'.repeat(80_000), 80_000)), undefined);
});
