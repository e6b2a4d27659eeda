/** netdash as it runs on a lab's machine, for tests of what it notices. */
import assert from 'node:assert/strict';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { NetdashEvent } from '../../source/facts/schema.ts';
import type { Lab } from '../lab/lab.ts';
import type { BrokenTools } from './broken-tools.ts';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');

/** argv of netdash with these arguments, from its sources. */
export const netdash = (...args: string[]): string[] => [
  process.execPath,
  '--import',
  'tsx',
  join(root, 'cli.tsx'),
  ...args,
];

/** A running `netdash watch --json`. */
export interface Watch {
  /** Everything it has printed so far. */
  readonly events: readonly NetdashEvent[];
  /** The events of a type so far. */
  of(type: NetdashEvent['type']): NetdashEvent[];
  /** Resolves with the first event, from number `from` on, that fits. @throws when there is none for a long time */
  next(fits: (event: NetdashEvent) => boolean, from?: number): Promise<NetdashEvent>;
  /** Sends it a signal. */
  signal(signal: NodeJS.Signals): Promise<void>;
  /** Ends it and checks that it went in peace. */
  stop(): Promise<void>;
}

/** Much longer than anything takes; reached only by a failure. */
const patienceMs = 60_000;

/** How `startWatch` starts it. */
export interface WatchOptions {
  /** Its XDG_STATE_HOME; the lab's by default. */
  state?: string;
  /** There is no Docker to see anything of. */
  daemonIsDown?: boolean;
  /** Where it asks Docker; the lab's daemon by default. */
  docker?: string;
  /** Folders in which it looks for tools first, or tools that stand in for all that the machine has. */
  tools?: string | BrokenTools;
  /** A module that is loaded before it (`node --import`). */
  preload?: string;
  /** The user (and group) as whom it runs, without any rights; root by default. */
  user?: number;
  /** More of its environment. */
  env?: Record<string, string>;
}

/** Starts `netdash watch --json` on the lab's machine and waits until it has seen everything there is. */
export async function startWatch(lab: Lab, options: WatchOptions = {}): Promise<Watch> {
  const { state = join(lab.dir, 'state'), daemonIsDown = false } = options;
  const events: NetdashEvent[] = [];
  const env: Record<string, string> = { XDG_STATE_HOME: state, ...options.env };
  if (options.docker !== undefined) env['DOCKER_HOST'] = options.docker;
  const { tools } = options;
  if (typeof tools === 'string') env['PATH'] = `${tools}:${lab.env['PATH'] ?? ''}`;
  else if (tools) Object.assign(env, tools.env);
  const [node = '', ...args] = netdash('watch', '--json');
  const preload = options.preload === undefined ? [] : ['--import', options.preload];
  const { user } = options;
  const as =
    user === undefined ? [] : ['setpriv', `--reuid=${user}`, `--regid=${user}`, '--clear-groups', '--no-new-privs'];
  const command = [...as, node, ...preload, ...args];
  const program = await lab.spawnInHost(typeof tools === 'object' ? tools.argv(command) : command, { cwd: root, env });
  let complaint = '';
  program.child.stderr?.setEncoding('utf8').on('data', (text: string) => (complaint += text));
  let ended = false;
  void program.exited.then(() => (ended = true));
  createInterface({ input: program.child.stdout! }).on('line', line => events.push(JSON.parse(line) as NetdashEvent));
  const watch: Watch = {
    events,
    of: type => events.filter(event => event.type === type),
    next: async (fits, from = 0) => {
      const deadline = performance.now() + patienceMs;
      for (;;) {
        const found = events.slice(from).find(fits);
        if (found) return found;
        assert.ok(!ended, `netdash has ended: ${complaint}`);
        assert.ok(
          performance.now() < deadline,
          `no such event among:\n${events
            .slice(from)
            .map(({ type, text }) => `${type} ${text}`)
            .join('\n')}`,
        );
        await sleep(20);
      }
    },
    signal: signal => program.kill(signal),
    stop: async () => {
      if (!ended) await program.kill('SIGTERM');
      const { code } = await program.exited;
      assert.equal(complaint, '');
      assert.equal(code, 0);
    },
  };
  if (daemonIsDown) {
    // Something of the host itself that opens and closes, as a sign that it is watching.
    for (let turn = 0; watch.of('listener-opened').length === 0; turn += 1) {
      assert.ok(turn < 60, `netdash tells of nothing: ${complaint}`);
      const listener = await lab.listen({ address: '127.0.0.1', port: 0 });
      await sleep(2500);
      await listener.close();
    }
    return watch;
  }
  // A container that comes and goes is told of once the first round is over.
  const probe = `probe-${Math.random().toString(36).slice(2, 8)}`;
  for (let turn = 0; watch.of('container-created').length === 0; turn += 1) {
    assert.ok(turn < 60, `netdash tells of nothing: ${complaint}`);
    await lab.create(`${probe}-${turn}`);
    await sleep(500);
    await lab.remove(`${probe}-${turn}`);
  }
  return watch;
}
