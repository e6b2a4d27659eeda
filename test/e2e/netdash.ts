/** Runs the built program on a lab host, as its user would. */
import assert from 'node:assert/strict';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as v from 'valibot';
import { SnapshotSchema, type Snapshot } from '../../source/facts/schema.ts';
import type { Lab } from '../lab/lab.ts';

/** The bundle that `npm run build` makes. */
export const bundle = join(dirname(fileURLToPath(import.meta.url)), '..', '..', 'dist', 'netdash.mjs');

/** argv of netdash with these arguments. */
export const netdash = (...args: string[]): string[] => [process.execPath, bundle, ...args];

/** `netdash snapshot --json` on the lab host, checked against the public schema. */
export async function takeSnapshot(lab: Lab, ...args: string[]): Promise<Snapshot> {
  const { code, stdout, stderr } = await lab.inHost(netdash('snapshot', '--json', ...args));
  assert.equal(code, 0, stderr);
  return v.parse(SnapshotSchema, JSON.parse(stdout));
}

/** Runs a command with `--json` on the lab host and returns its exit code and what it printed. */
export async function runJson(lab: Lab, ...args: string[]): Promise<{ code: number | null; json: unknown }> {
  const { code, stdout, stderr } = await lab.inHost(netdash(...args, '--json'));
  assert.notEqual(stdout, '', stderr);
  return { code, json: JSON.parse(stdout) };
}
