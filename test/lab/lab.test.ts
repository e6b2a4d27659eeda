import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parsePublish } from './containers.ts';
import { describeLab, labTest } from './for-tests.ts';
import { labRequirement, pageText, startLab, type Lab } from './lab.ts';
import { leftovers, tracesOf, type Traces } from './leftovers.ts';
import { seedSwarm } from './seeds/swarm.ts';

const here = dirname(fileURLToPath(import.meta.url));

const at = (HostIp: string, HostPort: string) => ({ HostIp, HostPort });

test('reads -p as docker run does', () => {
  assert.deepEqual(parsePublish('8080:80'), [['80/tcp', at('', '8080')]]);
  assert.deepEqual(parsePublish('80'), [['80/tcp', at('', '')]]);
  assert.deepEqual(parsePublish('127.0.0.1::80/udp'), [['80/udp', at('127.0.0.1', '')]]);
  assert.deepEqual(parsePublish('[::1]:8093:80'), [['80/tcp', at('::1', '8093')]]);
  assert.deepEqual(parsePublish('7000-7001:80-81'), [
    ['80/tcp', at('', '7000')],
    ['81/tcp', at('', '7001')],
  ]);
  assert.deepEqual(parsePublish('7100-7105:80'), [['80/tcp', at('', '7100-7105')]]);
});

const netnsOf = async (lab: Lab, name: string): Promise<string> => {
  const { State } = await lab.inspect(name);
  return (await lab.inHost(['readlink', `/proc/${State.Pid}/ns/net`])).stdout;
};

describeLab('the mission seed', { seed: 'mission' }, lab => {
  test('a published port answers on the LAN and is held by docker-proxy', async () => {
    const { addresses } = lab();
    assert.match((await lab().fetchFrom('lan', addresses.host, 8080)) ?? '', new RegExp(pageText));
    const { stdout } = await lab().inHost(['ss', '-H', '-tlnp', 'sport', '=', ':8080']);
    assert.match(stdout, /docker-proxy/);
  });

  test('the second of two host-mode containers did not get port 80', async () => {
    const { State } = await lab().inspect('web2');
    assert.equal(State.Status, 'exited');
    assert.equal(State.ExitCode, 1);
    const { stdout } = await lab().inHost(['ss', '-H', '-tlnp', 'sport', '=', ':80']);
    assert.match(stdout, /^LISTEN\s+\d+\s+\d+\s+0\.0\.0\.0:80\s[^\n]*"httpd"[^\n]*\n$/);
  });

  test('the supervised one goes on without its httpd', async () => {
    const { stdout } = await lab().exec('web3', ['ps']);
    assert.match(stdout, /sleep 100000/);
    assert.doesNotMatch(stdout, /^\s*\d+ root\s+httpd/m);
  });

  test('a start that Docker refused says why', async () => {
    const { State } = await lab().inspect('clash');
    assert.equal(State.Status, 'created');
    assert.match(State.Error, /port is already allocated/);
  });

  test('the stranded sharer is in a network namespace that base no longer has', async () => {
    assert.match(await netnsOf(lab(), 'stranded'), /^net:\[/);
    assert.notEqual(await netnsOf(lab(), 'stranded'), await netnsOf(lab(), 'base'));
    assert.equal(await netnsOf(lab(), 'shared'), await netnsOf(lab(), 'web'));
  });

  test('the administrator has cut off one published port', async () => {
    const { addresses, mission } = lab();
    assert.equal(await lab().fetchFrom('lan', addresses.host, mission.droppedPort), undefined);
    assert.notEqual(await lab().fetchFrom('host', '127.0.0.1', mission.droppedPort), undefined);
  });

  test('one port in each address family, and UDP beside TCP, are no conflict', async () => {
    const { addresses } = lab();
    assert.notEqual(await lab().fetchFrom('lan', addresses.host, 8093), undefined);
    assert.notEqual(await lab().fetchFrom('lan', addresses.host6, 8093), undefined);
    const { stdout } = await lab().inHost(['ss', '-H', '-ulnp', 'sport', '=', ':8080']);
    assert.match(stdout, /docker-proxy/);
  });

  test('processes outside Docker hold their ports', async () => {
    for (const { proto, address, port, pid } of lab().mission.listeners) {
      const { stdout } = await lab().inHost([
        'ss',
        '-H',
        proto === 'tcp' ? '-tlnp' : '-ulnp',
        'sport',
        '=',
        `:${port}`,
      ]);
      assert.ok(stdout.includes(`${address === '::' ? '*' : address}:${port} `), stdout);
      assert.ok(stdout.includes(`pid=${pid},`), stdout);
    }
  });

  test('the machine is one of its own', async () => {
    const { stdout } = await lab().inHost(['sh', '-c', 'hostname; ls /sys/class/net; ls /run; cat /proc/1/cmdline']);
    assert.match(stdout, /^lab\n/);
    assert.match(stdout, /^br-noicc$/m);
    assert.match(stdout, /^docker\.sock$/m);
    assert.match(stdout, /init\.sh/);
  });
});

labTest('a one-node swarm has a published port that only the services API knows', {}, async lab => {
  const swarm = await seedSwarm(lab);
  const [service] = (await lab.api('GET', '/services')) as [{ Endpoint: { Ports: { PublishedPort: number }[] } }];
  assert.equal(service.Endpoint.Ports[0]?.PublishedPort, swarm.publishedPort);
  const containers = (await lab.api('GET', '/containers/json')) as { Ports: { PublicPort?: number }[] }[];
  assert.equal(containers.length, 2);
  assert.ok(containers.every(container => container.Ports.every(port => port.PublicPort === undefined)));
});

labTest('dockerd can be killed and started again', {}, async lab => {
  await lab.run('web', { publish: ['8080:80'], restart: 'always' });
  await lab.daemon.stop('SIGKILL');
  assert.equal(lab.daemon.pid, undefined);
  await assert.rejects(lab.inspect('web'));
  await lab.daemon.start();
  assert.equal((await lab.inspect('web')).State.Running, true);
});

labTest('two labs run beside one another, and a stopped one leaves nothing', {}, async lab => {
  const other = await startLab();
  await Promise.all([lab, other].map(each => each.run('web', { publish: ['8080:80'] })));
  await other.api('POST', '/containers/web/pause');
  const traces = tracesOf(other.dir);
  // What begins from here on is somebody else's, though it may be given the number of a namespace that has gone.
  const endingAt = Date.now();
  await other.stop();
  assert.deepEqual(leftovers(traces, endingAt), []);
  assert.notEqual(await lab.fetchFrom('lan', lab.addresses.host, 8080), undefined);
});

/** Starts `starter.ts` with a temporary folder of its own; `until` resolves once it has printed a line that matches. */
const startStarter = (
  ...args: string[]
): { child: ChildProcess; temporary: string; until: (line: RegExp) => Promise<void> } => {
  const temporary = mkdtempSync(join(tmpdir(), 'netdash-starter-'));
  const child = spawn(process.execPath, ['--import', 'tsx', join(here, 'starter.ts'), ...args], {
    env: { ...process.env, TMPDIR: temporary },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  let printed = '';
  const until = (line: RegExp): Promise<void> =>
    new Promise((resolve, reject) => {
      child.stdout?.on('data', (text: Buffer) => {
        printed += text.toString();
        if (line.test(printed)) resolve();
      });
      child.once('close', () => reject(new Error(`the starter ended: ${printed}`)));
    });
  return { child, temporary, until };
};

/** Waits for the end of what is being cleared away, and gives up after a while. */
const whatRemains = async (traces: Traces): Promise<string[]> => {
  const endedAt = Date.now();
  let found = leftovers(traces, endedAt);
  for (let tries = 0; found.length > 0 && tries < 150; tries += 1) {
    await sleep(100);
    found = leftovers(traces, endedAt);
  }
  return found;
};

const labFoldersIn = (temporary: string): string[] =>
  readdirSync(temporary)
    .filter(name => name.startsWith('netdash-lab-'))
    .map(name => join(temporary, name));

describe('a lab whose starter ends', { skip: process.env['REQUIRE_LAB'] === '1' ? false : labRequirement() }, () => {
  const endings: { how: string; args: string[]; at: RegExp; signal?: NodeJS.Signals }[] = [
    // With a paused container, which cgroup v1 does not even let be killed.
    { how: 'by SIGKILL', args: ['mission'], at: /^started/m, signal: 'SIGKILL' },
    { how: 'by SIGINT in the midst of the seeding', args: ['mission'], at: /^seeding/m, signal: 'SIGINT' },
    { how: 'by SIGTERM while dockerd starts', args: ['none'], at: /^starting dockerd/m, signal: 'SIGTERM' },
    { how: 'by SIGHUP', args: ['none'], at: /^started/m, signal: 'SIGHUP' },
    { how: 'by an error', args: ['none', 'throw'], at: /^started/m },
  ];
  for (const { how, args, at: moment, signal } of endings) {
    test(`${how} leaves nothing`, async context => {
      const { child, temporary, until } = startStarter(...args);
      context.after(() => {
        child.kill('SIGKILL');
        rmSync(temporary, { recursive: true });
      });
      await until(moment);
      const [folder = ''] = labFoldersIn(temporary);
      const traces = tracesOf(folder);
      assert.ok(traces.namespaces.length > 3);
      if (signal === undefined) child.stdin?.end();
      else child.kill(signal);
      assert.deepEqual(await whatRemains(traces), []);
      assert.deepEqual(labFoldersIn(temporary), []);
    });
  }
});
