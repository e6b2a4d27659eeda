/** Processes and clocks that play tricks, on a real host: pids used again, containers that die at once, hidden processes, a clock set back. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { labTest } from '../lab/for-tests.ts';
import { changes, text, told, type Told } from './told-changes.ts';
import { netdash, startWatch } from './watching.ts';

const causeless = (list: readonly Told[]) => text(list.map(each => ({ ...each, cause: 'unknown' as const })));

describe('tricks of processes and clocks', { concurrency: true }, () => {
  labTest('a pid that another program has now is that program, not the one before', {}, async lab => {
    const watch = await startWatch(lab);
    try {
      const first = await lab.listen({ address: '0.0.0.0', port: 7001 });
      await watch.next(({ type, text: line }) => type === 'listener-opened' && /:7001.* node \(pid/.test(line));
      const seen = watch.events.length;
      await first.close();
      // The kernel gives the next process the number after this one (proc(5), ns_last_pid).
      const { stdout } = await lab.inHost([
        'sh',
        '-c',
        `for turn in $(seq 200); do
         echo $(( ${first.pid} - 1 )) >/proc/sys/kernel/ns_last_pid
         "$0" httpd -f -p 7002 -h / >/dev/null 2>&1 &
         if [ $! = ${first.pid} ]; then echo $!; exit; fi
         kill $!
       done`,
        lab.busybox,
      ]);
      assert.equal(stdout.trim(), String(first.pid), 'the pid could not be had again');
      const opened = await watch.next(
        ({ type, text: line }) => type === 'listener-opened' && line.includes(':7002/'),
        seen,
      );
      assert.match(opened.text, new RegExp(`busybox \\(pid ${first.pid}\\)`));
      await watch.next(({ type, text: line }) => type === 'listener-closed' && /:7001.*node/.test(line), seen);
      await lab.inHost(['kill', '-9', String(first.pid)]);
      await watch.next(({ type, text: line }) => type === 'listener-closed' && /:7002.*busybox/.test(line), seen);
    } finally {
      await watch.stop();
    }
  });

  labTest('containers that end at once and namespaces that go while they are read are no failure', {}, async lab => {
    await lab.run('steady', { publish: ['8080:80'] });
    const watch = await startWatch(lab);
    try {
      const dying = async (lane: number): Promise<void> => {
        for (let turn = 0; turn < 8; turn += 1) {
          const name = `brief-${lane}-${turn}`;
          await lab.run(name, { publish: ['80'], cmd: turn % 2 === 0 ? ['true'] : ['httpd', '-f'] });
          await lab.remove(name);
        }
      };
      const looking = (async () => {
        for (let turn = 0; turn < 4; turn += 1) {
          const { code, stdout, stderr } = await lab.inHost(netdash('snapshot', '--json'), { cwd: process.cwd() });
          assert.equal(code, 0, stderr);
          const { sources } = JSON.parse(stdout) as { sources: Record<string, { state: string; reason?: string }> };
          for (const [name, { state, reason }] of Object.entries(sources)) {
            assert.notEqual(state, 'failed', `${name}: ${reason}`);
          }
        }
      })();
      await Promise.all([dying(0), dying(1), dying(2), looking]);
      const settled = watch.events.length;
      await lab.restart('steady');
      await watch.next(
        ({ type, containerName }) => type === 'container-started' && containerName === 'steady',
        settled,
      );
      assert.deepEqual(watch.of('source-failed'), []);
      assert.deepEqual(watch.of('port-changed'), []);
      assert.deepEqual(
        watch.of('finding-raised').map(({ text: line }) => line),
        [],
      );
    } finally {
      await watch.stop();
    }
  });

  labTest(
    'where /proc hides the processes of others, they are unknown to a plain user, and known to root',
    {},
    async lab => {
      await lab.run('web', { publish: ['8080:80'] });
      await lab.inHost(['chmod', '666', lab.socket]);
      const { code, stderr } = await lab.inHost('mount -o remount,hidepid=2 /proc'.split(' '));
      assert.equal(code, 0, stderr);
      const look = async (...prefix: string[]) => {
        const answer = await lab.inHost([...prefix, ...netdash('snapshot', '--json')], { cwd: process.cwd() });
        assert.equal(answer.code, 0, answer.stderr);
        return JSON.parse(answer.stdout) as {
          host: { docker: { local: boolean | null } | null };
          sources: Record<string, { state: string; reason?: string }>;
          listeners:
            | {
                port: number;
                pid: number | null;
                unknown?: Record<string, string>;
                owner: { containerName?: string };
              }[]
            | null;
          containers: { name: string; listeners: unknown[] | null; unknown?: Record<string, string> }[];
        };
      };
      const nobody = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', 'env', 'HOME=/nonexistent'];
      const plain = await look(...nobody);
      // Nor is this taken for another machine, on which the containers' processes are not.
      assert.notEqual(plain.host.docker?.local, false);
      assert.equal(plain.sources['links']?.state, 'ok', plain.sources['links']?.reason);
      assert.ok(plain.listeners, plain.sources['sockets']?.reason);
      const row = plain.listeners.find(({ port }) => port === 8080);
      assert.equal(row?.pid, null);
      assert.ok(row.unknown?.['pid'], 'it is not said why the process is not known');
      // Docker's own answer tells whose port it is.
      assert.equal(row.owner.containerName, 'web');
      const [web] = plain.containers;
      assert.equal(web?.listeners, null);
      assert.ok(web.unknown?.['listeners'], 'it is not said why its listeners are not known');
      const root = await look();
      assert.ok((root.listeners?.find(({ port }) => port === 8080)?.pid ?? 0) > 0);
    },
  );

  labTest('a clock that is set back, or forward and back, loses nothing and repeats nothing', {}, async lab => {
    await lab.run('one', { publish: ['80'] });
    const clock = join(lab.dir, 'clock');
    const set = async (ahead: number): Promise<void> => {
      writeFileSync(clock, String(ahead));
      await sleep(300);
    };
    await set(0);
    const preload = new URL('clock.mjs', import.meta.url).href;
    const watch = await startWatch(lab, { preload, env: { NETDASH_TEST_CLOCK: clock } });
    const expected: Told[] = [];
    try {
      for (const ahead of [0, -7_200_000, 86_400_000, 0]) {
        await set(ahead);
        const seen = watch.events.length;
        expected.push(...(await changes(lab, ['one'], 'restart', () => lab.restart('one'))));
        await watch.next(() => told(watch).length >= expected.length);
        const listener = await lab.listen({ address: '0.0.0.0', port: 7004 });
        await watch.next(({ type, text: line }) => type === 'listener-opened' && line.includes(':7004/'), seen);
        await listener.close();
        await watch.next(({ type, text: line }) => type === 'listener-closed' && line.includes(':7004/'), seen);
      }
      await sleep(2000);
      assert.deepEqual(causeless(told(watch)), causeless(expected));
      assert.deepEqual(watch.of('source-failed'), []);
    } finally {
      await watch.stop();
    }
  });
});
