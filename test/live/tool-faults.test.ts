/** Tools that are missing, crash, hang, or print without end: the source says so, the rest goes on, and it recovers. */
import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Terminal } from '../e2e/terminal.ts';
import { describeLab } from '../lab/for-tests.ts';
import type { Lab } from '../lab/lab.ts';
import { netdash, startWatch } from './watching.ts';

interface Look {
  sources: Record<string, { state: string; reason?: string }>;
  rules: { backend: string }[] | null;
  links: unknown[];
  listeners: unknown[] | null;
  containers: { name: string }[];
}

describeLab('a tool', {}, lab => {
  const folder = () => join(lab().dir, 'fake-tools');

  before(async () => {
    await lab().run('web', { publish: ['8080:80'] });
    mkdirSync(folder());
  });

  /** Puts a script in a tool's place, which is found first. */
  function fake(tool: string, script: string): void {
    const path = join(folder(), tool);
    writeFileSync(path, `#!/bin/sh\n${script}\n`);
    chmodSync(path, 0o755);
  }
  const real = (tool: string): void => rmSync(join(folder(), tool));

  async function look(host: Lab): Promise<Look> {
    const { code, stdout, stderr } = await host.inHost(netdash('snapshot', '--json'), {
      cwd: process.cwd(),
      env: { PATH: `${folder()}:${host.env['PATH'] ?? ''}` },
    });
    assert.equal(code, 0, stderr);
    const seen = JSON.parse(stdout) as Look;
    assert.deepEqual(
      seen.containers.map(({ name }) => name),
      ['web'],
    );
    return seen;
  }

  /** No process of a fake, nor of any tool, has outlived netdash. */
  async function nothingIsLeft(): Promise<void> {
    const line = 'pgrep -ax "nft|ip|ss|iptables-save|ip6tables-save|yes|sleep" || :';
    let left = '';
    for (let tries = 0; tries < 50; tries += 1) {
      left = (await lab().inHost(['sh', '-c', line])).stdout;
      // Those that have ended are there until the machine's first process has come to wait for them.
      if (!left.includes('<defunct>')) break;
      await sleep(100);
    }
    assert.equal(left, '');
  }

  for (const [what, script, reason] of [
    ['crashes', 'kill -SEGV $$', /nft.*(crash|SIGSEGV|ended by)/],
    ['fails', 'echo "netlink: Error: cache initialization failed" >&2; exit 1', /nft.*cache initialization failed/],
    ['hangs', 'exec sleep 600', /nft.*did not end within/],
    ['prints without end', 'exec yes "{"', /nft.*(more than|no JSON|not understood|did not end)/],
    ['prints what is none', 'echo "<html>"', /nft/],
    ['prints nothing', 'exit 0', /nft/],
  ] as const) {
    test(`nft that ${what} leaves the rules of iptables and says why the rest is missing`, async () => {
      fake('nft', script);
      const seen = await look(lab());
      real('nft');
      assert.equal(seen.sources['netfilter']?.state, 'partial', JSON.stringify(seen.sources));
      assert.match(seen.sources['netfilter'].reason ?? '', reason);
      assert.ok(seen.rules?.some(({ backend }) => backend.startsWith('iptables')));
      await nothingIsLeft();
    });
  }

  test('iptables-save or ip that hangs, crashes or is not there makes its source failed or partial, never empty', async () => {
    for (const script of ['exec sleep 600', 'kill -SEGV $$']) {
      fake('iptables-save', script);
      const seen = await look(lab());
      real('iptables-save');
      assert.match(seen.sources['netfilter']?.state ?? '', /partial|failed/, script);
      assert.match(seen.sources['netfilter']?.reason ?? '', /iptables-save/);
      fake('ip', script);
      const without = await look(lab());
      real('ip');
      assert.equal(without.sources['links']?.state, 'failed', script);
      assert.match(without.sources['links'].reason ?? '', /\bip\b/);
      assert.ok(without.rules && without.rules.length > 0);
      assert.ok(without.listeners && without.listeners.length > 0);
    }
    await nothingIsLeft();
    for (const [tool, source] of [
      ['nft', 'netfilter'],
      ['ip', 'links'],
    ] as const) {
      const places = '/usr/sbin /sbin /usr/bin /bin $(echo "$PATH" | tr : " ")';
      const hide = `for place in ${places}; do [ ! -e $place/${tool} ] || mount --bind /dev/null $place/${tool}; done`;
      const show = `for place in ${places}; do umount $place/${tool} 2>/dev/null; done; :`;
      // `mount` is not among the tools that are hidden.
      await lab().inHost(['sh', '-c', hide]);
      const seen = await look(lab());
      await lab().inHost(['sh', '-c', show]);
      assert.match(seen.sources[source]?.reason ?? '', new RegExp(`${tool} not found: install`));
    }
    assert.equal((await look(lab())).sources['links']?.state, 'ok');
  });

  test('that hangs while netdash watches is said to, and taken up when it is itself again', async () => {
    fake('ip', `[ -e ${folder()}/good ] || exec sleep 600; exec /sbin/ip "$@"`);
    fake('iptables-save', `[ -e ${folder()}/good ] || kill -SEGV $$; exec /usr/sbin/iptables-save "$@"`);
    writeFileSync(join(folder(), 'good'), '');
    const second = await startWatch(lab(), { tools: folder() });
    try {
      rmSync(join(folder(), 'good'));
      await lab().restart('web');
      await second.next(({ type, text }) => type === 'source-failed' && /links cannot be read: ip/.test(text));
      // Docker and the listeners are told as ever.
      const listener = await lab().listen({ address: '0.0.0.0', port: 7003 });
      await second.next(({ type, text }) => type === 'listener-opened' && text.includes(':7003/'));
      await listener.close();
      writeFileSync(join(folder(), 'good'), '');
      await second.next(({ type, text }) => type === 'source-recovered' && /links/.test(text));
    } finally {
      await second.stop();
      for (const tool of ['ip', 'iptables-save']) real(tool);
    }
    await nothingIsLeft();
  });

  test('that has started another, which holds its pipes, does not keep the dashboard from ending', async () => {
    const [pids, monitors] = [join(lab().dir, 'pids'), join(lab().dir, 'monitors')];
    for (const name of ['nft', 'ip']) {
      fake(
        name,
        `case "$*" in *monitor*) echo ${name} >>${monitors};; esac; sh -c 'trap "" HUP; echo $$ >>${pids}; exec sleep 600'; true`,
      );
    }
    const begun = (): boolean => existsSync(monitors) && /nft/.test(readFileSync(monitors, 'utf8'));
    const alive = async (): Promise<string> =>
      (await lab().inHost(['sh', '-c', `for pid in $(cat ${pids}); do kill -0 $pid && echo $pid; done; :`])).stdout;
    const command = ['sh', '-c', `cd '${process.cwd()}' && exec "$@"`, 'sh', ...netdash()];
    const terminal = await Terminal.open(lab(), command, {
      columns: 200,
      env: { PATH: `${folder()}:${lab().env['PATH'] ?? ''}` },
    });
    try {
      await terminal.until(/web +● running/);
      for (let turn = 0; !begun(); turn += 1) {
        assert.ok(turn < 600, terminal.text());
        await sleep(100);
      }
      await terminal.quit();
      assert.notEqual(await alive(), '');
    } finally {
      await terminal.abandon();
      await lab().inHost(['sh', '-c', `kill -9 $(cat ${pids}); :`]);
      for (const name of ['nft', 'ip']) real(name);
    }
    await nothingIsLeft();
  });

  test('that others hold up by the xtables lock is not waited for', async () => {
    const holder = await lab().spawnInHost(['flock', '/run/xtables.lock', 'sleep', '60']);
    try {
      const { sources, rules } = await look(lab());
      assert.equal(sources['netfilter']?.state, 'ok', sources['netfilter']?.reason);
      assert.ok(rules && rules.length > 0);
    } finally {
      await lab().inHost(['sh', '-c', `kill $(pgrep -P ${holder.pid}) ${holder.pid}`]);
      await holder.exited;
    }
  });
});
