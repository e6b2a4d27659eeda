/**
 * The way to the terminal. Node blocks the whole process while a slow line takes a frame (seconds over a bad SSH
 * connection); this output never blocks, and says when the last frame is through, so that no frame is made before.
 */
import { Writable } from 'node:stream';
import { sizeOf } from './detect.ts';

/** A stand-in for a terminal's stdout. Give it to Ink; it is a TTY of at least 1x1 whatever the real one says. */
export class TerminalOutput extends Writable {
  readonly isTTY = true;
  readonly #stream: NodeJS.WriteStream;
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
    return this.writableLength > 0;
  }

  /** Calls back once, when nothing is left to write. */
  whenIdle(callback: () => void): void {
    if (this.busy) this.once('idle', callback);
    else callback();
  }

  /** Gives the stream back as it was. */
  release(): void {
    this.#stream.off('resize', this.#onResize);
    this.#stream.off('error', this.#onError);
    this.#setBlocking(true);
  }

  override _write(chunk: string | Buffer, encoding: BufferEncoding, callback: (error?: Error | null) => void): void {
    this.#stream.write(chunk, encoding, error => {
      callback(error);
      queueMicrotask(() => {
        if (!this.busy) this.emit('idle');
      });
    });
  }

  #setBlocking(on: boolean): void {
    // Node keeps the handle to itself; a stream that is no terminal has none.
    const handle = Reflect.get(this.#stream, '_handle') as { setBlocking?: (on: boolean) => unknown } | undefined;
    handle?.setBlocking?.(on);
  }
}
