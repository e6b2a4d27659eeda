/**
 * What the operator asked for cannot be done as asked (a malformed address, an unknown context, a file that is no
 * recording). `message` is one line: what is wrong, where it came from, what to do. Ends a command with exit code 2.
 */
export class UsageError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'UsageError';
  }
}
