/** Docker read from a real daemon, against the docker command line and the daemon's own deeds. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'node:test';
import { connectDocker } from '../../source/host/docker-api.ts';
import { resolveEndpoint } from '../../source/host/docker-endpoint.ts';
import { pollCandidates } from '../../source/host/docker-list.ts';
import { listContainers, readContainers, readDocker } from '../../source/host/docker.ts';
import { HostError, type DockerEvent, type Host } from '../../source/host/host.ts';
import { createLiveHost } from '../../source/host/live-host.ts';
import type { ContainerReading } from '../../source/host/readings.ts';
import { describeLab, labTest } from '../lab/for-tests.ts';
import type { Lab } from '../lab/lab.ts';

const hostOf = (lab: Lab): Host =>
  createLiveHost({ docker: connectDocker(resolveEndpoint({ flag: `unix://${lab.socket}`, env: {} })) });

/** `80/tcp -> 0.0.0.0:8080`, the way `docker port` prints it; Docker 20.10 has `:::8080` for `[::]:8080`. */
const portLines = ({ publishedPorts }: ContainerReading): string[] =>
  publishedPorts.map(({ proto, containerPort, hostIp, hostPort }) => {
    const address = hostIp.includes(':') ? `[${hostIp}]` : hostIp;
    return `${containerPort}/${proto} -> ${address}:${hostPort}`;
  });

async function named(host: Host, name: string): Promise<ContainerReading> {
  const { value } = await readContainers(host);
  return value.find(container => container.name === name) ?? assert.fail(`no ${name}`);
}

/** A host that notes which paths of the API it is asked for. */
function watched(host: Host): { host: Host; asked: string[] } {
  const asked: string[] = [];
  const { docker } = host;
  const get: typeof docker.get = (path, options) => {
    asked.push(path);
    return docker.get(path, options);
  };
  return { host: { ...host, docker: { ...docker, get } }, asked };
}

const script = join(import.meta.dirname, 'print-locality.ts');

describeLab('Docker on a lab', { seed: 'mission' }, lab => {
  test('published ports are those of docker port, for every container', async () => {
    const { value, missing } = await readDocker(hostOf(lab()));
    assert.equal(missing, undefined);
    assert.deepEqual(value.containers.map(({ name }) => name).sort(), Object.keys(lab().mission.containers).sort());
    let lines = 0;
    for (const container of value.containers) {
      const { stdout, code, stderr } = await lab().docker(['port', container.name]);
      if (container.pid === 0 && code !== 0) continue;
      // Between the two it may have ended or been started.
      if (lab().mission.containers[container.name]?.state === 'looping') continue;
      assert.equal(code, 0, stderr);
      const printed = stdout
        .split('\n')
        .filter(line => line !== '')
        .map(line => line.replace(/-> ([0-9a-f:]*:[0-9a-f:]*):(\d+)$/, '-> [$1]:$2'));
      assert.deepEqual(portLines(container).sort(), printed.sort(), container.name);
      lines += printed.length;
    }
    assert.ok(lines > 20, `only ${lines} lines`);
  });

  test('states are those of the seed, and failed starts have their reason', async () => {
    const { value } = await readContainers(hostOf(lab()));
    for (const container of value) {
      const seeded = lab().mission.containers[container.name]!;
      if (seeded.state === 'looping') continue;
      assert.equal(container.state, seeded.state, container.name);
      if (seeded.refused) assert.notEqual(container.error, '', container.name);
    }
  });

  test('with nothing new one list is all that is asked', async () => {
    const { host, asked } = watched(hostOf(lab()));
    const first = await readContainers(host);
    asked.length = 0;
    const second = await readContainers(host, first.value);
    const loops = second.value.filter(({ name }) => lab().mission.containers[name]?.state === 'looping').length;
    assert.equal(asked.filter(path => path.startsWith('/containers/json')).length, 1);
    assert.ok(asked.length <= 1 + loops, asked.join(' '));
  });

  test('a restart is told by an event, and by the list without one', async () => {
    const host = hostOf(lab());
    const before = await named(host, 'myapp2');
    const events: DockerEvent[] = [];
    const start = new AbortController();
    const started = once(start.signal, 'abort');
    await new Promise<void>((opened, failed) => {
      const filters = { type: ['container'], event: ['start', 'die'] };
      const subscription = host.docker.events(
        filters,
        event => {
          events.push(event);
          if (event.action !== 'start' || event.id !== before.id) return;
          subscription.stop();
          start.abort();
        },
        opened,
      );
      void subscription.ended.then(error => error && failed(error));
    });
    const previous = (await readContainers(host)).value;
    await lab().restart('myapp2');
    await started;
    const mine = events.filter(({ id }) => id === before.id).map(({ action }) => action);
    assert.deepEqual(mine, ['die', 'start']);
    const { host: again, asked } = watched(host);
    const { value } = await readContainers(again, previous);
    const after = value.find(({ id }) => id === before.id)!;
    assert.ok(asked.includes(`/containers/${before.id}/json`));
    assert.notEqual(after.startedAt, before.startedAt);
    const [entry] = (await listContainers(host)).filter(({ id }) => id === before.id);
    assert.equal(after.listSignature, entry!.signature);
    // The daemon's cursor of ephemeral ports moves on with each start.
    assert.notDeepEqual(portLines(after), portLines(before));
  });

  test('a start that fails shows in the container that is polled', async () => {
    const host = hostOf(lab());
    const { value: previous } = await readContainers(host);
    const standby = previous.find(({ name }) => name === 'standby')!;
    assert.equal(standby.error, '');
    assert.ok(pollCandidates(previous).includes(standby.id));
    await assert.rejects(lab().start('standby'));
    const { value } = await readContainers(host, previous, new Set([standby.id]));
    assert.match(value.find(({ id }) => id === standby.id)!.error, /already (allocated|in use)/);
  });

  test('its kernel is this one, but its processes are to be seen on the machine alone', async () => {
    const { value } = await readDocker(hostOf(lab()));
    assert.equal(value.engine.local, false, value.engine.localReason);
    const inside = await lab().inHost([process.execPath, '--import', 'tsx', script, lab().socket]);
    assert.match(inside.stdout, /^true /, inside.stdout + inside.stderr);
  });
});

labTest('a daemon that dies and comes back', {}, async lab => {
  const host = hostOf(lab);
  await lab.run('stays');
  const subscription = host.docker.events({}, () => undefined);
  assert.equal((await readContainers(host)).value.length, 1);
  await lab.daemon.stop('SIGKILL');
  assert.equal((await subscription.ended)?.code, 'refused');
  await assert.rejects(readContainers(host), (error: unknown) => {
    assert.ok(error instanceof HostError);
    assert.match(error.message, /^no Docker daemon at unix:/);
    return true;
  });
  await lab.daemon.start();
  for (let tries = 0; ; tries += 1) {
    const { value } = await readContainers(host);
    assert.equal(value.length, 1);
    if (value[0]!.inspectError === undefined) break;
    assert.ok(tries < 20);
    await sleep(100);
  }
});
