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

/** How far apart two lists may be and still be found to go on alike: more than one container brings or takes. */
const window = 8;

/** Where an item of `list` fits `item`, from `from` on and not far from there; -1: nowhere. */
function near(
  list: readonly unknown[],
  from: number,
  item: unknown,
  fits: (a: unknown, b: unknown) => boolean,
): number {
  const end = Math.min(list.length, from + window);
  for (let at = from; at < end; at++) if (fits(list[at], item)) return at;
  return -1;
}

/** Whether two objects have the very same list or object in the same place, as a rule that is renumbered keeps what it asks. */
function shareParts(a: unknown, b: unknown): boolean {
  if (!isObject(a) || !isObject(b)) return false;
  for (const name in b) if (isObject(b[name]) && a[name] === b[name]) return true;
  return false;
}

/** `reuse` for the items of a list without keys, which mostly go on as they were after one that came, went or changed. */
function reuseInOrder(before: readonly unknown[], after: readonly unknown[]): unknown[] {
  let at = 0;
  return after.map((item, place) => {
    const found = near(before, at, item, isEqual);
    if (found >= 0) {
      at = found + 1;
      return before[found];
    }
    if (at >= before.length) return item;
    const isInserted = near(after, place + 1, before[at], isEqual) >= 0;
    if (isInserted) return item;
    const changed = near(before, at, item, shareParts);
    if (changed >= 0) {
      at = changed + 1;
      return reuse(before[changed], item);
    }
    return near(after, place + 1, before[at], shareParts) >= 0 ? item : reuse(before[at++], item);
  });
}

const hasIds = (items: readonly unknown[]): items is { id: string }[] => {
  const [first] = items;
  return isObject(first) && typeof first.id === 'string';
};

/**
 * Returns `before` when `after` equals it, else a value equal to `after` in which every equal part is the one of `before`.
 * @param keyOf tells which item of one list corresponds to which of the other, when they have no `id`; without either they are
 * taken in order
 */
export function reuse<T>(before: T | undefined, after: T, keyOf?: (item: never) => string): T {
  if (isEqual(before, after)) return before as T;
  if (!isObject(before) || !isObject(after) || Array.isArray(before) !== Array.isArray(after)) return after;
  if (Array.isArray(after)) {
    const items = before as unknown as readonly unknown[];
    if (!keyOf && !(hasIds(items) && hasIds(after))) return reuseInOrder(items, after) as T;
    const key = (item: unknown) => (keyOf ? keyOf(item as never) : (item as { id: string }).id);
    const known = new Map(items.map(item => [key(item), item]));
    return after.map((item: unknown) => reuse(known.get(key(item)), item)) as T;
  }
  const object: Record<string, unknown> = {};
  for (const name of Object.keys(after)) object[name] = reuse(before[name], after[name]);
  return object as T;
}

/** Whether both lists have the very same items in the same order. */
export function haveSameItems(before: readonly unknown[] | undefined, after: readonly unknown[]): boolean {
  if (before?.length !== after.length) return false;
  for (let place = 0; place < after.length; place++) if (!Object.is(before[place], after[place])) return false;
  return true;
}

/** `after`, or `before` when it has the very same items in the same order. */
export function sameItems<T>(before: T[] | undefined, after: T[]): T[] {
  return before && haveSameItems(before, after) ? before : after;
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
    const isDone = done !== undefined && haveSameItems(done.inputs, inputs);
    const output = isDone ? (done.output as T) : make(done?.output as T | undefined);
    next.set(name, { inputs, output });
    return output;
  };
}
