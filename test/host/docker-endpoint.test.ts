/** Which daemon is asked, against a configuration folder as the Docker CLI writes it. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { resolveEndpoint, type Connection, type EndpointRequest } from '../../source/host/docker-endpoint.ts';
import { UsageError } from '../../source/host/usage-error.ts';

const home = mkdtempSync(join(tmpdir(), 'netdash-endpoint-'));
const config = join(home, '.docker');
const digest = (name: string) => createHash('sha256').update(name).digest('hex');
const none = () => false;

function write(path: string, content: string): void {
  mkdirSync(join(path, '..'), { recursive: true });
  writeFileSync(path, content);
}

function addContext(name: string, docker: Record<string, unknown> | undefined): void {
  const meta = { Name: name, Metadata: {}, Endpoints: docker ? { docker } : {} };
  write(join(config, 'contexts', 'meta', digest(name), 'meta.json'), JSON.stringify(meta));
}

addContext('plain', { Host: 'tcp://10.0.0.1:2375', SkipTLSVerify: false });
addContext('safe', { Host: 'tcp://10.0.0.2:2376', SkipTLSVerify: false });
addContext('lax', { Host: 'tcp://10.0.0.3', SkipTLSVerify: true });
addContext('over', { Host: 'ssh://me@host:2222' });
addContext('kube', undefined);
for (const file of ['ca', 'cert', 'key']) {
  write(join(config, 'contexts', 'tls', digest('safe'), 'docker', `${file}.pem`), `${file} of safe`);
}
const certificates = join(home, 'certificates');
for (const file of ['ca', 'cert', 'key']) write(join(certificates, `${file}.pem`), `${file} of env`);
write(join(home, 'half', 'cert.pem'), 'cert');
const current = join(home, 'current');
write(join(current, 'config.json'), JSON.stringify({ auths: {}, currentContext: 'gone' }));
const broken = join(home, 'broken');
write(join(broken, 'config.json'), '{"currentContext": ');
write(join(config, 'config.json'), JSON.stringify({ auths: {}, currentContext: 'plain' }));
after(() => rmSync(home, { recursive: true }));

const envTls = { ca: 'ca of env', cert: 'cert of env', key: 'key of env', verify: true };
const bare = { HOME: join(home, 'nobody') };

type Row = [about: string, request: EndpointRequest, url: string, connection: Connection, origin: RegExp];
const rows: Row[] = [
  ['default', { env: bare }, 'unix:///var/run/docker.sock', { kind: 'unix', path: '/var/run/docker.sock' }, /default/],
  [
    'rootless socket when the default one is absent',
    { env: { ...bare, XDG_RUNTIME_DIR: '/run/user/7' }, exists: path => path === '/run/user/7/docker.sock' },
    'unix:///run/user/7/docker.sock',
    { kind: 'unix', path: '/run/user/7/docker.sock' },
    /rootless/,
  ],
  [
    'default socket before the rootless one',
    { env: { ...bare, XDG_RUNTIME_DIR: '/run/user/7' }, exists: () => true },
    'unix:///var/run/docker.sock',
    { kind: 'unix', path: '/var/run/docker.sock' },
    /default/,
  ],
  [
    'current context',
    { env: { HOME: home } },
    'tcp://10.0.0.1:2375',
    { kind: 'tcp', host: '10.0.0.1', port: 2375 },
    /context "plain" \(docker context use\)/,
  ],
  [
    'DOCKER_CONTEXT over the current one',
    { env: { HOME: home, DOCKER_CONTEXT: 'over' } },
    'ssh://me@host:2222',
    { kind: 'ssh', host: 'host', port: 2222, user: 'me' },
    /context "over" \(DOCKER_CONTEXT\)/,
  ],
  [
    'DOCKER_HOST over DOCKER_CONTEXT',
    { env: { HOME: home, DOCKER_CONTEXT: 'over', DOCKER_HOST: 'unix:///run/d.sock' } },
    'unix:///run/d.sock',
    { kind: 'unix', path: '/run/d.sock' },
    /DOCKER_HOST/,
  ],
  [
    '--context over DOCKER_HOST, with its own TLS and not the environment’s',
    { context: 'safe', env: { HOME: home, DOCKER_HOST: 'unix:///run/d.sock', DOCKER_CERT_PATH: certificates } },
    'tcp://10.0.0.2:2376',
    {
      kind: 'tcp',
      host: '10.0.0.2',
      port: 2376,
      tls: { ca: 'ca of safe', cert: 'cert of safe', key: 'key of safe', verify: true },
    },
    /--context/,
  ],
  [
    'the context named default is the default',
    { env: { HOME: home, DOCKER_CONTEXT: 'default' } },
    'unix:///var/run/docker.sock',
    { kind: 'unix', path: '/var/run/docker.sock' },
    /default socket/,
  ],
  [
    'a context that skips verification',
    { context: 'lax', env: { HOME: home } },
    'tcp://10.0.0.3:2376',
    {
      kind: 'tcp',
      host: '10.0.0.3',
      port: 2376,
      tls: { ca: undefined, cert: undefined, key: undefined, verify: false },
    },
    /lax/,
  ],
  [
    '--host over all',
    { flag: 'tcp://h:1', env: { HOME: home, DOCKER_HOST: 'unix:///x', DOCKER_CONTEXT: 'over' } },
    'tcp://h:1',
    { kind: 'tcp', host: 'h', port: 1 },
    /--host/,
  ],
  [
    'DOCKER_TLS_VERIFY',
    { flag: 'tcp://h', env: { ...bare, DOCKER_TLS_VERIFY: '1', DOCKER_CERT_PATH: certificates } },
    'tcp://h:2376',
    { kind: 'tcp', host: 'h', port: 2376, tls: envTls },
    /--host/,
  ],
  [
    'DOCKER_CERT_PATH alone turns nothing on',
    { flag: 'tcp://h', env: { ...bare, DOCKER_CERT_PATH: certificates } },
    'tcp://h:2375',
    { kind: 'tcp', host: 'h', port: 2375 },
    /--host/,
  ],
  ['host:port', { flag: 'h:99', env: bare }, 'tcp://h:99', { kind: 'tcp', host: 'h', port: 99 }, /--host/],
  [
    'http with its own port',
    { flag: 'http://h:80', env: bare },
    'http://h:80',
    { kind: 'tcp', host: 'h', port: 80 },
    /--host/,
  ],
  [
    'https',
    { flag: 'https://h', env: bare },
    'https://h:443',
    { kind: 'tcp', host: 'h', port: 443, tls: { verify: true } },
    /--host/,
  ],
  [
    'IPv6',
    { flag: 'tcp://[fd00::1]:2375', env: bare },
    'tcp://[fd00::1]:2375',
    { kind: 'tcp', host: 'fd00::1', port: 2375 },
    /--host/,
  ],
  [
    'ssh with a path',
    { flag: 'ssh://h/run/user/1/docker.sock', env: bare },
    'ssh://h/run/user/1/docker.sock',
    { kind: 'ssh', host: 'h', path: '/run/user/1/docker.sock' },
    /--host/,
  ],
  [
    'unix without a path',
    { flag: 'unix://', env: bare },
    'unix:///var/run/docker.sock',
    { kind: 'unix', path: '/var/run/docker.sock' },
    /--host/,
  ],
  [
    'a config.json that is no JSON, as the CLI takes it',
    { env: { ...bare, DOCKER_CONFIG: broken } },
    'unix:///var/run/docker.sock',
    { kind: 'unix', path: '/var/run/docker.sock' },
    /default socket/,
  ],
];

for (const [about, request, url, connection, origin] of rows) {
  test(`endpoint: ${about}`, () => {
    const endpoint = resolveEndpoint({ exists: none, ...request });
    assert.deepEqual(endpoint.connection, connection);
    assert.equal(endpoint.url, url);
    assert.match(endpoint.origin, origin);
  });
}

const wrong: [about: string, request: EndpointRequest, message: RegExp][] = [
  ['--host and --context', { flag: 'tcp://h', context: 'safe', env: bare }, /--host and --context/],
  ['an unknown context', { context: 'nope', env: { HOME: home } }, /"nope".*--context.*docker context ls/],
  ['a current context that is gone', { env: { ...bare, DOCKER_CONFIG: current } }, /"gone".*docker context use/],
  ['a context without Docker', { context: 'kube', env: { HOME: home } }, /"kube".*no Docker endpoint/],
  ['a path', { flag: '/run/docker.sock', env: bare }, /--host.*is a path: write unix:\/\/\/run\/docker\.sock/],
  ['a relative unix path', { flag: 'unix://run/x', env: bare }, /write unix:\/\/\/run\/x/],
  ['an empty address', { flag: ' ', env: bare }, /is empty/],
  ['an unknown scheme', { env: { ...bare, DOCKER_HOST: 'ftp://h' } }, /DOCKER_HOST.*unknown scheme/],
  ['a Windows pipe', { flag: 'npipe:////./pipe/docker_engine', env: bare }, /cannot be used here/],
  ['a port that is none', { flag: 'tcp://h:99999', env: bare }, /cannot be understood/],
  ['more than host and port', { flag: 'tcp://h:1/path', env: bare }, /more than host and port/],
  ['an option for ssh', { flag: 'ssh://-oProxyCommand=x', env: bare }, /cannot be understood|begins with a dash/],
  ['a password for ssh', { flag: 'ssh://me:secret@h', env: bare }, /password/],
  [
    'a certificate without its key',
    { flag: 'tcp://h', env: { ...bare, DOCKER_TLS_VERIFY: '1', DOCKER_CERT_PATH: join(home, 'half') } },
    /key\.pem is missing/,
  ],
];

for (const [about, request, message] of wrong) {
  test(`endpoint: ${about} is refused in one line`, () => {
    assert.throws(
      () => resolveEndpoint({ exists: none, ...request }),
      (error: unknown) => {
        assert.ok(error instanceof UsageError, String(error));
        assert.match(error.message, message);
        assert.ok(!error.message.includes('\n'));
        return true;
      },
    );
  });
}
