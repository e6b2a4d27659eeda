/** The front door: arguments become a command. */
import { main } from './source/commands/index.ts';
import { leave } from './source/commands/parting.ts';
import { version } from './source/commands/version.ts';

const { stdin, stdout, stderr, env } = process;
let failed: number | undefined;
// Node would open its debugger, to whoever is on this machine, when it gets this signal.
process.on('SIGUSR1', () => undefined);
stdout.on('error', (error: NodeJS.ErrnoException) => {
  // A reader or a terminal that goes away ends netdash, without a word.
  if (error.code === 'EPIPE' || error.code === 'EIO' || failed !== undefined) return;
  process.exitCode = failed = 4;
  stderr.write(`netdash: its output cannot be written: ${error.message}\n`);
});
// The bundle is a script (scripts/program-file.mjs), which cannot wait at its top level.
void main(process.argv.slice(2), { stdin, stdout, stderr, env }, version()).then(code => {
  process.exitCode = failed ?? code;
  // A tool that hangs, or a file system that is gone, would keep a command that has said all it has to say.
  setTimeout(() => void leave(Number(process.exitCode)), 500).unref();
});
