import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseEngine } from '../../source/host/docker-engine.ts';
import { userlandProxyOf } from '../../source/host/dockerd.ts';

const said = (...args: string[]) => userlandProxyOf(['--data-root', '/data', ...args, '--host', 'fd://']);

test('a command line says whether docker-proxies are started, or nothing of it', () => {
  assert.equal(said(), undefined);
  assert.equal(said('--userland-proxy-path=/usr/bin/docker-proxy'), undefined);
  for (const each of ['--userland-proxy', '--userland-proxy=true', '--userland-proxy=1', '--userland-proxy=T'])
    assert.equal(said(each), true, each);
  for (const each of ['--userland-proxy=false', '--userland-proxy=0', '--userland-proxy=FALSE'])
    assert.equal(said(each), false, each);
  assert.equal(said('--userland-proxy=perhaps'), undefined);
  assert.equal(said('--userland-proxy', '--userland-proxy=false'), false);
});

const told = (value: unknown) => {
  const Info = [
    ['EnableUserlandProxy', value],
    ['UserlandProxyPath', '/usr/bin/docker-proxy'],
  ];
  return parseEngine({}, { FirewallBackend: { Driver: 'nftables', Info } }).userlandProxy;
};

test('newer daemons say it themselves', () => {
  assert.deepEqual([told('true'), told('false'), told('x'), told(7)], [true, false, undefined, undefined]);
  const others = [
    {},
    { FirewallBackend: { Info: null } },
    { FirewallBackend: { Info: [7, null, ['EnableUserlandProxy']] } },
  ];
  for (const info of others) assert.equal(parseEngine({}, info).userlandProxy, undefined);
});
