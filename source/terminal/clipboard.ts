/** The clipboard of whoever looks at the terminal, through OSC 52: also over SSH, where no clipboard program can reach it. */

import type { SafeOutput } from './sanitise.ts';

declare const sequence: unique symbol;

/** Control sequences of netdash's own, for the terminal as they are. */
export type TerminalSequence = string & { readonly [sequence]: true };

/** Terminals drop longer sequences (xterm's limit is the smallest in use). */
const limit = 74_994;

/**
 * The sequence that sets the clipboard to `text`, for writing to the terminal as it is; undefined when `text` is too long
 * for terminals to take. tmux passes it on with `set-clipboard on` (its default is `external`, which also does).
 */
export function clipboardSequence(text: SafeOutput): TerminalSequence | undefined {
  const encoded = Buffer.from(text, 'utf8').toString('base64');
  return encoded.length > limit ? undefined : (`\u{1B}]52;c;${encoded}\u{7}` as TerminalSequence);
}
