/**
 * `npm run lab`: starts a lab with the mission seed, opens netdash on it and takes everything down again.
 *   npm run lab                       the dashboard
 *   npm run lab -- doctor --json      any command of netdash
 *   npm run lab -- --shell            a shell on the lab's machine
 *   npm run lab -- --docker 28 …      Docker 26 or 28, of later Debian releases
 * Exit codes: netdash's own; 2 bad usage; 3 the lab cannot be hosted or did not start; 128 + N after signal N.
 */
import { constants } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findBinaries, type DockerChoice } from './binaries.ts';
import { labRequirement, startLab, type Lab, type LabProcess } from './lab.ts';

const netdash = join(dirname(fileURLToPath(import.meta.url)), '..', '..', 'dist', 'netdash.mjs');

const say = (line: string): void => {
  process.stderr.write(`lab: ${line}\n`);
};

const parseArguments = (args: readonly string[]): { docker: DockerChoice; shell: boolean; rest: string[] } => {
  const rest = [...args];
  let docker: DockerChoice = '20';
  let shell = false;
  for (;;) {
    const [first, second] = rest;
    if (first === '--shell') shell = true;
    else if (first === '--docker' && (second === '20' || second === '26' || second === '28')) docker = second;
    else if (first === '--docker') {
      say('--docker takes 20, 26 or 28');
      process.exit(2);
    } else return { docker, shell, rest };
    rest.splice(0, first === '--docker' ? 2 : 1);
  }
};

if (process.argv.slice(2).some(argument => argument === '--help' || argument === '-h')) {
  process.stdout.write(
    [
      'npm run lab                     a real Docker host with netdash open on it; taken down when you quit',
      'npm run lab -- --shell          the same with a shell',
      'npm run lab -- --docker 28 …    Docker 26 or 28 instead of 20',
      'npm run lab -- COMMAND…         a command of netdash on it, such as doctor',
      '',
    ].join('\n'),
  );
  process.exit(0);
}
const { docker, shell, rest } = parseArguments(process.argv.slice(2));

const reason = labRequirement();
if (reason !== undefined) {
  say(`${reason}. It runs as root on Debian and Ubuntu: sudo npm run lab. Without it: npm start -- --demo`);
  process.exit(3);
}

let starting: Promise<Lab> | undefined;
let program: LabProcess | undefined;
const interruption = new AbortController();

const interrupted = async (signal: NodeJS.Signals): Promise<void> => {
  // Ctrl-C in a terminal reaches netdash by itself; others are passed on. Either way it gets a moment to leave.
  if (program !== undefined) {
    if (signal !== 'SIGINT') await program.kill(signal);
    await Promise.race([program.exited, new Promise(resolve => setTimeout(resolve, 1000))]);
  }
  interruption.abort();
  await starting?.then(
    lab => lab.stop(),
    () => undefined,
  );
  say('taken down');
  process.exit(128 + constants.signals[signal]);
};
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => void interrupted(signal));

try {
  // Until here nothing runs that this process's end would not end.
  await findBinaries(docker, say);
  starting = startLab({ docker, seed: 'mission', report: say, signal: interruption.signal });
  const lab = await starting;
  say(
    `Docker ${lab.dockerVersion} on ${lab.addresses.host}, with ${Object.keys(lab.mission.containers).length} containers`,
  );
  const command = shell ? [process.env['SHELL'] ?? '/bin/sh'] : [process.execPath, netdash, ...rest];
  program = await lab.spawnInHost(command, { stdio: 'inherit', detached: false });
  const { code, signal } = await program.exited;
  await lab.stop();
  if (!interruption.signal.aborted) say('taken down');
  process.exitCode = code ?? 128 + (signal === null ? 0 : constants.signals[signal]);
} catch (error) {
  if (!interruption.signal.aborted) {
    say(error instanceof Error ? error.message : String(error));
    process.exitCode = 3;
  }
}
