/** What an `ip` that ends well and says too little is taken for: a host without interfaces there is not. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
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
