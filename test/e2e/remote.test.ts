/** A daemon that is not this machine's: over TCP with TLS, over ssh, by a context, from another network namespace. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { connect, type AddressInfo } from 'node:net';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { createServer, type Server } from 'node:tls';
import * as v from 'valibot';
import { SnapshotSchema, type Snapshot } from '../../source/facts/schema.ts';
import { installed } from '../lab/binaries.ts';
import { describeLab } from '../lab/for-tests.ts';
import type { Lab } from '../lab/lab.ts';
import { run, type Result } from '../lab/process.ts';
import { netdash, takeSnapshot } from './netdash.ts';

/** The environment of somebody elsewhere, who has nothing of the lab but a way to its daemon. */
const elsewhere = (lab: Lab, env: Record<string, string>): Record<string, string | undefined> => ({
  DOCKER_HOST: undefined,
  DOCKER_CONFIG: join(lab.dir, 'nothing'),
  XDG_STATE_HOME: join(lab.dir, 'state-elsewhere'),
  LANG: 'C.UTF-8',
  ...env,
});

function snapshotOf({ code, stdout, stderr }: Result): Snapshot {
  assert.equal(code, 0, stderr);
  return v.parse(SnapshotSchema, JSON.parse(stdout));
}

/** What the daemon says is told; of the machine that netdash happens to run on, nothing. */
function assertNothingOfThisMachine(seen: Snapshot, own: Snapshot, why: RegExp): void {
  assert.equal(seen.host.docker?.local, false);
  assert.equal(seen.host.name, own.host.docker?.name);
  for (const theirs of own.containers) {
    const ours = seen.containers.find(({ id }) => id === theirs.id) ?? assert.fail(`${theirs.name} is missing`);
    assert.deepEqual(
      [ours.name, ours.state, ours.networkMode, ours.publishedPorts, ours.requestedPorts],
      [theirs.name, theirs.state, theirs.networkMode, theirs.publishedPorts, theirs.requestedPorts],
    );
    assert.equal(ours.listeners, null);
    assert.match(ours.unknown?.['listeners'] ?? '', why);
    for (const { veth, bridge } of ours.endpoints) assert.equal(veth ?? bridge, undefined);
  }
  assert.deepEqual(
    seen.networks.map(({ name }) => name),
    own.networks.map(({ name }) => name),
  );
  assert.deepEqual([seen.listeners, seen.rules, seen.links, seen.interfaces], [null, null, [], []]);
  assert.deepEqual([seen.traffic, seen.host.ipForward, seen.host.kernel], [{}, { v4: null, v6: null }, undefined]);
  for (const name of ['links', 'sockets', 'netfilter', 'kernel', 'processes']) {
    const { state, reason } = seen.sources[name] ?? assert.fail(name);
    assert.equal(state, 'failed', name);
    assert.match(reason ?? '', why, name);
  }
  for (const { id } of seen.findings)
    assert.ok(
      own.findings.some(finding => finding.id === id),
      `only from afar: ${id}`,
    );
}

/** A TLS end before the daemon's socket, with certificates of its own authority. */
async function serveTls(lab: Lab): Promise<{ server: Server; port: number; certificates: string }> {
  const folder = join(lab.dir, 'tls');
  await mkdir(folder);
  const openssl = (...args: string[]) =>
    execFileSync('openssl', args, { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] });
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];
  openssl('req', '-x509', ...key, '-subj', '/CN=authority', '-keyout', 'ca-key.pem', '-out', 'ca.pem');
  for (const [name, extension] of [
    ['server', 'subjectAltName=IP:127.0.0.1'],
    ['client', 'extendedKeyUsage=clientAuth'],
  ] as const) {
    openssl('req', ...key, '-subj', `/CN=${name}`, '-keyout', `${name}-key.pem`, '-out', `${name}.csr`);
    await writeFile(join(folder, `${name}.ext`), extension);
    const signer = ['-CA', 'ca.pem', '-CAkey', 'ca-key.pem', '-CAcreateserial', '-days', '2'];
    openssl('x509', '-req', '-in', `${name}.csr`, ...signer, '-out', `${name}.pem`, '-extfile', `${name}.ext`);
  }
  const pem = (name: string) => readFile(join(folder, `${name}.pem`));
  const certificates = join(folder, 'client');
  await mkdir(certificates);
  await writeFile(join(certificates, 'ca.pem'), await pem('ca'));
  await writeFile(join(certificates, 'cert.pem'), await pem('client'));
  await writeFile(join(certificates, 'key.pem'), await pem('client-key'));
  const server = createServer(
    {
      ca: await pem('ca'),
      cert: await pem('server'),
      key: await pem('server-key'),
      requestCert: true,
      rejectUnauthorized: true,
    },
    socket => {
      const daemon = connect(lab.socket);
      socket.pipe(daemon).pipe(socket);
      for (const [end, other] of [
        [socket, daemon],
        [daemon, socket],
      ] as const)
        end.on('error', () => other.destroy()).on('close', () => other.destroy());
    },
  );
  await new Promise<void>(resolve => void server.listen(0, '127.0.0.1', resolve));
  return { server, port: (server.address() as AddressInfo).port, certificates };
}

describeLab('a daemon elsewhere', { hostname: 'faraway' }, lab => {
  const seed = async (): Promise<Snapshot> => {
    if (
      (await lab()
        .inspect('web')
        .catch(() => undefined)) === undefined
    ) {
      await lab().networkCreate('app');
      await lab().run('web', { publish: ['8080:80', '127.0.0.1::80'] });
      await lab().run('api', { network: 'app' });
      await lab().run('hosty', { network: 'host' });
    }
    return takeSnapshot(lab());
  };
  const notHere = /no process of its running containers is here/;

  test('by its socket alone, from another machine: everything of Docker, nothing of here', async () => {
    const own = await seed();
    assert.equal(own.host.docker?.local, true);
    const env = elsewhere(lab(), { DOCKER_HOST: `unix://${lab().socket}` });
    assertNothingOfThisMachine(snapshotOf(await run(netdash('snapshot', '--json'), { env })), own, notHere);
    const { stdout } = await run(netdash('snapshot'), { env });
    const here = Object.keys(networkInterfaces()).filter(name => !/^(?:lo|eth0|docker0)$/.test(name));
    for (const name of here) assert.doesNotMatch(stdout, new RegExp(String.raw`\b${name}\b`));
    assert.match(stdout, /LINKS[^]*links cannot be read: not on this machine/);
    assert.doesNotMatch(stdout, /run `sudo netdash`/, 'no rights would help');
    const verdict = await run(netdash('explain', '8080'), { env });
    assert.equal(verdict.code, 3);
    assert.doesNotMatch(verdict.stdout, /✓|✗/);
    const doctor = await run(netdash('doctor'), { env });
    assert.equal(doctor.code, 3);
  });

  test('over TCP with TLS', { skip: installed('openssl') ? false : 'openssl is not installed' }, async () => {
    const own = await seed();
    const { server, port, certificates } = await serveTls(lab());
    try {
      const tls = { DOCKER_TLS_VERIFY: '1', DOCKER_CERT_PATH: certificates, DOCKER_HOST: `tcp://127.0.0.1:${port}` };
      const seen = snapshotOf(await run(netdash('snapshot', '--json'), { env: elsewhere(lab(), tls) }));
      assertNothingOfThisMachine(seen, own, notHere);
      assert.equal(seen.host.dockerEndpoint, `tcp://127.0.0.1:${port}`);
      // Without certificates there is no Docker; that this machine's panes are there then is right: they may be meant.
      const bare = await run(netdash('snapshot', '--json'), {
        env: elsewhere(lab(), { DOCKER_HOST: `tcp://127.0.0.1:${port}` }),
      });
      assert.equal(snapshotOf(bare).host.docker, null);
    } finally {
      server.close();
    }
  });

  test('over ssh', async () => {
    const own = await seed();
    const bin = join(lab().dir, 'bin');
    await mkdir(bin);
    const log = join(bin, 'log');
    // In place of ssh, and of the far end's docker system dial-stdio.
    await writeFile(
      join(bin, 'ssh'),
      `#!${process.execPath}
require('node:fs').appendFileSync(${JSON.stringify(log)}, JSON.stringify(process.argv.slice(2)) + '\\n');
const daemon = require('node:net').connect(${JSON.stringify(lab().socket)});
process.stdin.pipe(daemon);
daemon.pipe(process.stdout);
`,
    );
    await chmod(join(bin, 'ssh'), 0o755);
    const env = elsewhere(lab(), { DOCKER_HOST: 'ssh://me@far:2222', PATH: `${bin}:${process.env['PATH']}` });
    const seen = snapshotOf(await run(netdash('snapshot', '--json'), { env }));
    assertNothingOfThisMachine(seen, own, notHere);
    const calls = (await readFile(log, 'utf8'))
      .trim()
      .split('\n')
      .map((line): unknown => JSON.parse(line));
    for (const args of calls)
      assert.match(JSON.stringify(args), /"BatchMode=yes".*"--","far","docker","system","dial-stdio"/);
  });

  test('by a context of the Docker CLI', async () => {
    const own = await seed();
    const config = join(lab().dir, 'config');
    const meta = join(config, 'contexts', 'meta', createHash('sha256').update('far').digest('hex'));
    await mkdir(meta, { recursive: true });
    const docker = { Host: `unix://${lab().socket}`, SkipTLSVerify: false };
    await writeFile(join(meta, 'meta.json'), JSON.stringify({ Name: 'far', Endpoints: { docker } }));
    const env = elsewhere(lab(), { DOCKER_CONFIG: config });
    assertNothingOfThisMachine(
      snapshotOf(await run(netdash('snapshot', '--json', '--context', 'far'), { env })),
      own,
      notHere,
    );
    await writeFile(join(config, 'config.json'), JSON.stringify({ currentContext: 'far' }));
    assertNothingOfThisMachine(snapshotOf(await run(netdash('snapshot', '--json'), { env })), own, notHere);
  });

  test('on this kernel, but from another network namespace, as in a container without --net=host', async () => {
    const own = await seed();
    const env = { XDG_STATE_HOME: join(lab().dir, 'state-lan') };
    const seen = snapshotOf(await lab().inLan(netdash('snapshot', '--json'), { env }));
    assertNothingOfThisMachine(seen, own, /another network namespace than Docker.*--net=host/);
  });

  test('on this kernel and network, but without its processes, as in a container without --pid=host', async () => {
    const own = await seed();
    const env = { XDG_STATE_HOME: join(lab().dir, 'state-pid') };
    const apart = ['unshare', '--pid', '--fork', '--mount-proc', ...netdash('snapshot', '--json')];
    const seen = snapshotOf(await lab().inHost(apart, { env }));
    assert.equal(seen.host.docker?.local, false);
    // Links, rules and settings are the right ones; which process is whose cannot be told.
    assert.equal(seen.sources['netfilter']?.state, 'ok');
    assert.deepEqual(
      seen.interfaces.map(({ name }) => name).filter(name => !name.startsWith('veth')),
      own.interfaces.map(({ name }) => name).filter(name => !name.startsWith('veth')),
    );
    for (const { listeners, unknown } of seen.containers) {
      assert.equal(listeners, null);
      assert.match(unknown?.['listeners'] ?? '', notHere);
    }
    for (const { id } of seen.findings)
      assert.ok(
        own.findings.some(finding => finding.id === id),
        `only without processes: ${id}`,
      );
  });
});
