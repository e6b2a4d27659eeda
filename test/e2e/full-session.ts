/** Everything that an operator can do with netdash on a lab host, one after the other. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Lab } from '../lab/lab.ts';
import { netdash } from './netdash.ts';
import { Terminal } from './terminal.ts';

/** How netdash is started. */
export interface SessionOptions {
  /** argv that runs what follows it, such as a tracer; `name` tells the runs apart. */
  wrap?: (name: string) => string[];
  env?: Record<string, string | undefined>;
}

/** Every command that looks at a host. `NAME` stands for a container. */
const commands = (name: string): string[][] => [
  ['snapshot'],
  ['snapshot', '--json'],
  ['ports'],
  ['ports', '--json'],
  ['ports', '--exposed'],
  ['doctor'],
  ['doctor', '--json'],
  ['doctor', '--nagios'],
  ['explain', '8080', name],
  ['explain', '8080', '--json'],
  ['explain', '8080', '--watch', '--for', '2'],
  ['watch', '--for', '3'],
  ['watch', '--for', '1', '--json'],
  [name],
  ['--help'],
  ['--version'],
];

/** Every pane and its details, every tab of a container's page, filter, sorting, raw JSON, copy, refresh, help. */
const walk = async (terminal: Terminal): Promise<void> => {
  const keys = async (...each: string[]) => {
    for (const key of each) {
      terminal.type(key);
      await sleep(70);
    }
  };
  for (const pane of ['1', '2', '3', '4', '5', '6', 'f'])
    await keys(pane, 'j', 'j', 's', 'S', 'z', 'z', '\r', 'G', 'c', '\u{1B}');
  await keys('1', 'g', '\r');
  for (const tab of ['1', '2', '3', '4', '5', '6', '7', '8', '9']) await keys(tab, 'G', 'c');
  await terminal.until(/HostConfig|Config|NetworkSettings/);
  await keys('\u{1B}', 'y', '\u{1B}', 'a', '/', 'w', 'e', 'b', '\r', '\u{1B}', 'p', 'p', 'r', '?', '\u{1B}', '\u{c}');
  await terminal.until(/quit/);
};

/** Runs all of it. @param name of a running container with a published port @returns everything that was printed and drawn */
export async function fullSession(lab: Lab, name: string, options: SessionOptions = {}): Promise<string> {
  const { wrap = () => [], env = {} } = options;
  let shown = '';
  for (const [index, command] of commands(name).entries()) {
    const { code, stdout, stderr } = await lab.inHost([...wrap(`command-${index}`), ...netdash(...command)], { env });
    // Monitoring is answered in time, though on a slow machine a tracer leaves it too little to see everything.
    const isLate = code === 3 && command.includes('--nagios');
    assert.ok(code === 0 || code === 1 || isLate, `${command.join(' ')}: ${code} ${stdout} ${stderr}`);
    assert.equal(stderr, '', command.join(' '));
    shown += stdout;
  }
  const terminal = await Terminal.open(lab, [...wrap('dashboard'), ...netdash()], { columns: 200, rows: 50, env });
  try {
    await terminal.until(new RegExp(String.raw`\b${name}\b`));
    const restarting = lab.restart(name);
    await walk(terminal);
    await restarting;
    await terminal.quit();
    return shown + terminal.written;
  } catch (error) {
    await terminal.abandon();
    throw error;
  }
}
