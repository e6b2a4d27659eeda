/**
 * The way to the terminal. Node blocks the whole process while a slow line takes a frame (seconds over a bad SSH
 * connection); this output never blocks, and says when the last frame is through, so that no frame is made before.
 *
 * That the kernel has taken a frame says little: a pty holds 8 kB of it, and sshd and the network more, which on a slow
 * line are seconds. So the terminal itself is asked after each frame whether it is well (DSR 5, ECMA-48 8.3.35): what it
 * answers, it answers when all before has reached it. A terminal that does not answer is believed through the kernel.
 */
import { Writable } from 'node:stream';
import { sizeOf } from './detect.ts';
import { withoutWrapping } from './wrapping.ts';

/** The question, and the answer of a terminal in order (`TerminalInput` looks for it). */
const question = '\u{1B}[5n';
export const statusAnswer = '\u{1B}[0n';

/** An answer that is not there so much later than the slowest line would bring it is not waited for any longer. */
const patienceMs = 5000;
const slowestBytesPerMs = 0.5;
/** How often a queue that does not get shorter is looked at, before it counts as stuck. */
const stuckMs = 3000;
const lookMs = 100;

/** A stand-in for a terminal's stdout. Give it to Ink; it is a TTY of at least 1x1 whatever the real one says. */
export class TerminalOutput extends Writable {
  readonly isTTY = true;
  readonly #stream: NodeJS.WriteStream;
  /** Whether questions are asked at all, and whether this terminal answers them, as far as is known. */
  #asking = false;
  #answers = false;
  #hasAnswered = false;
  /** A question is on its way; something was written after it. */
  #asked = false;
  #unasked = false;
  #bytes = 0;
  #timer: NodeJS.Timeout | undefined;
  readonly #onResize = (): void => {
    this.emit('resize');
  };
  readonly #onError = (error: Error): void => {
    this.destroy(error);
  };

  constructor(stream: NodeJS.WriteStream) {
    super({ decodeStrings: false });
    this.#stream = stream;
    this.#setBlocking(false);
    stream.on('resize', this.#onResize);
    // EPIPE and EIO: whoever looked is gone. `closed` tells; unheard, the event would end the process with a trace.
    stream.on('error', this.#onError);
    this.on('error', () => undefined);
  }

  get columns(): number {
    return sizeOf(this.#stream).columns;
  }

  get rows(): number {
    return sizeOf(this.#stream).rows;
  }

  /** Whether some of what was written has not reached the terminal yet. */
  get busy(): boolean {
    return this.writableLength > 0 || (this.#answers && (this.#asked || this.#unasked));
  }

  /** Calls back once, when nothing is left to write. */
  whenIdle(callback: () => void): void {
    if (this.busy) this.once('idle', callback);
    else callback();
  }

  /** Begins to ask. From now on whoever reads the terminal's input must tell `answered`, and the terminal must be raw. */
  startAsking(): void {
    if (this.#asking) return;
    this.#asking = true;
    this.#ask();
  }

  /** Takes the terminal's answer: what was written before the question is on screen. */
  answered(): void {
    clearTimeout(this.#timer);
    this.#answers = true;
    this.#hasAnswered = true;
    this.#asked = false;
    if (this.#unasked) this.#ask();
    this.#tellIdle();
  }

  /**
   * Ends asking, before the terminal is given to somebody else: an answer would come to them as if typed. Resolves when
   * none is to come any more, or when it has taken too long.
   */
  async stopAsking(longestMs = 2000): Promise<void> {
    this.#asking = false;
    this.#unasked = false;
    if (!this.#asked || !this.#answers || this.destroyed) return;
    await this.#idle(longestMs);
    if (this.#asked) this.#giveUp();
  }

  /** Resolves when all is written, or nobody is there to take it: true; when nothing moves any more: false. */
  async flushed(): Promise<boolean> {
    let [left, since] = [Infinity, performance.now()];
    while (this.writableLength > 0 && !this.destroyed) {
      const now = this.#queued();
      if (now < left) [left, since] = [now, performance.now()];
      else if (performance.now() - since > stuckMs) return false;
      await this.#idle(lookMs);
    }
    return true;
  }

  /** Gives the stream back as it was. */
  release(): void {
    this.#asking = false;
    clearTimeout(this.#timer);
    this.#stream.off('resize', this.#onResize);
    this.#stream.off('error', this.#onError);
    this.#setBlocking(true);
  }

  override _write(chunk: string | Buffer, encoding: BufferEncoding, callback: (error?: Error | null) => void): void {
    if (chunk !== question) this.#afterwards(chunk.length);
    this.#stream.write(typeof chunk === 'string' ? withoutWrapping(chunk) : chunk, encoding, error => {
      callback(error);
      queueMicrotask(() => this.#tellIdle());
    });
  }

  /** A frame is several writes: the question follows the last of them. */
  #afterwards(bytes: number): void {
    this.#bytes += bytes;
    if (!this.#asking || bytes === 0 || this.#unasked) return;
    this.#unasked = true;
    if (!this.#asked && this.#hasAnswered) setImmediate(() => this.#ask());
  }

  #ask(): void {
    if (!this.#asking || this.#asked || this.destroyed) return;
    this.#asked = true;
    this.#unasked = false;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#giveUp(), patienceMs + this.#bytes / slowestBytesPerMs);
    this.#timer.unref();
    this.#bytes = 0;
    this.write(question);
  }

  /** This terminal does not answer, or no longer. If it does so after all, it is waited for again. */
  #giveUp(): void {
    clearTimeout(this.#timer);
    this.#answers = false;
    this.#asked = false;
    this.#tellIdle();
  }

  #tellIdle(): void {
    if (!this.busy) this.emit('idle');
  }

  /** Resolves with the next time that nothing is left to write, or after so long. */
  async #idle(longestMs: number): Promise<void> {
    await new Promise<void>(resolve => {
      const done = (): void => {
        clearTimeout(timer);
        this.off('idle', done);
        resolve();
      };
      const timer = setTimeout(done, longestMs);
      this.once('idle', done);
    });
  }

  /** Bytes that the kernel has not taken. */
  #queued(): number {
    const handle = Reflect.get(this.#stream, '_handle') as { writeQueueSize?: number } | undefined;
    return this.writableLength + (handle?.writeQueueSize ?? 0);
  }

  #setBlocking(on: boolean): void {
    // Node keeps the handle to itself; a stream that is no terminal has none.
    const handle = Reflect.get(this.#stream, '_handle') as { setBlocking?: (on: boolean) => unknown } | undefined;
    handle?.setBlocking?.(on);
  }
}
