/** Single components through ink-testing-library. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { render } from 'ink-testing-library';
import { cell } from '../../source/present/cell.ts';
import { LineView, LinesView, LookContext } from '../../source/ui/components/line.tsx';
import { ruleLine } from '../../source/ui/components/rule.ts';

const line = [cell('name', 'accent'), cell('  '), cell('✓ ok', 'good')];

test('a line is drawn in its width and never wraps', () => {
  assert.equal(render(<LineView line={line} width={20} />).lastFrame(), 'name  ✓ ok');
  assert.equal(
    render(<LineView line={[cell('a'.repeat(50))]} width={10} />)
      .lastFrame()
      ?.split('\n').length,
    1,
  );
});

test('lines stand below one another, empty ones included', () => {
  assert.equal(render(<LinesView lines={[line, [], line]} width={20} />).lastFrame(), 'name  ✓ ok\n\nname  ✓ ok');
});

test('an ASCII terminal gets ASCII', () => {
  const { lastFrame } = render(
    <LookContext value={{ charset: 'ascii', light: false, colour: false }}>
      <LineView line={[cell('→ 資…')]} width={20} selected />
    </LookContext>,
  );
  assert.equal(lastFrame(), '> ??~');
});

const text = (width: number, right = '') =>
  ruleLine([cell('Ports', 'title')], right, width, true)
    .map(part => part.text)
    .join('');

test('a rule is as wide as asked, and cuts its title before it overflows', () => {
  assert.equal(text(20, '1-5 of 9'), '─ Ports ─ 1-5 of 9 ─');
  assert.equal(text(12), '─ Ports ────');
  assert.equal(text(6), '─ Por…');
});
