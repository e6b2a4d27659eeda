/** Lines made of independent statements that shorten and give way when there is no room, as header and footer are. */
import { cell } from './cell.ts';
import type { Cell, Line } from './cell.ts';
import { cutLine, lineWidth } from './layout.ts';

/** One statement, in its forms from the longest to the shortest; an empty form leaves it out. */
export interface Segment {
  /** 1 is shortened last. */
  priority: number;
  forms: readonly Line[];
}

const gap = cell('  ');

function joined(lines: readonly Line[]): Cell[] {
  return lines.filter(line => line.length > 0).flatMap((line, i) => (i === 0 ? [...line] : [gap, ...line]));
}

/**
 * As many statements as fit in `width`, in the order given: first as many as possible in their shortest forms, the less
 * important ones left out, then the more important ones in longer forms.
 */
export function fitSegments(segments: readonly Segment[], width: number): Line {
  const chosen = segments.map(segment => segment.forms.length - 1);
  const compose = () => joined(segments.map((segment, i) => segment.forms[chosen[i]!] ?? []));
  const isTooWide = () => lineWidth(compose()) > width;
  const order = segments.map((_segment, i) => i).sort((a, b) => segments[a]!.priority - segments[b]!.priority);
  for (const i of order.toReversed()) {
    if (isTooWide()) chosen[i] = segments[i]!.forms.length;
  }
  for (const i of order) {
    const shortest = chosen[i]!;
    if (shortest >= segments[i]!.forms.length) continue;
    let form = 0;
    for (chosen[i] = 0; form < shortest && isTooWide(); chosen[i] = form) form += 1;
  }
  return cutLine(compose(), width);
}

/** Two lines on one: `right` stands at the right edge as long as it fits beside `left`. */
export function spread(left: Line, right: Line, width: number): Line {
  const space = width - lineWidth(left) - lineWidth(right);
  return space < 1 ? cutLine(left, width) : [...left, cell(' '.repeat(space)), ...right];
}
