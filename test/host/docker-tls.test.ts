/** TLS to a daemon: certificates of both sides, as DOCKER_TLS_VERIFY and DOCKER_CERT_PATH give them, made by openssl. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { TLSSocket } from 'node:tls';
import { connectDocker } from '../../source/host/docker-api.ts';
import { resolveEndpoint } from '../../source/host/docker-endpoint.ts';

const folder = mkdtempSync(join(tmpdir(), 'netdash-docker-tls-'));
const file = (name: string): string => join(folder, name);

function openssl(...args: string[]): string {
  return execFileSync('openssl', args, { cwd: folder, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

function available(): boolean {
  try {
    return openssl('version') !== '';
  } catch {
    return false;
  }
}

const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];

/** A certificate signed by the test's own authority. */
function issue(name: string, extensions: string): void {
  openssl('req', ...newKey, '-subj', `/CN=${name}`, '-keyout', `${name}-key.pem`, '-out', `${name}.csr`);
  writeFileSync(file(`${name}.ext`), extensions);
  const signer = ['-CA', 'ca.pem', '-CAkey', 'ca-key.pem', '-CAcreateserial', '-days', '2'];
  openssl('x509', '-req', '-in', `${name}.csr`, ...signer, '-out', `${name}.pem`, '-extfile', `${name}.ext`);
}

describe('TLS', { skip: available() ? false : 'openssl is not installed' }, () => {
  let server: Server;
  let url = '';
  before(async () => {
    openssl('req', '-x509', ...newKey, '-subj', '/CN=authority', '-keyout', 'ca-key.pem', '-out', 'ca.pem');
    issue('server', 'subjectAltName=IP:127.0.0.1');
    issue('client', 'extendedKeyUsage=clientAuth');
    mkdirSync(file('certificates'));
    for (const [name, content] of [
      ['ca', 'ca'],
      ['cert', 'client'],
      ['key', 'client-key'],
    ]) {
      writeFileSync(file(`certificates/${name}.pem`), readFileSync(file(`${content}.pem`)));
    }
    const pem = (name: string): Buffer => readFileSync(file(`${name}.pem`));
    const options = { ca: pem('ca'), cert: pem('server'), key: pem('server-key'), requestCert: true };
    server = createServer({ ...options, rejectUnauthorized: false }, (request, response) => {
      const known = request.socket instanceof TLSSocket && request.socket.authorized;
      response.writeHead(known ? 200 : 403).end(known ? '"welcome"' : '{"message":"who are you?"}');
    });
    await new Promise<void>(resolve => void server.listen(0, '127.0.0.1', resolve));
    url = `tcp://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  after(() => {
    server.close();
    server.closeAllConnections();
  });

  test('both sides show certificates that the other accepts', async () => {
    const env = { DOCKER_TLS_VERIFY: '1', DOCKER_CERT_PATH: file('certificates') };
    assert.equal(await connectDocker(resolveEndpoint({ flag: url, env })).get('/version'), 'welcome');
  });

  test('a daemon that nobody vouches for is refused, unless verification is off', async () => {
    mkdirSync(file('nothing'));
    const strict = { DOCKER_TLS_VERIFY: '1', DOCKER_CERT_PATH: file('nothing') };
    await assert.rejects(connectDocker(resolveEndpoint({ flag: url, env: strict })).get('/version'), {
      name: 'HostError',
      message: /^TLS with tcp:\/\/127\.0\.0\.1:\d+ failed: /,
    });
    const lax = { DOCKER_TLS: '1', DOCKER_CERT_PATH: file('nothing') };
    await assert.rejects(connectDocker(resolveEndpoint({ flag: url, env: lax })).get('/version'), {
      code: 'denied',
      message: /who are you\?/,
    });
  });

  test('a plain request to a TLS port is told as such', async () => {
    await assert.rejects(connectDocker(resolveEndpoint({ flag: url, env: {} })).get('/version'), {
      name: 'HostError',
      message: /Docker|HTTP|broke/,
    });
  });
});
after(() => rmSync(folder, { recursive: true }));
