/** Runs commands of netdash within the test, with streams of its own. */
import { PassThrough } from 'node:stream';
import { join } from 'node:path';
import { main } from '../../source/commands/index.ts';

const fixtures = join(import.meta.dirname, '..', 'fixtures', 'hosts');

/** Names of the recorded hosts. */
export const recordedHosts = ['20', '26', '28', '28-noproxy', '29-nftables'] as const;

/** The arguments that replay one of them. */
export const replay = (name: (typeof recordedHosts)[number]): string[] => [
  '--replay',
  join(fixtures, `${name}.json.gz`),
];

/** What a command did. */
export interface Outcome {
  code: number;
  stdout: string;
  stderr: string;
}

/** Runs netdash with these arguments, into a pipe. */
export async function runNetdash(args: readonly string[], env: Record<string, string> = {}): Promise<Outcome> {
  const [stdin, stdout, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()];
  const texts = { stdout: '', stderr: '' };
  stdout.setEncoding('utf8').on('data', (text: string) => (texts.stdout += text));
  stderr.setEncoding('utf8').on('data', (text: string) => (texts.stderr += text));
  const code = await main(args, { stdin, stdout, stderr, env: { LANG: 'C.UTF-8', ...env } }, '9.9.9');
  stdout.end();
  stderr.end();
  await new Promise(resolve => setImmediate(resolve));
  return { code, ...texts };
}
