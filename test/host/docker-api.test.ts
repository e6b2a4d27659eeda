/** The client against a server that answers as dockerd does, and as it should not. */
import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTcpServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { connectDocker } from '../../source/host/docker-api.ts';
import { resolveEndpoint } from '../../source/host/docker-endpoint.ts';
import { HostError, type DockerApi, type DockerEvent } from '../../source/host/host.ts';

const folder = mkdtempSync(join(tmpdir(), 'netdash-docker-api-'));
const socket = join(folder, 'docker.sock');
const requests: string[] = [];
const connections = new Set<Socket>();
let answer: (request: IncomingMessage, response: ServerResponse) => void = (_, response) => response.end('{}');
const server: Server = createServer((request, response) => {
  requests.push(`${request.method} ${request.url}`);
  answer(request, response);
});
server.on('connection', connection => {
  connections.add(connection);
  connection.on('close', () => connections.delete(connection));
});

const open = (url: string): DockerApi => connectDocker(resolveEndpoint({ flag: url, env: {} }));
const api = open(`unix://${socket}`);
const path = process.env['PATH'];

before(() => new Promise<void>(resolve => void server.listen(socket, resolve)));
after(() => {
  process.env['PATH'] = path;
  server.close();
  server.closeAllConnections();
  rmSync(folder, { recursive: true });
});

async function failure(promise: Promise<unknown>): Promise<HostError> {
  const error: unknown = await promise.then(
    value => assert.fail(`no error but ${JSON.stringify(value)}`),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof HostError, String(error));
  assert.ok(!error.message.includes('\n'), error.message);
  return error;
}

test('asks with GET, without a version, query and all', async () => {
  requests.length = 0;
  answer = (_, response) => response.end('[{"Id":"ü"}]');
  assert.deepEqual(await api.get('/containers/json?all=1'), [{ Id: 'ü' }]);
  await api.get('/version');
  assert.deepEqual(requests, ['GET /containers/json?all=1', 'GET /version']);
});

test('null, an empty list and a large answer in pieces come through as they are', async () => {
  answer = (_, response) => response.end('null');
  assert.equal(await api.get('/x'), null);
  answer = (_, response) => response.end('[]');
  assert.deepEqual(await api.get('/x'), []);
  const large = { text: 'ä'.repeat(300_000) };
  answer = (_, response) => {
    const bytes = Buffer.from(JSON.stringify(large));
    for (let at = 0; at < bytes.length; at += 65_537) response.write(bytes.subarray(at, at + 65_537));
    response.end();
  };
  assert.deepEqual(await api.get('/x'), large);
});

test('one connection serves one request after the other', async () => {
  answer = (_, response) => response.end('{}');
  const fresh = open(`unix://${socket}`);
  const already = connections.size;
  for (let count = 0; count < 5; count += 1) await fresh.get('/x');
  assert.equal(connections.size, already + 1);
});

test('a connection that the daemon closed meanwhile is opened again', async () => {
  const fresh = open(`unix://${socket}`);
  await fresh.get('/x');
  let asked = 0;
  answer = (request, response) => {
    asked += 1;
    if (asked === 1) request.socket.destroy();
    else response.end('"again"');
  };
  assert.equal(await fresh.get('/x'), 'again');
  answer = request => request.socket.destroy();
  assert.equal((await failure(fresh.get('/x'))).code, 'refused');
});

test('statuses are told in the daemon’s words', async () => {
  const cases = [
    [404, '{"message":"No such container: x"}', 'missing', /No such container: x \(HTTP 404\)/],
    [403, '<html>\nForbidden', 'denied', /HTTP 403/],
    [503, '{"message":"This node is not a swarm manager."}', 'failed', /not a swarm manager/],
    [400, '{"message":"client version 1.24 is too old"}', 'failed', /too old/],
    [500, '', 'failed', /no reason given/],
  ] as const;
  for (const [status, body, code, message] of cases) {
    answer = (_, response) => response.writeHead(status).end(body);
    const error = await failure(api.get('/containers/x/json'));
    assert.equal(error.code, code);
    assert.match(error.message, message);
  }
  answer = (_, response) => response.end('{"a":');
  assert.match((await failure(api.get('/x?y=1'))).message, /answered to \/x is no JSON/);
});

test('no answer in time is a time-out, also in the middle of one', async () => {
  answer = () => undefined;
  assert.equal((await failure(api.get('/slow', { timeoutMs: 30 }))).code, 'timeout');
  answer = (_, response) => void response.write('[1,');
  const error = await failure(api.get('/slow', { timeoutMs: 30 }));
  assert.equal(error.code, 'timeout');
  assert.match(error.message, /did not answer \/slow/);
});

test('closed, it refuses what is being asked and what is asked then, and leaves no connection open', async () => {
  answer = () => undefined;
  const fresh = open(`unix://${socket}`);
  const already = new Set(connections);
  const asked = ['/a', '/b', '/c'].map(each => failure(fresh.get(each)));
  const arrived = requests.length + asked.length;
  await until(() => requests.length >= arrived);
  const own = [...connections].filter(connection => !already.has(connection));
  assert.equal(own.length, asked.length);
  fresh.close?.();
  for (const { code, message } of await Promise.all(asked))
    assert.deepEqual([code, /ending/.test(message)], ['refused', true]);
  assert.equal((await failure(fresh.get('/d'))).code, 'refused');
  await until(() => own.every(connection => !connections.has(connection)));
});

/** @returns when it holds */
async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await sleep(5);
}

test('no daemon: no socket, nobody listening, no right to ask, no HTTP', async () => {
  assert.match((await failure(open('unix:///nowhere/docker.sock').get('/x'))).message, /no such socket/);
  const dead = join(folder, 'dead.sock');
  writeFileSync(dead, '');
  assert.match((await failure(open(`unix://${dead}`).get('/x'))).message, /nothing listens/);
  const other = createTcpServer(connection => connection.end('SSH-2.0-x\r\n'));
  await new Promise<void>(resolve => void other.listen(0, '127.0.0.1', resolve));
  const address = other.address();
  const port = typeof address === 'object' ? address?.port : undefined;
  assert.match((await failure(open(`tcp://127.0.0.1:${port}`).get('/x'))).message, /does not speak HTTP/);
  other.close();
  assert.equal((await failure(open(`tcp://127.0.0.1:${port}`).get('/x'))).code, 'refused');
});

test('a bad environment does not count against an address given', async () => {
  answer = (_, response) => response.end('1');
  const kept = { ...process.env };
  Object.assign(process.env, { DOCKER_HOST: 'a:::b', DOCKER_CERT_PATH: '/nowhere', DOCKER_TLS_VERIFY: '1' });
  try {
    assert.equal(await open(`unix://${socket}`).get('/x'), 1);
    assert.equal(process.env['DOCKER_HOST'], 'a:::b');
  } finally {
    for (const name of ['DOCKER_HOST', 'DOCKER_CERT_PATH', 'DOCKER_TLS_VERIFY']) {
      if (kept[name] === undefined) delete process.env[name];
      else process.env[name] = kept[name];
    }
  }
});

/** Follows the events of a daemon that sends these chunks and then leaves the stream to `end`. */
function followed(chunks: string[], end: (response: ServerResponse) => void) {
  answer = (_, response) => {
    response.flushHeaders();
    for (const chunk of chunks) response.write(chunk);
    end(response);
  };
  const events: DockerEvent[] = [];
  let opened = 0;
  const subscription = api.events(
    { type: ['container'], event: ['start', 'die'] },
    event => events.push(event),
    () => {
      opened += 1;
    },
  );
  return { events, subscription, opened: () => opened };
}

const startOf = (id: string) =>
  `{"Type":"container","Action":"start","Actor":{"ID":"${id}","Attributes":{}},"time":1}\n`;

test('events come as they are sent, and the end of the stream is told', async () => {
  requests.length = 0;
  const { events, subscription, opened } = followed([startOf('a'), 'junk\n', startOf('b')], response => response.end());
  const error = await subscription.ended;
  assert.deepEqual(
    events.map(({ id }) => id),
    ['a', 'b'],
  );
  assert.equal(opened(), 1);
  assert.equal(error?.code, 'refused');
  const filters = new URL(`http://d${requests[0]!.split(' ')[1]}`).searchParams.get('filters');
  assert.deepEqual(JSON.parse(filters!), { type: ['container'], event: ['start', 'die'] });
});

test('a daemon that dies ends the stream, one that refuses says why', async () => {
  const { subscription } = followed([startOf('a')], response => setTimeout(() => response.destroy(), 20));
  assert.equal((await subscription.ended)?.code, 'refused');
  answer = (_, response) => response.writeHead(403).end('{"message":"no"}');
  const refused = api.events({}, () => assert.fail());
  assert.equal((await refused.ended)?.code, 'denied');
});

test('a stopped stream is silent and has no error', async () => {
  const { subscription, events } = followed([], response => setTimeout(() => response.write(startOf('late')), 40));
  subscription.stop();
  subscription.stop();
  assert.equal(await subscription.ended, undefined);
  const waiting = followed([startOf('a')], () => undefined);
  while (waiting.events.length === 0) await new Promise(resolve => setTimeout(resolve, 5));
  waiting.subscription.stop();
  assert.equal(await waiting.subscription.ended, undefined);
  assert.equal(waiting.events.length, 1);
  assert.equal(events.length, 0);
});

/** An ssh of this test's own: notes its arguments and connects to the server, or fails as ssh does. */
function installSsh(script: string): void {
  const bin = join(folder, 'bin');
  mkdirSync(bin, { recursive: true });
  writeFileSync(join(bin, 'ssh'), `#!${process.execPath}\n${script}`);
  chmodSync(join(bin, 'ssh'), 0o755);
  process.env['PATH'] = `${bin}:${path}`;
}

test('over ssh: dial-stdio at the other end, one ssh for many requests', async () => {
  const log = join(folder, 'ssh.log');
  installSsh(`
    require('node:fs').appendFileSync(${JSON.stringify(log)}, JSON.stringify(process.argv.slice(2)) + '\\n');
    const socket = require('node:net').connect(${JSON.stringify(socket)});
    process.stdin.pipe(socket);
    socket.pipe(process.stdout);
  `);
  answer = (_, response) => response.end('"far"');
  const far = open('ssh://me@far:2222/run/it%27s.sock');
  for (let count = 0; count < 3; count += 1) assert.equal(await far.get('/x'), 'far');
  const runs = readFileSync(log, 'utf8').trim().split('\n');
  assert.equal(runs.length, 1);
  const args = JSON.parse(runs[0]!) as string[];
  assert.deepEqual(args.slice(args.indexOf('-l')), [
    '-l',
    'me',
    '-p',
    '2222',
    '--',
    'far',
    'docker',
    '--host',
    `'unix:///run/it'\\''s.sock'`,
    'system',
    'dial-stdio',
  ]);
  assert.ok(args.includes('BatchMode=yes'));
});

test('over ssh: what ssh complains of is told', async () => {
  installSsh(`process.stderr.write('me@far: Permission denied (publickey).\\n'); process.exitCode = 255;`);
  const error = await failure(open('ssh://me@far').get('/x'));
  assert.equal(error.code, 'refused');
  assert.match(error.message, /ssh to far ended with status 255: .*Permission denied/);
});

test('over ssh: what ssh leaves behind, as ControlPersist does, is not waited for', async () => {
  const left = join(folder, 'left');
  installSsh(`
    const child = require('node:child_process').spawn('sleep', ['600'], { stdio: ['ignore', 'ignore', 'inherit'] });
    child.unref();
    require('node:fs').writeFileSync(${JSON.stringify(left)}, String(child.pid));
    process.stderr.write('far: Permission denied.\\n');
    process.exitCode = 255;
  `);
  try {
    const error = await failure(open('ssh://me@far').get('/x'));
    assert.equal(error.code, 'refused');
    assert.match(error.message, /ended with status 255: far: Permission denied/);
    process.kill(Number(readFileSync(left, 'utf8')), 0);
  } finally {
    process.kill(Number(readFileSync(left, 'utf8')), 'SIGKILL');
  }
});
