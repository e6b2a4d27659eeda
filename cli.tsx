/** The front door: arguments become a command. */
import { main } from './source/commands/index.ts';
import { version } from './source/commands/version.ts';

// A reader or a terminal that goes away ends netdash, without a word.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE' && error.code !== 'EIO') throw error;
  process.exitCode ??= 0;
});
const { stdin, stdout, stderr, env } = process;
process.exitCode = await main(process.argv.slice(2), { stdin, stdout, stderr, env }, version());
