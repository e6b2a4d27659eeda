/** dockerd on the lab's machine. */
import { open, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { setTimeout as sleep } from 'node:timers/promises';
import { findBinaries, type DockerChoice } from './binaries.ts';
import { askEngine } from './engine.ts';
import type { LabProcess, Machine } from './machine.ts';

const script = join(dirname(fileURLToPath(import.meta.url)), 'dockerd.sh');

export interface Daemon {
  /** Its PID as the machine counts; undefined while it is not running. */
  readonly pid: number | undefined;
  /**
   * Starts it (again) and resolves when it answers.
   * @param docker another release from now on, on the same data: an upgrade
   * @param config what its configuration file (daemon.json) has
   * @throws with the end of its log when it does not come up
   */
  start(docker?: DockerChoice, config?: Record<string, unknown>): Promise<void>;
  /** Stops it where it is (SIGSTOP), so that it holds its socket and answers nothing, or lets it go on. */
  freeze(on: boolean): Promise<void>;
  /** Ends it by this signal and resolves when it is gone. containerd and the containers stay only after SIGKILL. */
  stop(signal?: NodeJS.Signals): Promise<void>;
}

/**
 * @param folder the lab's folder; dockerd's log goes there
 * @param name names the cgroup below which containers get theirs
 * @param tree what dockerd has for /
 */
export const createDaemon = (
  machine: Machine,
  folder: string,
  name: string,
  tree: string,
  args: readonly string[],
): Daemon => {
  const socket = join(folder, 'run', 'docker.sock');
  const log = join(folder, 'dockerd.log');
  let current: LabProcess | undefined;
  let root = tree;

  const answers = async (): Promise<boolean> =>
    askEngine(socket, 'GET', '/_ping').then(
      () => true,
      () => false,
    );

  return {
    get pid() {
      return current?.pid;
    },
    start: async (docker, settled = {}) => {
      if (docker !== undefined) root = (await findBinaries(docker, () => undefined)).tree;
      // A configuration of its own: the machine's /etc/docker/daemon.json is none of the lab's business.
      const config = join(folder, 'run', 'daemon.json');
      await writeFile(config, `${JSON.stringify(settled)}\n`);
      const output = await open(log, 'a');
      const settings = `--config-file /run/daemon.json --host unix:///run/docker.sock --cgroup-parent /${name}/docker`;
      // systemd's cgroups would need the D-Bus of the real machine.
      const cgroups = '--exec-opt native.cgroupdriver=cgroupfs';
      const started = await machine.spawn(
        ['sh', script, root, join(folder, 'data'), ...settings.split(' '), ...cgroups.split(' '), ...args],
        { stdio: ['ignore', output.fd, output.fd], cwd: '/' },
      );
      await output.close();
      let over = false;
      current = started;
      void started.exited.then(() => {
        over = true;
        if (current === started) current = undefined;
      });
      while (!(await answers())) {
        if (over) {
          const said = await readFile(log, 'utf8');
          throw new Error(`dockerd did not start: ${said.trim().split('\n').slice(-3).join('\n')}`);
        }
        await sleep(50);
      }
    },
    freeze: async on => {
      await current?.kill(on ? 'SIGSTOP' : 'SIGCONT');
      // nsenter stops with the program that it waits for, and does not notice when that one goes on.
      if (!on) current?.child.kill('SIGCONT');
    },
    stop: async (signal = 'SIGTERM') => {
      const running = current;
      if (running === undefined) return;
      await running.kill(signal);
      await running.exited;
    },
  };
};
