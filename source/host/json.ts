/** Reading JSON from outside without trusting its shape: what is not of the wanted kind gives the empty value of that kind. */

/** The value when it is an object (no array), else an empty one. */
export function object(value: unknown): Record<string, unknown> {
  return isObject(value) ? value : {};
}

/** Whether a value is an object and no array. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The value when it is an array, else an empty one (Go prints an empty slice as null). */
export function array(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}

/** The value when it is a string, else ''. */
export function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

/** The strings of an array. */
export function texts(value: unknown): string[] {
  return array(value).filter(item => typeof item === 'string');
}

/** The entries of an object whose value is a string. */
export function textRecord(value: unknown): Record<string, string> {
  const found: Record<string, string> = {};
  for (const [name, item] of Object.entries(object(value))) {
    if (typeof item === 'string') found[name] = item;
  }
  return found;
}

/** The value when it is a finite number, else 0. */
export function number(value: unknown): number {
  return typeof value === 'number' && Number.isFinite(value) ? value : 0;
}

/** Milliseconds since the epoch of an RFC 3339 time; undefined for Go's zero time (`0001-01-01T00:00:00Z`) and for anything else. */
export function time(value: unknown): number | undefined {
  const at = Date.parse(text(value));
  return at > 0 ? at : undefined;
}
