/** The way from the terminal: what is typed goes on to Ink, what the terminal answers does not. */
import { Readable } from 'node:stream';
import { statusAnswer } from './output.ts';

/** A stand-in for a terminal's stdin. */
export class TerminalInput extends Readable {
  readonly isTTY = true;
  readonly #stream: NodeJS.ReadStream;
  readonly #onAnswer: () => void;
  /** The end of what came before, of an answer that may have been cut in two. */
  #tail = '';
  readonly #onData = (data: Buffer | string): void => {
    // Bytes as they are: characters that were cut in two are put together where they are read.
    const text = Buffer.isBuffer(data) ? data.toString('latin1') : Buffer.from(data).toString('latin1');
    const whole = this.#tail + text;
    this.#tail = whole.slice(-(statusAnswer.length - 1));
    if (whole.includes(statusAnswer)) {
      this.#tail = '';
      this.#onAnswer();
    }
    // One that was cut in two goes on in part; Ink passes over answers that it knows nothing of.
    const typed = text.replaceAll(statusAnswer, '');
    if (typed !== '' && !this.push(Buffer.from(typed, 'latin1'))) this.#stream.pause();
  };
  readonly #onEnd = (): void => {
    this.push(null);
  };

  /** @param onAnswer called for an answer to `TerminalOutput`'s question */
  constructor(stream: NodeJS.ReadStream, onAnswer: () => void) {
    super();
    this.#stream = stream;
    this.#onAnswer = onAnswer;
    stream.on('data', this.#onData).once('end', this.#onEnd);
  }

  setRawMode(on: boolean): this {
    this.#stream.setRawMode(on);
    return this;
  }

  ref(): this {
    this.#stream.ref();
    return this;
  }

  unref(): this {
    this.#stream.unref();
    return this;
  }

  /** Gives the stream back. */
  release(): void {
    this.#stream.off('data', this.#onData).off('end', this.#onEnd);
    this.#stream.pause();
  }

  override _read(): void {
    this.#stream.resume();
  }
}
