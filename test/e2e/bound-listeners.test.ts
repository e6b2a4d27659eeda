/** Listeners that are bound to an interface, against who is really answered. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import * as v from 'valibot';
import { PortsSchema } from '../../source/commands/ports-json.ts';
import { FindingSchema } from '../../source/facts/schema.ts';
import { describeLab } from '../lab/for-tests.ts';
import type { Lab, LabProcess } from '../lab/lab.ts';
import { explain } from './explaining.ts';
import { netdash, runJson } from './netdash.ts';

const program = join(dirname(fileURLToPath(import.meta.url)), '..', 'lab', 'bound.pl');

/** Starts a listener bound to an interface: on the host, or with a container's network. */
async function bound(host: Lab, address: string, port: number, device: string, pid?: number): Promise<LabProcess> {
  const inside = pid === undefined ? [] : ['nsenter', '-t', String(pid), '--net'];
  const holder = await host.spawnInHost([...inside, 'perl', program, address, String(port), device]);
  const [said] = (await once(holder.child.stdout!, 'data')) as [Buffer];
  assert.equal(said.toString(), 'ready\n');
  return holder;
}

/** What a container gets from there; undefined for nothing. */
async function fetchInside(host: Lab, container: string, address: string, port: number): Promise<string | undefined> {
  const { stdout } = await host.inContainer(container, [
    'sh',
    '-c',
    'printf x | "$0" nc -w 2 "$1" "$2"',
    host.busybox,
    address,
    String(port),
  ]);
  return stdout === '' ? undefined : stdout;
}

/** What `netdash ports` says of the listener with this port. */
async function rowOf(host: Lab, port: number) {
  const { code, stdout, stderr } = await host.inHost(netdash('ports', '--json'));
  assert.equal(code, 0, stderr);
  return v.parse(PortsSchema, JSON.parse(stdout)).ports.find(each => each.port === port);
}

/** How it says that it is met. */
const reachOf = async (host: Lab, port: number) => (await rowOf(host, port))?.reach;

describeLab('listeners bound to an interface', {}, lab => {
  test('on the host: reached by that interface, and from the host at its addresses', async () => {
    const host = lab();
    const { host: own, host6 } = host.addresses;
    await host.run('near');
    await bound(host, '0.0.0.0', 19101, 'lo');
    await bound(host, '0.0.0.0', 19102, 'docker0');
    await bound(host, '0.0.0.0', 19103, 'eth0');
    await bound(host, '::', 19104, 'eth0');
    const bridge = '172.17.0.1';
    const cases = [
      { port: 19101, reach: 'local-only', addresses: ['127.0.0.1', own, bridge] },
      { port: 19102, reach: 'local-only', addresses: ['127.0.0.1', own, bridge] },
      { port: 19103, reach: 'reachable', addresses: ['127.0.0.1', own, bridge] },
      { port: 19104, reach: 'reachable', addresses: ['::1', own, host6] },
    ];
    for (const { port, reach, addresses } of cases) {
      const told = await reachOf(host, port);
      assert.equal(told?.verdict, reach, String(port));
      let answered = 0;
      for (const address of addresses) {
        const askers = {
          loopback: await host.fetchFrom('host', address, port),
          // Nobody on the LAN has a route to the others.
          ...((address === own || address === host6) && { lan: await host.fetchFrom('lan', address, port) }),
          ...(address === bridge && { 'container:near': await fetchInside(host, 'near', address, port) }),
        };
        for (const [from, answer] of Object.entries(askers)) {
          const [verdict] = await explain(host, `${address}:${port}`.replace(/^(.*:.*):/, '[$1]:'), '--from', from);
          assert.equal(verdict?.verdict === 'reachable', answer !== undefined, `${from} to ${address} ${port}`);
          if (answer !== undefined) answered += 1;
        }
      }
      assert.ok(answered > 0, `somebody reaches ${port}`);
    }
    assert.match((await reachOf(host, 19101))?.reason ?? '', /^it is bound to lo: only this host itself reaches it$/);
    assert.match(
      (await reachOf(host, 19102))?.reason ?? '',
      /^it is bound to docker0, which leads to nobody off this host/,
    );
    const [lan] = await explain(host, '19102', '--from', 'lan');
    assert.match(lan?.fix ?? '', /SO_BINDTODEVICE/);
  });

  test('of a port alone explain says of everybody what ports says: on a bridge of Docker, on a port of a bridge, on one that is down', async () => {
    const host = lab();
    const { host: own, lan: neighbour } = host.addresses;
    const ip = async (...args: string[]) => {
      const { code, stderr } = await host.inHost(['ip', ...args]);
      assert.equal(code, 0, stderr);
    };
    await ip('link', 'add', 'br9', 'type', 'bridge');
    for (const name of ['pt', 'off', 'bare'])
      await ip('link', 'add', `${name}0`, 'type', 'veth', 'peer', 'name', `${name}1`);
    await ip('link', 'set', 'pt0', 'master', 'br9');
    for (const name of ['br9', 'pt0', 'pt1', 'bare0', 'bare1', 'off0', 'off1']) await ip('link', 'set', name, 'up');
    for (const [name, address] of Object.entries({ br9: '10.90.0.1', pt0: '10.91.0.1', off0: '10.92.0.1' }))
      await ip('addr', 'add', `${address}/24`, 'dev', name);
    const cases = [
      { port: 19121, device: 'docker0', at: '172.17.0.1', reach: 'local-only' },
      { port: 19122, device: 'pt0', at: '10.91.0.1', reach: 'local-only' },
      { port: 19123, device: 'off0', at: '10.92.0.1', reach: 'nothing-listening' },
      { port: 19124, device: 'bare0', at: undefined, reach: 'unknown' },
    ];
    for (const { port, device } of cases) await bound(host, '0.0.0.0', port, device);
    await ip('link', 'set', 'off0', 'down');
    // The neighbour may ask at any address of the host, whatever the interface.
    for (const to of ['172.17.0.1', '10.91.0.1', '10.92.0.1'])
      assert.equal((await host.inLan(['ip', 'route', 'add', to, 'via', own])).code, 0);
    for (const { port, device, at, reach } of cases) {
      const row = await rowOf(host, port);
      assert.deepEqual([row?.reach?.verdict, row?.device], [reach, device], String(port));
      assert.match(
        (await host.inHost(['ss', '-Hltn', `sport = :${port}`])).stdout,
        new RegExp(` 0\\.0\\.0\\.0%${device}:${port} `),
      );
      const fromLan = await explain(host, String(port), '--from', 'lan:eth0');
      assert.deepEqual([...new Set(fromLan.map(({ verdict }) => verdict))], [reach], String(port));
      for (const { to } of [...fromLan, ...(at === undefined ? [] : [{ to: { address: at } }])])
        assert.equal(await host.fetchFrom('lan', to.address, port), undefined, `${neighbour} to ${to.address} ${port}`);
      const [here] = await explain(host, String(port), '--from', 'loopback');
      assert.ok(here);
      assert.equal(here.verdict === 'reachable', (await host.fetchFrom('host', here.to.address, port)) !== undefined);
      assert.equal(here.verdict === 'reachable', reach === 'local-only', `this host to ${here.to.address} ${port}`);
    }
    // What comes by a port of a bridge counts as come by the bridge.
    assert.equal((await host.inHost(['ip', 'netns', 'add', 'on-br9'])).code, 0);
    await ip('link', 'set', 'pt1', 'netns', 'on-br9');
    for (const args of [
      ['addr', 'add', '10.90.0.2/24', 'dev', 'pt1'],
      ['addr', 'add', '10.91.0.2/24', 'dev', 'pt1'],
      ['link', 'set', 'pt1', 'up'],
    ])
      await ip('-n', 'on-br9', ...args);
    await bound(host, '0.0.0.0', 19125, 'br9');
    const ask = async (address: string, port: number) => {
      const script = `printf x | "$0" nc -w 2 ${address} ${port}`;
      return (await host.inHost(['ip', 'netns', 'exec', 'on-br9', 'sh', '-c', script, host.busybox])).stdout;
    };
    assert.deepEqual([await ask('10.90.0.1', 19122), await ask('10.91.0.1', 19122)], ['', '']);
    assert.equal(await ask('10.90.0.1', 19125), 'hello\n');
    const [near] = await explain(host, '19122', '--from', 'lan:br9');
    assert.equal(near?.verdict, 'local-only');
    await host.inHost(['ip', 'netns', 'del', 'on-br9']);
    for (const name of ['br9', 'off0', 'bare0']) await ip('link', 'del', name);
  });

  test('a container is asked of at the address of a bridge where that is the one that is listened at', async () => {
    const host = lab();
    await host.run('near-too');
    const holder = await host.listen({ address: '172.17.0.1', port: 19126 });
    const [verdict, more] = await explain(host, '19126', '--from', 'container:near-too');
    assert.deepEqual(
      [verdict?.to.address, verdict?.verdict, more],
      [
        '172.17.0.1',
        (await fetchInside(host, 'near-too', '172.17.0.1', 19126)) ? 'reachable' : 'nothing-listening',
        undefined,
      ],
    );
    assert.equal(verdict?.verdict, 'reachable');
    await holder.close();
  });

  test('at an address that its interface does not have: the host and the LAN are refused, what is on a bridge is answered', async () => {
    const host = lab();
    const own = host.addresses.host;
    await host.run('beside');
    await bound(host, own, 19106, 'docker0');
    await bound(host, own, 19107, 'lo');
    await bound(host, '127.0.0.1', 19108, 'docker0');
    for (const [port, address] of [
      [19106, own],
      [19107, own],
      [19108, '127.0.0.1'],
    ] as const) {
      for (const from of ['host', 'lan'] as const)
        assert.equal(await host.fetchFrom(from, own, port), undefined, `${from} ${port}`);
      assert.equal(await host.fetchFrom('host', address, port), undefined);
      const told = await reachOf(host, port);
      assert.equal(told?.verdict, 'nothing-listening', String(port));
      assert.match(told.reason, /, which does not have [\d.]+: neither this host nor anybody off it reaches it$/);
      const verdicts = [...(await explain(host, String(port))), ...(await explain(host, `${own}:${port}`))];
      assert.ok(verdicts.length >= 4);
      for (const { from, verdict } of verdicts) assert.equal(verdict, 'nothing-listening', `${from.kind} ${port}`);
    }
    assert.ok(await fetchInside(host, 'beside', own, 19106));
    const [near] = await explain(host, `${own}:19106`, '--from', 'container:beside');
    assert.equal(near?.verdict, 'reachable');
  });

  test('at a link-local address, which is bound to its interface: a port is asked at there too', async () => {
    const host = lab();
    const { stdout } = await host.inHost(['ip', '-6', '-o', 'addr', 'show', 'dev', 'eth0', 'scope', 'link']);
    const address = / (fe80:\S+)\/64 /.exec(stdout)?.[1] ?? '';
    await bound(host, address, 19105, 'eth0');
    // The neighbour calls its interface eth0 as well.
    const isAnswered = async (from: 'host' | 'lan') =>
      (await host.fetchFrom(from, `${address}%eth0`, 19105)) !== undefined;
    const told = async (from: string) =>
      (await explain(host, '19105', '--from', from)).map(({ to, verdict }) => `${to.address} ${verdict}`);
    assert.deepEqual([await isAnswered('lan'), await isAnswered('host')], [true, true]);
    assert.deepEqual(await told('lan'), [`${address} reachable`]);
    assert.deepEqual(await told('loopback'), [`${address} reachable`]);
    const reach = await reachOf(host, 19105);
    assert.deepEqual([reach?.verdict, reach?.at], ['reachable', [{ address, port: 19105 }]]);
    await host.inHost(['ip6tables', '-I', 'INPUT', '-i', 'eth0', '-p', 'tcp', '--dport', '19105', '-j', 'DROP']);
    assert.equal(await isAnswered('lan'), false);
    assert.deepEqual(await told('lan'), [`${address} blocked`]);
  });

  test('in a container: a published port whose listener takes nothing that comes by the interface of that network', async () => {
    const host = lab();
    await host.networkCreate('zz-second');
    for (const [name, publish] of Object.entries({
      'bd-other': '19111:81',
      'bd-own': '19112:81',
      'bd-lo': '19113:81',
    })) {
      await host.run(name, { publish: [publish] });
      await host.networkConnect('zz-second', name);
    }
    const pidOf = async (name: string) => (await host.inspect(name)).State.Pid;
    await bound(host, '0.0.0.0', 81, 'eth1', await pidOf('bd-other'));
    await bound(host, '0.0.0.0', 81, 'eth0', await pidOf('bd-own'));
    await bound(host, '0.0.0.0', 81, 'lo', await pidOf('bd-lo'));
    const dead: string[] = [];
    for (const [name, port] of Object.entries({ 'bd-other': 19111, 'bd-own': 19112, 'bd-lo': 19113 })) {
      const isAnswered = (await host.fetchFrom('lan', host.addresses.host, port)) !== undefined;
      const [verdict] = await explain(host, `${host.addresses.host}:${port}`, '--from', 'lan');
      assert.equal(verdict?.verdict, isAnswered ? 'reachable' : 'nothing-listening', name);
      if (!isAnswered) dead.push(name);
    }
    assert.deepEqual(dead, ['bd-other', 'bd-lo']);
    // Only after a container's first 15 seconds is it said that nothing listens.
    await new Promise(resolve => setTimeout(resolve, 16_000));
    const { json } = await runJson(host, 'doctor');
    const { findings } = v.parse(v.object({ findings: v.array(FindingSchema) }), json);
    const told = findings.filter(({ code }) => code === 'nothing-listening');
    assert.deepEqual(told.map(({ subject }) => subject.name).sort(), [...dead].sort());
    const other = told.find(({ subject }) => subject.name === 'bd-other');
    assert.match(other?.message ?? '', /0\.0\.0\.0:81\/tcp on eth1/);
    assert.match(other?.fix ?? '', /bound to eth1 \(SO_BINDTODEVICE\)/);
  });
});
