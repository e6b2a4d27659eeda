/** What `netdash explain` and `netdash doctor` say on a lab host, for tests that hold it against what really answers. */
import assert from 'node:assert/strict';
import * as v from 'valibot';
import { ExplainSchema } from '../../source/commands/explain-json.ts';
import { FindingSchema } from '../../source/facts/schema.ts';
import type { Lab } from '../lab/lab.ts';
import { netdash, runJson } from './netdash.ts';

/** The verdicts of `netdash explain --json` with these arguments on the lab host. */
export async function explain(lab: Lab, ...args: string[]) {
  const { code, stdout, stderr } = await lab.inHost(netdash('explain', '--json', ...args));
  assert.equal(code, 0, stderr);
  return v.parse(ExplainSchema, JSON.parse(stdout)).verdicts;
}

/** What is printed to see it without netdash, as pasted: a tool may say that there is nothing, and has to understand what it is asked. */
export async function paste(host: Lab, confirm: string | undefined): Promise<string> {
  assert.ok(confirm !== undefined);
  const { code, stdout, stderr } = await host.inHost(['bash', '-c', confirm]);
  assert.ok(code !== null && code < 126 && !/syntax error|Usage|usage/.test(stderr), `${confirm}: ${stderr}`);
  return stdout;
}

/** Names of the containers that `netdash doctor` finds cut off. */
export async function cutOff(host: Lab): Promise<string[]> {
  const { json } = await runJson(host, 'doctor');
  const { findings } = v.parse(v.object({ findings: v.array(FindingSchema) }), json);
  return findings.filter(({ code }) => code === 'blocked').map(({ subject }) => subject.name);
}
