/** Daemons that are not the host's own dockerd: rootless Docker run by a user, and Podman in Docker's language. Both really run. */
import assert from 'node:assert/strict';
import { createInterface } from 'node:readline';
import { before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import * as v from 'valibot';
import { SnapshotSchema, type Container, type NetdashEvent, type Snapshot } from '../../source/facts/schema.ts';
import { enginesObstacle, rootlessUser, startPodman, startRootlessDocker, type Engine } from '../lab/engines.ts';
import { describeLab } from '../lab/for-tests.ts';
import { pageText, type ContainerDetails, type Lab } from '../lab/lab.ts';
import { netdash } from './netdash.ts';

const skip = enginesObstacle() ?? false;
/** In which verdicts are told by ✓ and ✗. */
const utf8 = { LC_ALL: 'C.UTF-8' };

async function look(lab: Lab, engine: Engine, prefix: string[] = []): Promise<Snapshot> {
  const env = { DOCKER_HOST: engine.url, HOME: '/nonexistent', XDG_STATE_HOME: '' };
  const { code, stdout, stderr } = await lab.inHost([...prefix, ...netdash('snapshot', '--json')], { env });
  assert.equal(code, 0, stderr);
  return v.parse(SnapshotSchema, JSON.parse(stdout));
}

const named = (snapshot: Snapshot, name: string): Container =>
  snapshot.containers.find(container => container.name === name) ?? assert.fail(`${name} is missing`);

const places = (ports: readonly { proto: string; hostIp: string; hostPort: number }[]): string[] =>
  ports.map(({ proto, hostIp, hostPort }) => `${proto} ${hostIp} ${hostPort}`).sort();

/** What the daemon itself says that a container publishes. */
async function mapped(engine: Engine, name: string): Promise<string[]> {
  const { NetworkSettings } = (await engine.api('GET', `/containers/${name}/json`)) as ContainerDetails;
  return Object.entries(NetworkSettings.Ports)
    .flatMap(([key, list]) =>
      (list ?? []).map(({ HostIp, HostPort }) => `${key.split('/')[1]} ${HostIp || '0.0.0.0'} ${HostPort}`),
    )
    .sort();
}

/** The sockets of the host that a program holds, as `ss` has them. */
async function heldBy(lab: Lab, program: string): Promise<string[]> {
  const { stdout } = await lab.inHost(['ss', '-Htulnp']);
  return stdout
    .split('\n')
    .filter(line => line.includes(`"${program}"`))
    .map(line => {
      const [proto = '', , , , local = ''] = line.split(/\s+/);
      const at = local.lastIndexOf(':');
      return `${proto} ${local.slice(0, at).replace(/[[\]]/g, '')} ${local.slice(at + 1)}`;
    })
    .sort();
}

/** The rows of the host's listeners that a program holds, each with the container that it is said to be for. */
const rowsOf = (snapshot: Snapshot, program: string) =>
  (snapshot.listeners ?? assert.fail('listeners are not known'))
    .filter(({ process }) => process === program)
    .map(({ proto, address, port, owner }) => ({ place: `${proto} ${address} ${port}`, owner: owner.containerName }));

/** Every socket of that program is shown, and is said to be of the container that the daemon gave it to. */
async function assertOwners(lab: Lab, engine: Engine, snapshot: Snapshot, program: string): Promise<void> {
  const rows = rowsOf(snapshot, program);
  assert.deepEqual(rows.map(({ place }) => place).sort(), await heldBy(lab, program));
  assert.ok(rows.length > 2);
  for (const { place, owner } of rows)
    assert.ok(owner !== undefined && (await mapped(engine, owner)).includes(place), `${place}: ${owner}`);
}

/** Follows a daemon and restarts a container of it until that is told. */
async function assertRestartIsTold(lab: Lab, engine: Engine, name: string): Promise<void> {
  const env = { DOCKER_HOST: engine.url };
  const watch = await lab.spawnInHost(netdash('watch', '--json'), { env });
  const events: NetdashEvent[] = [];
  createInterface({ input: watch.child.stdout! }).on('line', line => events.push(JSON.parse(line) as NetdashEvent));
  try {
    for (
      let turn = 0;
      !events.some(event => event.type === 'container-started' && event.containerName === name);
      turn += 1
    ) {
      assert.ok(turn < 30, `nothing is told of ${name}: ${JSON.stringify(events)}`);
      await engine.api('POST', `/containers/${name}/restart?t=0`);
      await sleep(1500);
    }
    assert.deepEqual(
      events.filter(({ type }) => /^source-failed|container-(?:created|removed)$/.test(type)),
      [],
    );
  } finally {
    await watch.kill('SIGTERM');
    await watch.exited;
  }
}

describeLab('rootless Docker', {}, lab => {
  let engine: Engine;
  before(async () => {
    if (skip) return;
    engine = await startRootlessDocker(lab());
    await engine.run('web', { publish: ['8080:80', '127.0.0.1:8081:80', '80'] });
    await engine.networkCreate('app');
    await engine.run('api', { network: 'app' });
    await engine.run('hosty', { network: 'host', cmd: ['httpd', '-f', '-p', '9099'] });
    await assert.rejects(engine.run('rival', { publish: ['8080:80'] }));
    await assert.rejects(engine.run('low', { publish: ['81:80'] }));
    // Not the netns in which hosty listens.
    await lab().listen({ address: '0.0.0.0', port: 9099 });
  });

  test('its ports are those that rootlesskit holds on this host', { skip }, async () => {
    const seen = await look(lab(), engine);
    assert.deepEqual([seen.host.docker?.rootless, seen.host.docker?.local], [true, true]);
    for (const name of ['web', 'api', 'hosty'])
      assert.deepEqual(places(named(seen, name).publishedPorts), await mapped(engine, name), name);
    await assertOwners(lab(), engine, seen, 'rootlesskit');
    assert.match((await lab().fetchFrom('host', '127.0.0.1', 8080)) ?? '', new RegExp(pageText));
  });

  test('nothing of this host is taken for what is in its network namespace', { skip }, async () => {
    const seen = await look(lab(), engine);
    assert.deepEqual(
      seen.links.filter(({ containerId }) => containerId !== undefined),
      [],
    );
    for (const { name, endpoints } of seen.containers)
      for (const { veth, bridge } of endpoints) assert.deepEqual([veth, bridge], [undefined, undefined], name);
    // docker0 of the other dockerd is there; it is not that of the network `bridge`.
    assert.ok(seen.interfaces.some(({ name }) => name === 'docker0'));
    for (const rule of seen.rules ?? []) assert.deepEqual([rule.containerIds, rule.networkIds], [[], []], rule.text);
    const hosty = named(seen, 'hosty');
    assert.equal(hosty.listeners, null);
    assert.match(hosty.unknown?.['listeners'] ?? '', /network namespace of its own/);
    for (const name of ['links', 'netfilter', 'kernel'])
      assert.match(seen.sources[name]?.reason ?? '', /rootless.*network namespace of its own/, name);
    assert.deepEqual(seen.findings.map(({ code, subject }) => `${code} ${subject.name}`).sort(), [
      'bind-failed low',
      'port-conflict-failed rival',
    ]);
    for (const { name, pid, processes } of seen.containers) {
      for (const process of processes ?? []) {
        const spaces = await lab().inHost(['readlink', `/proc/${pid}/ns/pid`, `/proc/${process.pid}/ns/pid`]);
        const [first, other] = spaces.stdout.split('\n');
        assert.equal(other, first, `${process.name} is none of ${name}'s`);
      }
    }
  });

  test('verdicts are unknown, and doctor says what it could not judge', { skip }, async () => {
    const env = { DOCKER_HOST: engine.url };
    const verdict = await lab().inHost(netdash('explain', '8080'), { env: { ...env, ...utf8 } });
    assert.equal(verdict.code, 3);
    assert.doesNotMatch(verdict.stdout, /✓|✗/);
    const doctor = await lab().inHost(netdash('doctor'), { env });
    assert.equal(doctor.code, 1);
    assert.match(doctor.stdout, /^not judged for want of that: .*docker-rules-missing.*blocked/m);
    const { stdout } = await lab().inHost(netdash('snapshot'), { env });
    assert.match(verdict.stdout, /^not read: rules and links of rootless Docker's own netns$/m);
    assert.match(stdout, /FIREWALL[^]*netfilter incomplete: these are this machine's: the daemon is rootless/);
    assert.match(stdout, /daemon's netns +- +- +hosty/);
  });

  test('its own user sees the same ports and owners, and restarts are told', { skip }, async () => {
    const own = ['setpriv', `--reuid=${rootlessUser}`, `--regid=${rootlessUser}`, '--clear-groups'];
    const seen = await look(lab(), engine, own);
    await assertOwners(lab(), engine, seen, 'rootlesskit');
    assert.equal(seen.rules, null);
    await assertRestartIsTold(lab(), engine, 'web');
  });
});

describeLab('Podman', {}, lab => {
  let engine: Engine;
  before(async () => {
    if (skip) return;
    engine = await startPodman(lab());
    await engine.run('web', { publish: ['8080:80', '127.0.0.1:8081:80', '80'] });
    await engine.networkCreate('app');
    await engine.run('api', { network: 'app', publish: ['8082:80'] });
    await engine.run('hosty', { network: 'host', cmd: ['httpd', '-f', '-p', '9099'] });
    await assert.rejects(engine.run('rival', { publish: ['8080:80'] }));
  });

  test('its containers, ports, networks and links are told as they are', { skip }, async () => {
    const seen = await look(lab(), engine);
    assert.deepEqual([seen.host.docker?.podman, seen.host.docker?.local], [true, true]);
    const modes = Object.fromEntries(seen.containers.map(({ name, networkMode }) => [name, networkMode]));
    assert.deepEqual(modes, { web: 'bridge', api: 'user-bridge', hosty: 'host', rival: 'bridge' });
    for (const name of ['web', 'api', 'hosty'])
      assert.deepEqual(places(named(seen, name).publishedPorts), await mapped(engine, name), name);
    await assertOwners(lab(), engine, seen, 'conmon');
    assert.deepEqual(
      named(seen, 'hosty').listeners?.map(({ port }) => port),
      [9099],
    );
    // By the container's own interface, and by what hangs on which bridge.
    for (const name of ['web', 'api']) {
      const container = named(seen, name);
      const [endpoint] = container.endpoints;
      const inside = await lab().inHost([
        'nsenter',
        '-t',
        String(container.pid),
        '-n',
        'ip',
        '-o',
        'link',
        'show',
        'eth0',
      ]);
      assert.equal(inside.code, 0, inside.stderr);
      const peer = /eth0@if(\d+)/.exec(inside.stdout)?.[1];
      const host = await lab().inHost(['ip', '-o', 'link', 'show', 'master', endpoint?.bridge ?? '?']);
      assert.match(host.stdout, new RegExp(String.raw`^${peer}: ${endpoint?.veth}@`, 'm'), name);
      const network = seen.networks.find(each => each.name === endpoint?.network);
      assert.equal(network?.bridge, endpoint?.bridge, name);
      assert.ok(network?.members.some(({ containerName }) => containerName === name));
    }
    assert.deepEqual(
      new Set(seen.rules?.filter(({ chain }) => chain.startsWith('NETAVARK')).map(({ author }) => author)),
      new Set(['podman']),
    );
  });

  test('what it does not say is no finding, and what is wrong is one', { skip }, async () => {
    const codes = async () =>
      (await look(lab(), engine)).findings.map(({ code, subject }) => `${code} ${subject.name}`);
    assert.ok((await codes()).includes('port-conflict-pending rival'));
    const others =
      /^(?:subnet-overlap|docker-rules-missing|orphan-|stale-proxy|bindings-missing|ports-ignored|link-missing)/;
    assert.deepEqual(
      (await codes()).filter(code => others.test(code)),
      [],
    );
    // Containers, proxies and rules of the machine's own dockerd are strangers to it, not leftovers.
    await lab().run('docked', { publish: ['8090:80'] });
    assert.deepEqual(
      (await codes()).filter(code => others.test(code)),
      [],
    );
    await lab().remove('docked');
  });

  test('verdicts are what really happens', { skip }, async () => {
    for (const port of [8080, 8082]) {
      for (const [from, address] of [
        ['host', '127.0.0.1'],
        ['lan', lab().addresses.host],
      ] as const) {
        const env = { DOCKER_HOST: engine.url, ...utf8 };
        const question = from === 'host' ? [] : ['--from', 'lan'];
        const { stdout } = await lab().inHost(netdash('explain', `${address}:${port}`, ...question), { env });
        const reached = (await lab().fetchFrom(from, address, port)) !== undefined;
        const line = stdout.split('\n').find(each => each.includes(`to ${address}:${port}/tcp`)) ?? assert.fail(stdout);
        assert.match(line, reached ? /^✓ reachable/ : /^✗ (?:blocked|nothing)/, line);
      }
    }
  });

  test('restarts are told', { skip }, () => assertRestartIsTold(lab(), engine, 'web'));
});
