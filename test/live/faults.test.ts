/** What a host does to those who watch it: netdash stays up, says what is wrong, and recovers by itself. */
import assert from 'node:assert/strict';
import { labTest } from '../lab/for-tests.ts';
import { startWatch } from './watching.ts';

labTest('dockerd killed, rules flushed, a veth deleted: netdash says so and recovers', {}, async lab => {
  await lab.run('web', { publish: ['8080:80'] });
  const watch = await startWatch(lab);
  try {
    await lab.daemon.stop('SIGKILL');
    const failed = await watch.next(({ type }) => type === 'source-failed');
    assert.match(failed.text, /docker/);
    const seen = watch.events.length;
    await lab.daemon.start();
    const recovered = await watch.next(({ type }) => type === 'source-recovered', seen);
    assert.match(recovered.text, /docker/);
    const before = watch.events.length;
    await lab.run('after', { publish: ['8081:80'] });
    await watch.next(({ type, containerName }) => type === 'container-started' && containerName === 'after', seen);

    // Rules that come and go between two dumps leave no trace: these are to be seen first.
    // They may be read before the start is told.
    await watch.next(({ type, text }) => type === 'rules-changed' && /added/.test(text), before);

    const flushed = watch.events.length;
    assert.equal((await lab.inHost(['iptables', '-t', 'nat', '-F', 'DOCKER'])).code, 0);
    await watch.next(({ type, text }) => type === 'rules-changed' && /removed/.test(text), flushed);

    const veths = (await lab.inHost(['ip', '-o', 'link', 'show', 'type', 'veth', 'master', 'docker0'])).stdout;
    const [, veth] = /^\d+: ([^@:]+)/.exec(veths.trim().split('\n').at(-1)!) ?? [];
    assert.ok(veth);
    const deleted = watch.events.length;
    assert.equal((await lab.inHost(['ip', 'link', 'delete', veth])).code, 0);
    await watch.next(({ type, text }) => type === 'links-changed' && text.includes(veth), deleted);

    // And it goes on: a restart is told as ever.
    const last = watch.events.length;
    await lab.restart('after');
    await watch.next(({ type, containerName }) => type === 'container-started' && containerName === 'after', last);
  } finally {
    await watch.stop();
  }
});

labTest('a start that fails is told, though Docker emits no event of it', {}, async lab => {
  await lab.run('holder', { publish: ['8080:80'] });
  await lab.create('late', { publish: ['8080:80'] });
  const watch = await startWatch(lab);
  try {
    await assert.rejects(lab.start('late'));
    const { finding } = await watch.next(
      ({ type, finding: found }) => type === 'finding-raised' && found?.code === 'port-conflict-failed',
    );
    assert.equal(finding?.subject.name, 'late');
    assert.match(finding.message, /holder/);
    const seen = watch.events.length;
    await lab.remove('holder');
    await lab.start('late');
    await watch.next(
      ({ type, finding: found }) => type === 'finding-cleared' && found?.code === 'port-conflict-failed',
      seen,
    );
  } finally {
    await watch.stop();
  }
});

labTest('without a daemon everything else is read, and Docker is taken up when it comes', {}, async lab => {
  await lab.run('web', { publish: ['8080:80'] });
  await lab.daemon.stop('SIGKILL');
  const { code, stdout } = await lab.inHost([process.execPath, '--import', 'tsx', 'cli.tsx', 'snapshot', '--json'], {
    cwd: process.cwd(),
  });
  assert.equal(code, 0);
  const snapshot = JSON.parse(stdout) as {
    host: { docker: unknown };
    sources: Record<string, { state: string; reason?: string }>;
    listeners: unknown[];
    rules: { text: string }[];
    links: unknown[];
  };
  assert.equal(snapshot.host.docker, null);
  assert.equal(snapshot.sources['docker']?.state, 'failed');
  assert.match(snapshot.sources['docker'].reason ?? '', /no Docker daemon|nothing listens/);
  assert.ok(snapshot.rules.some(({ text }) => text.includes('--dport 8080')));
  assert.ok(snapshot.links.length > 0);
  assert.equal(snapshot.sources['links']?.state, 'ok');

  const watch = await startWatch(lab, { daemonIsDown: true });
  try {
    await lab.daemon.start();
    await watch.next(({ type, text }) => type === 'source-recovered' && text.includes('docker'));
    await lab.start('web');
    await watch.next(({ type, containerName }) => type === 'container-started' && containerName === 'web');
  } finally {
    await watch.stop();
  }
});
