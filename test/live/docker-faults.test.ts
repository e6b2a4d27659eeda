/** Faults of the daemon and of the way to it, on a real host: netdash says so, stays right, and recovers by itself. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { labTest, labVersions } from '../lab/for-tests.ts';
import { startLab, type Lab } from '../lab/lab.ts';
import { SocketProxy, type Treatment } from './socket-proxy.ts';
import { changes, text, told } from './told-changes.ts';
import { netdash, startWatch, type Watch } from './watching.ts';

/** What the source `docker` says to one look. */
async function dockerSays(lab: Lab, ...prefix: string[]): Promise<{ version?: string; reason?: string }> {
  const { stdout, stderr } = await lab.inHost([...prefix, ...netdash('snapshot', '--json')], { cwd: process.cwd() });
  assert.notEqual(stdout, '', stderr);
  const { host, sources } = JSON.parse(stdout) as {
    host: { docker: { version: string } | null };
    sources: { docker: { reason?: string } };
  };
  return { version: host.docker?.version, reason: sources.docker.reason };
}

/** Restarts a container with an ephemeral port and expects its move to be told once, whatever the cause. */
async function restartIsTold(lab: Lab, watch: Watch, act: () => Promise<void> = async () => undefined): Promise<void> {
  const before = told(watch).length;
  const moved = await changes(lab, ['eph'], 'unknown', async () => {
    await lab.restart('eph');
    await act();
  });
  assert.equal(moved.length, 1);
  await watch.next(() => told(watch).length > before);
  await sleep(1500);
  const causeless = told(watch)
    .slice(before)
    .map(each => ({ ...each, cause: 'unknown' as const }));
  assert.deepEqual(text(causeless), text(moved));
}

describe('faults of the daemon', { concurrency: true }, () => {
  labTest('a daemon that hangs is said to, and is taken up when it goes on', {}, async lab => {
    await lab.run('eph', { publish: ['80'] });
    const watch = await startWatch(lab);
    try {
      await lab.daemon.freeze(true);
      const failed = await watch.next(({ type }) => type === 'source-failed');
      assert.match(failed.text, /docker cannot be read: Docker did not (answer|open)|no answer/);
      // What needs no Docker goes on.
      const listener = await lab.listen({ address: '0.0.0.0', port: 7001 });
      await watch.next(({ type, text: line }) => type === 'listener-opened' && line.includes(':7001/'));
      await listener.close();
      assert.match((await dockerSays(lab)).reason ?? '', /did not answer|no answer/);
      await lab.daemon.freeze(false);
      await watch.next(({ type }) => type === 'source-recovered');
      await restartIsTold(lab, watch);
    } finally {
      await lab.daemon.freeze(false);
      await watch.stop();
    }
  });

  labTest('a socket that is gone is said to be, and the next daemon is taken up', {}, async lab => {
    await lab.run('eph', { publish: ['80'] });
    const watch = await startWatch(lab);
    try {
      await lab.inHost(['rm', lab.socket]);
      assert.match((await dockerSays(lab)).reason ?? '', /no Docker daemon|docker\.sock/);
      await lab.daemon.stop('SIGKILL');
      const failed = await watch.next(({ type }) => type === 'source-failed');
      assert.match(failed.text, /no Docker daemon|docker\.sock/);
      await lab.daemon.start();
      await watch.next(({ type }) => type === 'source-recovered');
      await lab.start('eph');
      await restartIsTold(lab, watch);
    } finally {
      await watch.stop();
    }
  });

  labTest(
    'a daemon that is stopped in order loses no container: what it does not answer any more is not gone',
    {},
    async lab => {
      // It takes its socket away first, and goes on telling events while the containers end.
      for (const name of ['eph', 'two', 'three']) await lab.run(name, { publish: ['80'], restart: 'always' });
      const watch = await startWatch(lab);
      try {
        const seen = watch.events.length;
        for (let turn = 0; turn < 2; turn += 1) {
          const from = watch.events.length;
          await lab.daemon.stop();
          await watch.next(({ type }) => type === 'source-failed', from);
          await lab.daemon.start();
          await watch.next(({ type }) => type === 'source-recovered', from);
          await watch.next(
            ({ type, containerName }) => type === 'container-started' && containerName === 'three',
            from,
          );
        }
        const comings = watch.events
          .slice(seen)
          .filter(({ type, text: line }) => /^container-(created|removed)$/.test(type) && !line.startsWith('probe-'));
        assert.deepEqual(comings, []);
        // The ports of the others may be told after the start of the last.
        for (let known = -1; known !== watch.events.length; await sleep(3000)) known = watch.events.length;
        await restartIsTold(lab, watch);
      } finally {
        await watch.stop();
      }
    },
  );

  labTest('a permission that is withdrawn is said to be, and taken up when it is given again', {}, async lab => {
    await lab.run('eph', { publish: ['80'] });
    const nobody = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', 'env', 'HOME=/nonexistent'];
    await lab.inHost(['chmod', '666', lab.socket]);
    await lab.inHost(['chmod', '755', lab.dir]);
    assert.ok((await dockerSays(lab, ...nobody)).version);
    await lab.inHost(['chmod', '660', lab.socket]);
    assert.match((await dockerSays(lab, ...nobody)).reason ?? '', /permission denied/);
    await lab.inHost(['chmod', '666', lab.socket]);
    assert.ok((await dockerSays(lab, ...nobody)).version);
  });

  labTest('a way to Docker that is cut loses no change, nor does one that lets no events through', {}, async lab => {
    await lab.run('eph', { publish: ['80'] });
    const proxy = await SocketProxy.start(join(lab.dir, 'proxy.sock'), lab.socket);
    const watch = await startWatch(lab, { docker: `unix://${proxy.path}` });
    try {
      // Cut for an instant: that is no news.
      proxy.cut();
      await restartIsTold(lab, watch);
      assert.deepEqual(watch.of('source-failed'), []);

      // Cut for longer, while things happen.
      proxy.treat = () => 'cut';
      proxy.cut();
      await restartIsTold(lab, watch, async () => {
        await watch.next(({ type }) => type === 'source-failed');
        proxy.treat = () => 'pass';
      });
      await watch.next(({ type }) => type === 'source-recovered');

      // A proxy that forbids events: lists have to do.
      proxy.treat = path => (path.includes('/events') ? 'forbid' : 'pass');
      proxy.cut();
      const seen = watch.events.length;
      await restartIsTold(lab, watch);
      assert.deepEqual(
        watch.events.slice(seen).filter(({ type }) => type === 'source-failed'),
        [],
      );

      // Containers that are gone when they are to be inspected.
      proxy.treat = async (path): Promise<Treatment> => {
        if (/\/containers\/[0-9a-f]{64}\/json/.test(path)) await sleep(150);
        return 'pass';
      };
      proxy.cut();
      for (let turn = 0; turn < 15; turn += 1) {
        await lab.run(`brief-${turn}`);
        await lab.remove(`brief-${turn}`);
      }
      await restartIsTold(lab, watch);
      assert.deepEqual(
        watch.events.slice(seen).filter(({ type }) => type === 'source-failed'),
        [],
      );
      const created = watch.of('container-created').map(({ containerId }) => containerId);
      assert.equal(new Set(created).size, created.length);
    } finally {
      await watch.stop();
      await proxy.stop();
    }
  });

  // Needs two releases that keep their data in one way: part of `npm run test:versions`.
  test(
    'a daemon that is upgraded under its socket is another version, with the same containers',
    { skip: labVersions.includes('26') ? false : 'needs Docker 26 and 28: LAB_VERSIONS=26' },
    async () => {
      const lab = await startLab({ docker: '26' });
      try {
        await lab.run('eph', { publish: ['80'], restart: 'always' });
        const watch = await startWatch(lab);
        assert.equal((await dockerSays(lab)).version, lab.dockerVersion);
        await lab.daemon.stop();
        await watch.next(({ type }) => type === 'source-failed');
        await lab.daemon.start('28');
        await watch.next(({ type }) => type === 'source-recovered');
        const after = await dockerSays(lab);
        assert.match(after.version ?? '', /^28\./);
        assert.equal(after.reason, undefined);
        for (let turn = 0; !(await lab.inspect('eph')).State.Running; turn += 1) {
          assert.ok(turn < 200, 'eph does not come back');
          await sleep(100);
        }
        await restartIsTold(lab, watch);
        const again = watch.of('container-created').filter(({ containerName }) => containerName === 'eph');
        assert.deepEqual(again, []);
        await watch.stop();
      } finally {
        await lab.stop();
      }
    },
  );
});
