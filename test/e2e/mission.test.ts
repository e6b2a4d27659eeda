/** The scenario that netdash was made for, read by the built program on a real host: modes, states, owners, findings. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Snapshot } from '../../source/facts/schema.ts';
import { describeLab } from '../lab/for-tests.ts';
import type { Lab } from '../lab/lab.ts';
import { runJson, takeSnapshot } from './netdash.ts';
import { hostPortsOf, hostSockets } from './port-witness.ts';

interface Doctor {
  findings: Snapshot['findings'];
}

const containerNamed = (snapshot: Snapshot, name: string) =>
  snapshot.containers.find(container => container.name === name) ?? assert.fail(`${name} is not in the snapshot`);

/** Ports that are missing inside count from 15 s after a container's start. */
async function settle(lab: Lab): Promise<void> {
  const starts = await Promise.all(
    ['silent', 'inward', 'web3', 'paused'].map(async name => Date.parse((await lab.inspect(name)).State.StartedAt)),
  );
  await sleep(Math.max(0, Math.max(...starts) + 16_000 - Date.now()));
}

for (const proxy of [true, false]) {
  const dockerdArgs = proxy ? [] : ['--userland-proxy=false'];
  describeLab(`the mission ${proxy ? 'with' : 'without'} docker-proxy`, { seed: 'mission', dockerdArgs }, lab => {
    test('modes and states are as they were made', async () => {
      const snapshot = await takeSnapshot(lab());
      for (const [name, seeded] of Object.entries(lab().mission.containers)) {
        const container = containerNamed(snapshot, name);
        assert.equal(container.networkMode, seeded.mode, name);
        const states = seeded.state === 'looping' ? ['restarting', 'running', 'exited'] : [seeded.state];
        assert.ok(states.includes(container.state), `${name} is ${container.state}`);
      }
      assert.equal(containerNamed(snapshot, 'shared').sharesNetnsWith?.name, 'web');
    });

    test('doctor finds what is wrong, names the holder, and finds nothing else in the way', async () => {
      await settle(lab());
      const { code, json: answer } = await runJson(lab(), 'doctor');
      const json = answer as Doctor;
      assert.equal(code, 1);
      const expected = Object.entries(lab().mission.containers).filter(([, { finding }]) => finding);
      for (const [name, { finding }] of expected) {
        const found = json.findings.find(
          item => item.code === finding!.code && (item.subject.name === name || item.message.includes(name)),
        );
        const all = json.findings.map(item => `${item.code} ${item.subject.name}`).join(', ');
        assert.ok(found, `no ${finding!.code} for ${name} among ${all}`);
        assert.ok(found.evidence.length > 0, `${found.id} has no evidence`);
        if (finding!.holder === 'listener') {
          const { port } = found.ports[0] ?? assert.fail(`${found.id} names no port`);
          const holder = lab().mission.listeners.find(listener => listener.port === port);
          assert.match(found.message, new RegExp(`pid ${holder?.pid}\\b`), found.message);
        } else if (finding!.holder) assert.match(found.message, new RegExp(`\\b${finding!.holder}\\b`), found.message);
      }
      const conflicts = json.findings.filter(
        item => item.code.startsWith('port-conflict') && item.subject.kind === 'container',
      );
      const innocent = conflicts.filter(item => !lab().mission.containers[item.subject.name]?.finding);
      assert.deepEqual(
        innocent.map(item => item.id),
        [],
      );
      for (const name of ['web2', 'web3']) {
        const { pid } = (await takeSnapshot(lab())).listeners?.find(
          listener => listener.port === 80 && listener.owner.containerName === 'web1',
        ) ?? { pid: null };
        const found = json.findings.find(item => item.subject.name === name && item.code === 'port-conflict-host-mode');
        assert.match(found?.message ?? '', new RegExp(`web1's httpd \\(pid ${pid}\\) holds 0\\.0\\.0\\.0:80`));
      }
    });

    test('every mapping that Docker tells of is there, and every socket of the host has its row and owner', async () => {
      const snapshot = await takeSnapshot(lab());
      for (const container of snapshot.containers.filter(({ state }) => state === 'running')) {
        const ours = container.publishedPorts.map(
          port => `${port.containerPort}/${port.proto} ${port.hostIp} ${port.hostPort}`,
        );
        const { NetworkSettings, State } = await lab().inspect(container.name);
        // The one that crashes over and over may have been started anew in between.
        if (State.Pid !== container.pid) continue;
        const docker = Object.entries(NetworkSettings.Ports ?? {}).flatMap(([port, bindings]) =>
          (bindings ?? []).map(({ HostIp, HostPort }) => `${port} ${HostIp} ${HostPort}`),
        );
        assert.deepEqual(ours.toSorted(), docker.toSorted(), container.name);
      }
      const owners = await hostPortsOf(lab());
      const sockets = (await hostSockets(lab())).filter(socket => !owners.isRestless(socket));
      assert.ok(sockets.length > 20, `${sockets.length} sockets`);
      const rows = snapshot.listeners ?? assert.fail('no listeners');
      for (const socket of sockets) {
        const row = rows.find(
          item =>
            item.proto === socket.proto &&
            item.address === socket.address &&
            item.port === socket.port &&
            item.pid === socket.pid,
        );
        assert.ok(row, `no row for ${JSON.stringify(socket)}`);
        assert.equal(row.process, socket.process);
        if (socket.v6only !== undefined) assert.equal(row.v6only, socket.v6only, JSON.stringify(row));
        assert.equal(row.owner.containerName, owners.of(socket), `owner of ${JSON.stringify(row)}`);
      }
      const known = new Set(sockets.map(socket => `${socket.proto} ${socket.address} ${socket.port}`));
      const invented = rows.filter(
        row => !known.has(`${row.proto} ${row.address} ${row.port}`) && !owners.isRestless(row),
      );
      assert.deepEqual(invented, []);
    });

    test("the rules of a published port are named as its container's own", async () => {
      const snapshot = await takeSnapshot(lab());
      const web = containerNamed(snapshot, 'web');
      const own = (snapshot.rules ?? []).filter(rule => rule.containerIds.includes(web.id));
      assert.ok(
        own.some(rule => rule.table === 'nat' && /--dport 8080 .*-j DNAT/.test(rule.text) && rule.author === 'docker'),
        own.map(rule => rule.text).join('\n'),
      );
      const { address } = { address: web.endpoints[0]?.ipv4 };
      assert.ok(
        own.some(rule => rule.table === 'filter' && rule.text.includes(`-d ${address}/32`) && rule.action === 'accept'),
      );
    });
  });
}

describeLab('one look', { seed: 'none' }, lab => {
  test('also finds an outgoing connection that holds a port which a container asks for', async () => {
    await lab().run('server', { publish: ['8080:80'] });
    const script = `
      const socket = require('node:net').connect({ host: '${lab().addresses.host}', port: 8080 });
      socket.on('connect', () => console.log(socket.localPort));
      setTimeout(() => {}, 60_000);`;
    const client = await lab().spawnInHost([process.execPath, '-e', script]);
    const [port] = (await once(client.child.stdout!, 'data')) as [Buffer];
    await lab().create('waiting', { publish: [`${port.toString().trim()}:80`] });
    const pending = async () =>
      ((await runJson(lab(), 'doctor')).json as Doctor).findings.filter(({ subject }) => subject.name === 'waiting');
    const [finding] = await pending();
    assert.equal(finding?.code, 'port-conflict-pending');
    assert.match(finding.message, new RegExp(`pid ${client.pid}\\b`));
    await assert.rejects(lab().start('waiting'), /address already in use/);
    const [failed] = await pending();
    assert.equal(failed?.code, 'port-conflict-failed');
    assert.match(failed.message, new RegExp(`pid ${client.pid}\\b`));
    await client.kill('SIGKILL');
  });
});
