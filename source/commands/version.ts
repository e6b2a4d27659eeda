/** netdash's own version. */
import { readFileSync } from 'node:fs';

/** Put in by the bundler (scripts/build.mjs). */
declare const NETDASH_VERSION: string | undefined;

/** From the bundle, or, when run from its sources, from package.json. */
export function version(): string {
  if (typeof NETDASH_VERSION === 'string') return NETDASH_VERSION;
  const file: unknown = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
  return typeof file === 'object' && file !== null && 'version' in file ? String(file.version) : 'unknown';
}
