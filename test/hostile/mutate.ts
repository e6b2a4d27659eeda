/** Damage to what a machine says, as fast-check arbitraries: torn, repeated, overwritten, of another type, far too big. */
import * as fc from 'fast-check';
import type { Recording } from '../../source/host/recording/format.ts';

/** One thing that is done to one answer. `which` picks the answer, `where` the place in it. */
export interface Damage {
  which: number;
  where: number;
  how: (text: string, at: number) => string;
}

const words = fc.constantFrom(
  '',
  '0',
  '-1',
  '99999999999999999999',
  '1e999',
  'NaN',
  'null',
  'true',
  '[]',
  '{}',
  '""',
  '[[[[[[[[]]]]]]]]',
  '{"__proto__":{"x":1}}',
  '\0',
  '\u{FFFD}',
  '\u{1B}[2J',
  '\n',
  '"',
  '\\',
  ' ',
  ':',
  '/',
  '../..',
  'constructor',
  '__proto__',
  '::',
  '0.0.0.0/0',
  'ffff',
  '*',
  'x'.repeat(70_000),
  '{'.repeat(5000),
);

/** The value that begins at or after a place in JSON. */
const valueAfter = (text: string, at: number): [number, number] | undefined => {
  const pattern = /:\s*("(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?|true|false|null|\[\]|\{\})/g;
  pattern.lastIndex = at;
  const match = pattern.exec(text);
  return match ? [match.index + match[0].length - match[1]!.length, match.index + match[0].length] : undefined;
};

const how: fc.Arbitrary<Damage['how']> = fc.oneof(
  fc.constant((text: string, at: number) => text.slice(0, at)),
  fc.constant((text: string, at: number) => text.slice(at)),
  fc.constant(() => ''),
  fc.constant((text: string, at: number) => text.slice(0, at) + text),
  words.map(word => (text: string, at: number) => text.slice(0, at) + word + text.slice(at)),
  words.map(word => (text: string, at: number) => text.slice(0, at) + word + text.slice(at + word.length)),
  // A number or a word becomes another one, so that what follows is still understood.
  words.map(word => (text: string, at: number) => text.slice(0, at) + text.slice(at).replace(/\w+/, () => word)),
  words.map(word => (text: string, at: number) => {
    const place = valueAfter(text, at);
    return place ? text.slice(0, place[0]) + word + text.slice(place[1]) : text;
  }),
  fc.constant((text: string, at: number) => {
    const lines = text.split('\n');
    lines.splice(at % lines.length, 1);
    return lines.join('\n');
  }),
  fc.constant((text: string, at: number) => {
    const lines = text.split('\n');
    lines.splice(at % lines.length, 0, lines[at % lines.length]!);
    return lines.join('\n');
  }),
);

export const damages: fc.Arbitrary<Damage[]> = fc.array(
  fc.record({ which: fc.nat(), where: fc.nat(), how }, { noNullPrototype: true }),
  { minLength: 1, maxLength: 12 },
);

export const damaged = (text: string, { where, how: change }: Damage): string =>
  change(text, where % (text.length + 1));

/** A copy of a recording with damaged answers. JSON that is no JSON any more becomes what Docker's client makes of it. */
export function damagedRecording(base: Recording, list: readonly Damage[]): Recording {
  const changed = structuredClone(base);
  const frame = changed.frames[0]!;
  const spots: ((damage: Damage) => void)[] = [];
  for (const [path, entry] of Object.entries(frame.files ?? {})) {
    if (typeof entry === 'string') spots.push(damage => (frame.files![path] = damaged(entry, damage)));
  }
  for (const [path, entry] of Object.entries(frame.links ?? {})) {
    if (typeof entry === 'string') spots.push(damage => (frame.links![path] = damaged(entry, damage)));
  }
  for (const entry of Object.values(frame.tools ?? {})) {
    if (!('stdout' in entry)) continue;
    const spot = (damage: Damage) => {
      entry.stdout = damaged(entry.stdout, damage);
      if (damage.where % 7 === 0) entry.code = 1;
    };
    // There are few of them, and much hangs on each.
    for (let i = 0; i < 8; i += 1) spots.push(spot);
  }
  for (const [path, entry] of Object.entries(frame.docker ?? {})) {
    const spot = (damage: Damage) => {
      const text = damaged(JSON.stringify('answer' in entry ? entry.answer : null), damage);
      try {
        frame.docker![path] = { answer: JSON.parse(text) as unknown };
      } catch {
        frame.docker![path] = { error: 'failed', message: `what Docker answered to ${path} is no JSON` };
      }
    };
    for (let i = 0; i < 4; i += 1) spots.push(spot);
  }
  for (const damage of list) spots[damage.which % spots.length]!(damage);
  return changed;
}
