/** What is said of containers that do not run, after the daemon was started again: as after a reboot of the host. */
import assert from 'node:assert/strict';
import { EngineError } from '../lab/lab.ts';
import { labTest } from '../lab/for-tests.ts';
import { takeSnapshot } from './netdash.ts';

labTest(
  'containers that do not run keep their network and their conflicts over a start of the daemon',
  {},
  async lab => {
    await lab.run('web', { publish: ['8080:80'], restart: 'always' });
    await lab.create('clash', { publish: ['8080:80'] });
    await assert.rejects(lab.start('clash'), EngineError);
    await lab.run('late', { publish: ['8081:80'] });
    await lab.stop('late');
    await lab.daemon.stop();
    await lab.daemon.start();
    const holder = await lab.listen({ address: '0.0.0.0', port: 8081 });

    // The default bridge is another one now, and `late` still has the id of the one before.
    const bridge = (await lab.api('GET', '/networks/bridge')) as { Id: string };
    const { NetworkSettings } = await lab.inspect('late');
    assert.notEqual(NetworkSettings.Networks['bridge']?.NetworkID, bridge.Id);

    const { containers, networks, findings } = await takeSnapshot(lab);
    for (const name of ['late', 'clash']) {
      const [endpoint] = containers.find(each => each.name === name)?.endpoints ?? [];
      assert.deepEqual([endpoint?.driver, endpoint?.networkId], ['bridge', bridge.Id], name);
    }
    const members = networks.find(({ id }) => id === bridge.Id)?.members.map(each => each.containerName);
    assert.deepEqual(members, ['clash', 'late', 'web']);

    // The kernel and the daemon say the same: neither can start.
    await assert.rejects(lab.start('clash'), /port is already allocated/);
    await assert.rejects(lab.start('late'), /address already in use/);
    const of = (name: string) => findings.filter(({ subject }) => subject.name === name);
    assert.deepEqual(
      of('clash').map(({ code }) => code),
      ['port-conflict-failed'],
    );
    assert.match(of('clash')[0]?.message ?? '', /port 8080\/tcp was taken; container web holds 0\.0\.0\.0:8080\/tcp/);
    assert.deepEqual(
      of('late').map(({ code }) => code),
      ['port-conflict-pending'],
    );
    await holder.close();
  },
);
