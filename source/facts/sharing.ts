/**
 * Structural sharing: facts that did not change keep their identity from one snapshot to the next, so that a screen
 * redraws only what did. Works on the plain data of a snapshot: objects, arrays, text, numbers, booleans, null.
 */

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;

/** Deep equality of plain data. */
function isEqual(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (!isObject(a) || !isObject(b)) return false;
  if (Array.isArray(a)) {
    if (!Array.isArray(b) || a.length !== b.length) return false;
    for (let i = 0; i < a.length; i++) if (!isEqual(a[i], b[i])) return false;
    return true;
  }
  if (Array.isArray(b)) return false;
  let surplus = 0;
  for (const name in a) {
    if (!isEqual(a[name], b[name]) || (a[name] === undefined && !(name in b))) return false;
    surplus++;
  }
  for (const _ in b) surplus--;
  return surplus === 0;
}

/** How items of a list are told apart: by their `id`, else by their place. */
function idOf(item: unknown, place: number): string {
  return isObject(item) && typeof item.id === 'string' ? item.id : `#${place}`;
}

/**
 * Returns `before` when `after` equals it, else a value equal to `after` in which every equal part is the one of `before`.
 * @param keyOf tells which item of one list corresponds to which of the other, when they have no `id`
 */
export function reuse<T>(before: T | undefined, after: T, keyOf?: (item: never) => string): T {
  if (isEqual(before, after)) return before as T;
  if (!isObject(before) || !isObject(after) || Array.isArray(before) !== Array.isArray(after)) return after;
  if (Array.isArray(after)) {
    const key = (item: unknown, place: number) => (keyOf ? keyOf(item as never) : idOf(item, place));
    const known = new Map((before as unknown as unknown[]).map((item, place) => [key(item, place), item]));
    return after.map((item: unknown, place) => reuse(known.get(key(item, place)), item)) as T;
  }
  const object: Record<string, unknown> = {};
  for (const name of Object.keys(after)) object[name] = reuse(before[name], after[name]);
  return object as T;
}

/** `reuse` for a map of plain values. */
export function reuseMap<T>(before: ReadonlyMap<string, T> | undefined, after: Map<string, T>): ReadonlyMap<string, T> {
  let isSame = before?.size === after.size;
  for (const [key, value] of after) {
    const kept = reuse(before?.get(key), value);
    after.set(key, kept);
    if (before?.get(key) !== kept) isSame = false;
  }
  return isSame && before ? before : after;
}

/** What was made of which inputs, by the name of the step. */
export type Steps = ReadonlyMap<string, { inputs: readonly unknown[]; output: unknown }>;

/** Runs a step, or returns what it made last time when its inputs are the very same objects. */
export type Step = <T>(name: string, inputs: readonly unknown[], make: (before: T | undefined) => T) => T;

/** Makes a `Step` that remembers: what it does from now on is added to `next`, what was done before is in `last`. */
export function stepping(
  last: Steps | undefined,
  next: Map<string, { inputs: readonly unknown[]; output: unknown }>,
): Step {
  return <T>(name: string, inputs: readonly unknown[], make: (before: T | undefined) => T): T => {
    const done = last?.get(name);
    const isDone =
      done !== undefined &&
      done.inputs.length === inputs.length &&
      done.inputs.every((input, i) => Object.is(input, inputs[i]));
    const output = isDone ? (done.output as T) : make(done?.output as T | undefined);
    next.set(name, { inputs, output });
    return output;
  };
}
