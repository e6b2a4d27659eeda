/** The program in a real terminal: job control, hangup, colours, the screen it leaves behind. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { after, test } from 'node:test';

const socket = `netdash-test-${process.pid}`;
const root = new URL('../..', import.meta.url).pathname;
const hasTmux = spawnSync('tmux', ['-V']).status === 0;
const options = { skip: hasTmux ? false : 'tmux is not installed', timeout: 120_000 };

const tmux = (...args: string[]): string =>
  execFileSync('tmux', ['-L', socket, '-f', '/dev/null', ...args], { encoding: 'utf8' });
const screen = (...args: string[]): string => tmux('capture-pane', '-p', '-t', 'test', ...args);
const send = (...keys: string[]): string => tmux('send-keys', '-t', 'test', ...keys);
const sleep = (milliseconds: number) => new Promise(resolve => setTimeout(resolve, milliseconds));

async function until(what: string, holds: () => boolean): Promise<void> {
  const deadline = Date.now() + 40_000;
  while (!holds()) {
    if (Date.now() > deadline) throw new Error(`not so in time: ${what}\n${hasTmux ? screen() : ''}`);
    await sleep(100);
  }
}
const shows = (text: RegExp) => until(String(text), () => text.test(screen()));

/** A session with an interactive shell in which the recording is opened. */
async function start(environment = ''): Promise<void> {
  // With its last session the server ends, in the midst of which no other begins.
  spawnSync('tmux', ['-L', socket, '-f', '/dev/null', 'new-session', '-d', '-s', 'kept', 'sleep 600']);
  spawnSync('tmux', ['-L', socket, 'kill-session', '-t', 'test']);
  tmux(
    'new-session',
    '-d',
    '-s',
    'test',
    '-x',
    '80',
    '-y',
    '24',
    '-c',
    root,
    'env LC_ALL=C.UTF-8 PS1=ready: bash --norc --noprofile -i',
  );
  await shows(/ready:/);
  send(`echo before; ${environment} node --import tsx cli.tsx --demo; echo "code $?"`, 'Enter');
  await shows(/RECORDING[^]*quit/);
}

/** Processes whose parent chain leads to the session's shell. */
function descendants(): number[] {
  const shell = Number(tmux('display-message', '-p', '-t', 'test', '#{pane_pid}'));
  const table = execFileSync('ps', ['-eo', 'pid=,ppid='], { encoding: 'utf8' })
    .trim()
    .split('\n')
    .map(line => line.trim().split(/\s+/).map(Number));
  const found = [shell];
  for (const parent of found) found.push(...table.filter(([, ppid]) => ppid === parent).map(([pid]) => pid!));
  return found.slice(1);
}

const isRunning = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

after(() => {
  if (hasTmux) spawnSync('tmux', ['-L', socket, 'kill-server']);
});

test('q leaves the screen as it was before, and code 0', options, async () => {
  await start();
  send('q');
  await shows(/before\ncode 0/);
  assert.doesNotMatch(screen(), /RECORDING/);
});

test('Ctrl-Z gives the shell back, fg the dashboard, and its size may change in between', options, async () => {
  await start();
  send('C-z');
  await shows(/Stopped/);
  send('stty -a | grep -o -- "-*icanon"; echo shell works', 'Enter');
  await shows(/\nicanon\nshell works/);
  tmux('resize-window', '-t', 'test', '-x', '120', '-y', '30');
  send('fg', 'Enter');
  await shows(/RECORDING[^]*quit/);
  assert.equal(
    screen()
      .split('\n')
      .filter(line => line.includes('RECORDING')).length,
    1,
  );
  send('?');
  await shows(/─ Help ─/);
});

test('when the terminal goes away the program ends', options, async () => {
  await start();
  const running = descendants();
  assert.ok(running.length > 0);
  tmux('kill-session', '-t', 'test');
  await until('the program has ended', () => !running.some(isRunning));
});

test('SIGTERM restores the terminal', options, async () => {
  await start();
  process.kill(descendants().at(-1)!, 'SIGTERM');
  await shows(/before\ncode 143/);
  send('stty -a | grep -o -- "-*icanon"', 'Enter');
  await shows(/\nicanon/);
});

test('NO_COLOR and CI: everything is there, nothing is coloured', options, async () => {
  await start('NO_COLOR=1 CI=1');
  send('j');
  await shows(/▌/);
  assert.doesNotMatch(screen('-e'), /\u{1B}\[(?:\d+;)*(?:3[0-7]|9[0-7])m/u);
});
