/** What an `ip` that ends well and says too little is taken for: a host without interfaces there is not. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Tool } from '../../source/host/host.ts';
import { readLinks } from '../../source/host/links.ts';
import { textHost } from './text-host.ts';

const lo = {
  ifindex: 1,
  ifname: 'lo',
  flags: ['LOOPBACK', 'UP', 'LOWER_UP'],
  operstate: 'UNKNOWN',
  link_type: 'loopback',
  addr_info: [{ family: 'inet', local: '127.0.0.1', prefixlen: 8, scope: 'host' }],
};

const host = (links: string, routes: string) =>
  textHost({
    files: { '/proc/self/net/dev': 'Inter-|   Receive\n face |bytes\n' },
    tools: {
      'ip -j -d addr': links,
      'ip -j route show table all': routes,
      'ip -j -4 rule': '[{"priority":0,"src":"all","table":"local"}]',
      'ip -j -6 rule': '[{"priority":0,"src":"all","table":"local"}]',
    },
  });

test('no interface at all is no answer: every netns has its loopback', async () => {
  for (const said of ['', '\n', '[]']) {
    await assert.rejects(readLinks(host(said, '[]')), { code: 'failed', message: /no interface at all/ });
  }
});

test('no route at all is a gap where an interface that is up has an address, and none where it is down', async () => {
  const routes = JSON.stringify([{ dst: '127.0.0.1', dev: 'lo', table: 'local', type: 'local' }]);
  assert.equal((await readLinks(host(JSON.stringify([lo]), routes))).missing, undefined);
  const silent = await readLinks(host(JSON.stringify([lo]), ''));
  assert.match(silent.missing ?? '', /routes: ip printed none at all/);
  assert.equal(silent.value.links.length, 1);
  const down = { ...lo, flags: ['LOOPBACK'], operstate: 'DOWN' };
  assert.equal((await readLinks(host(JSON.stringify([down]), ''))).missing, undefined);
});

const veth = (master?: string, scope = 'link') => ({
  ifindex: 9,
  ifname: 'veth9',
  flags: ['UP'],
  link_index: 2,
  linkinfo: { info_kind: 'veth' },
  addr_info: [{ family: 'inet6', local: 'fe80::9', prefixlen: 64, scope }],
  ...(master !== undefined && { master }),
});

test('routes are read again when packets may be routed otherwise, and not while a veth is on its way to or from a bridge', async () => {
  const eth0 = { ...lo, ifindex: 2, ifname: 'eth0', flags: ['UP'], link_type: 'ether' };
  let links: object[] = [lo, eth0];
  let reads = 0;
  const machine = {
    ...host('', ''),
    run: (tool: Tool, args: readonly string[]) => {
      if (args.includes('route')) reads += 1;
      return host(JSON.stringify(links), JSON.stringify([{ dst: 'default', dev: 'eth0' }])).run(tool, args);
    },
  };
  let known = (await readLinks(machine)).value;
  const readsOf = async (...now: object[]): Promise<number> => {
    links = now;
    const before = reads;
    known = (await readLinks(machine, known)).value;
    assert.equal(known.routes.length, 1);
    return reads - before;
  };
  assert.equal(await readsOf(lo, eth0), 0);
  // A container of a bridge begins and ends.
  assert.equal(await readsOf(lo, eth0, veth()), 0);
  assert.equal(await readsOf(lo, eth0, veth('docker0')), 0);
  assert.equal(await readsOf(lo, eth0, veth()), 0);
  assert.equal(await readsOf(lo, eth0), 0);
  // One that stays without a bridge is routed to.
  assert.equal(await readsOf(lo, eth0, veth()), 0);
  assert.equal(await readsOf(lo, eth0, veth()), 1);
  assert.equal(await readsOf(lo, eth0, veth()), 0);
  assert.equal(await readsOf(lo, eth0), 1);
  assert.equal(await readsOf(lo, eth0, veth(undefined, 'global')), 1, 'with an address of its own');
  assert.equal(await readsOf(lo, { ...eth0, flags: [] }, veth(undefined, 'global')), 1, 'another interface is down');
});
