/** The smallest store that useSyncExternalStore takes: one value, who wants to know of changes, and a pin. */

/** A value that changes, and those who listen. */
export class Store<T> {
  #current: T;
  #pinned: T | undefined;
  readonly #listeners = new Set<() => void>();

  constructor(first: T) {
    this.#current = first;
  }

  /** Calls back after each change; returns the way to stop that. */
  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  /** What is to be shown: the pinned value while there is one. */
  readonly get = (): T => this.#pinned ?? this.#current;

  /** The newest value, pinned or not. */
  get latest(): T {
    return this.#current;
  }

  /** Takes a new value; nobody is told of one that is the same or that a pin hides. */
  set(value: T): void {
    if (value === this.#current) return;
    this.#current = value;
    if (this.#pinned === undefined) this.#notify();
  }

  /** Shows this value until `pin(undefined)`. */
  pin(value: T | undefined): void {
    if (value === this.#pinned) return;
    this.#pinned = value;
    this.#notify();
  }

  #notify(): void {
    for (const listener of this.#listeners) listener();
  }
}
