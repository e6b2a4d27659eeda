/** Looking into nft's JSON (libnftables-json(5)) without trusting its shape. */

export type Json = string | number | boolean | null | Json[] | JsonObject;
export interface JsonObject {
  [key: string]: Json;
}

/** Whether it is an object (not null, not a list). */
export const isObject = (value: Json | undefined): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** The object under `key`, if `value` is an object that has one. */
export function child(value: Json | undefined, key: string): JsonObject | undefined {
  const found = isObject(value) ? value[key] : undefined;
  return isObject(found) ? found : undefined;
}

/** The text under `key`, if there is one. */
export function textOf(value: Json | undefined, key: string): string | undefined {
  const found = isObject(value) ? value[key] : undefined;
  return typeof found === 'string' ? found : undefined;
}

/** The number under `key`, if there is one. */
export function numberOf(value: Json | undefined, key: string): number | undefined {
  const found = isObject(value) ? value[key] : undefined;
  return typeof found === 'number' ? found : undefined;
}

/** nft writes one-element lists without the list: always a list; nothing is an empty one. */
export const asList = (value: Json | undefined): Json[] =>
  value === undefined || value === null ? [] : Array.isArray(value) ? value : [value];

/** An object of one key, as statements and expressions are: its key and what is under it. */
export function tagged(value: Json | undefined): { tag: string; body: Json } | undefined {
  if (!isObject(value)) return undefined;
  const [entry] = Object.entries(value);
  return entry && { tag: entry[0], body: entry[1] };
}

/** A named set or map as the ruleset defines it. */
export interface NamedSet {
  /** Its elements: values, or `[key, value]` pairs for a map. */
  elements: Json[];
  /** Rules that put elements into it, perhaps for the very packet that is looked at: the match statements of each. */
  fillers?: Json[][];
}

/** Finds a set or map by the name after `@`, in the table of the rule. */
export type FindSet = (name: string) => NamedSet | undefined;
