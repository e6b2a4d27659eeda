/** The unit of everything netdash shows: a piece of text with a tone, made harmless when it is made. */
import { joinText, sanitise, trimEnd, type SafeText } from '../terminal/sanitise.ts';

/**
 * What a piece of text means, from which the screen takes its colour. Never the only carrier of that meaning. `mark` is
 * what must not be overlooked, such as that this is a recording.
 */
export type Tone = 'plain' | 'dim' | 'good' | 'warn' | 'bad' | 'info' | 'accent' | 'title' | 'mark';

export interface Cell {
  readonly text: SafeText;
  readonly tone: Tone;
}

/** One line of a document: cells side by side. */
export type Line = readonly Cell[];

/** Makes a cell of any text. What must not reach a terminal is replaced (terminal/sanitise.ts). */
export function cell(text: string | number, tone: Tone = 'plain'): Cell {
  return { text: sanitise(String(text)), tone };
}

/** A class, for an object with getters of its own has a shape of its own, which takes several times its room. */
class LazyCell implements Cell {
  #make: (() => Cell) | undefined;
  #made: Cell | undefined;

  constructor(make: () => Cell) {
    this.#make = make;
  }

  get text(): SafeText {
    return this.#cell().text;
  }

  get tone(): Tone {
    return this.#cell().tone;
  }

  #cell(): Cell {
    if (!this.#made) {
      this.#made = this.#make!();
      // What it was made of may go.
      this.#make = undefined;
    }
    return this.#made;
  }
}

/** A cell that costs something to make: it is made when somebody looks at it. */
export const lazyCell = (make: () => Cell): Cell => new LazyCell(make);

/** A cell for a value that cannot be known: `unknown: <reason>`, never blank. */
export function unknownCell(reason?: string): Cell {
  return cell(reason ? `unknown: ${reason}` : 'unknown', 'dim');
}

/** A line as text, without the spaces at its end. */
export function lineText(line: Line): SafeText {
  return trimEnd(joinText(line.map(({ text }) => text)));
}
