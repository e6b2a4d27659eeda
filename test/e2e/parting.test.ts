/** Ending while something hangs that no signal ends: the terminal is as it was, within seconds. */
import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { describeLab } from '../lab/for-tests.ts';
import { netdash } from './netdash.ts';
import { Terminal } from './terminal.ts';

/** cgroup v1 keeps frozen processes even from SIGKILL, as a dead disk does; v2 does not. */
const freezer = '/sys/fs/cgroup/freezer';

describeLab('the end', {}, lab => {
  const folder = () => join(lab().dir, 'fake-tools');
  const pids = () => join(lab().dir, 'pids');
  const shell = async (script: string): Promise<string> => {
    const { code, stdout, stderr } = await lab().inHost(['sh', '-c', script], { timeoutMs: 60_000 });
    assert.equal(code, 0, `${script}: ${stderr}`);
    return stdout;
  };

  before(async () => {
    await lab().run('web', { publish: ['8080:80'] });
    mkdirSync(folder());
  });

  /** Puts a script in the place of `ip monitor`, which says that it is there by writing its PID down. */
  function fakeMonitor(script: string): void {
    const path = join(folder(), 'ip');
    writeFileSync(path, `#!/bin/sh\ncase "$*" in *monitor*) ${script};; esac\nexec /sbin/ip "$@"\n`);
    chmodSync(path, 0o755);
    rmSync(pids(), { force: true });
  }

  async function dashboard(env: Record<string, string>, act: (terminal: Terminal) => Promise<void>): Promise<void> {
    const terminal = await Terminal.open(lab(), netdash(), { columns: 200, env });
    try {
      await act(terminal);
    } finally {
      await terminal.abandon();
      rmSync(join(folder(), 'ip'), { force: true });
    }
  }

  async function begun(count: number): Promise<string[]> {
    for (let turn = 0; ; turn += 1) {
      const found = existsSync(pids()) ? readFileSync(pids(), 'utf8').trim().split('\n') : [];
      if (found.length >= count) return found;
      assert.ok(turn < 300, 'the monitor has not begun');
      await sleep(100);
    }
  }

  const withTools = () => ({ PATH: `${folder()}:${lab().env['PATH'] ?? ''}` });

  test('does not wait for a tool that ignores signals, nor for one of a session of its own that holds its pipes', async () => {
    fakeMonitor(`setsid sh -c 'trap "" TERM HUP INT; echo $$ >>${pids()}; exec sleep 600' &
      trap "" TERM HUP INT; echo $$ >>${pids()}; sleep 600; sleep 600`);
    await dashboard(withTools(), async terminal => {
      await terminal.until(/web +● running/);
      const found = await begun(2);
      await terminal.quit();
      // What a tool has put in a session of its own is not netdash's to end.
      await shell(`kill -9 ${found.join(' ')} 2>/dev/null; pkill -9 -x sleep; :`);
    });
  });

  test('does not wait for a tool that not even SIGKILL ends', async context => {
    if (!existsSync(join(freezer, 'cgroup.procs'))) return context.skip('no freezer of cgroup v1 here');
    const frozen = `${freezer}/${lab().name}/stuck`;
    fakeMonitor(`echo $$ >>${pids()}; exec sleep 600`);
    await dashboard(withTools(), async terminal => {
      await terminal.until(/web +● running/);
      const [pid = ''] = await begun(1);
      await shell(`mkdir -p ${frozen} && echo ${pid} >${frozen}/cgroup.procs && echo FROZEN >${frozen}/freezer.state`);
      try {
        await terminal.quit();
        assert.match(await shell(`cat /proc/${pid}/comm`), /sleep/);
      } finally {
        await shell(`echo THAWED >${frozen}/freezer.state`);
        await shell(`for turn in $(seq 100); do rmdir ${frozen} && break; sleep 0.1; done; [ ! -e ${frozen} ]`);
      }
    });
  });

  test('is on time though the home folder hangs; until then all but the ports of before is shown', async context => {
    // A file system in user space of which nobody answers: what touches it waits in the kernel, as for a dead NFS server.
    const home = join(lab().dir, 'hung');
    mkdirSync(home);
    const mount = `exec 3<>/dev/fuse && mount -i -t fuse -o fd=3,rootmode=40000,user_id=0,group_id=0 hung ${home} && echo mounted && exec sleep 600`;
    const server = await lab().spawnInHost(['sh', '-c', mount]);
    const [said] = (await Promise.race([
      once(server.child.stdout ?? server.child, 'data'),
      server.exited.then(() => []),
    ])) as unknown[];
    if (said === undefined) return context.skip('no FUSE here');
    try {
      await dashboard({ XDG_STATE_HOME: home }, async terminal => {
        await terminal.until(/web +● running/);
        await terminal.until(/state !/);
        terminal.type('q');
        const { code, modesRestored, screenRestored } = await terminal.ended();
        // exit(3) would wait for the thread that hangs.
        assert.deepEqual(
          { code, modesRestored, screenRestored },
          { code: 137, modesRestored: true, screenRestored: true },
        );
      });
      const { stdout, signal, code } = await lab().inHost(netdash('snapshot'), {
        env: { XDG_STATE_HOME: home },
        timeoutMs: 60_000,
      });
      assert.match(stdout, /web/);
      assert.ok(code === 137 || signal === 'SIGKILL', `${code} ${signal}`);
    } finally {
      await server.kill('SIGKILL');
      await server.exited;
      await lab().inHost(['umount', '-l', home]);
    }
  });
});
