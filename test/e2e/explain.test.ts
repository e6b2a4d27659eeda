/** `netdash explain` on a lab host, against what really answers. The long comparison is the oracle's. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { describeLab, labTest } from '../lab/for-tests.ts';
import { cutOff, explain, paste } from './explaining.ts';

describeLab('explain', {}, lab => {
  test('says reachable where a byte is answered, and names the rule where it is not', async () => {
    const host = lab();
    await host.run('ex-web', { publish: ['18080:80'] });
    const from = async (...args: string[]) => {
      const verdicts = await explain(host, '18080', ...args);
      return verdicts.find(({ to }) => !to.address.includes(':'));
    };
    assert.equal((await from('--from', 'lan'))?.verdict, 'reachable');
    assert.ok(await host.fetchFrom('lan', host.addresses.host, 18080));
    await host.inHost(['iptables', '-I', 'DOCKER-USER', '-i', 'eth0', '-p', 'tcp', '--dport', '80', '-j', 'DROP']);
    const blocked = await from('--from', 'lan');
    assert.equal(blocked?.verdict, 'blocked');
    assert.equal(blocked.decidedBy?.chain, 'DOCKER-USER');
    assert.match(blocked.decidedBy.text ?? '', /--dport 80 -j DROP/);
    assert.equal(await host.fetchFrom('lan', host.addresses.host, 18080), undefined);
    assert.equal((await from('--from', 'loopback'))?.verdict, 'reachable');
    assert.ok(await host.fetchFrom('host', '127.0.0.1', 18080));
    await host.inHost(['iptables', '-F', 'DOCKER-USER']);
  });

  test('names a bridge that is down, whatever becomes of the packet without its route', async () => {
    const host = lab();
    await host.run('ex-bridge', { publish: ['18083:80'] });
    await host.inHost(['ip', 'link', 'set', 'docker0', 'down']);
    for (const from of ['lan', 'loopback'] as const) {
      const seen = from === 'lan' ? 'lan' : 'host';
      assert.equal(await host.fetchFrom(seen, host.addresses.host, 18083), undefined);
    }
    const verdicts = (await explain(host, '18083')).filter(({ to }) => !to.address.includes(':'));
    assert.ok(verdicts.length >= 2);
    for (const { from, verdict, decidedBy, fix } of verdicts) {
      assert.notEqual(verdict, 'reachable', from.kind);
      assert.match(decidedBy?.detail ?? '', /docker0.* is down/, from.kind);
      if (from.kind === 'lan') assert.equal(fix, 'ip link set docker0 up');
    }
    await host.inHost(['ip', 'link', 'set', 'docker0', 'up']);
    await host.remove('ex-bridge');
  });

  test('names the route that leads past a bridge without its address, until it has it again', async () => {
    const host = lab();
    const id = await host.networkCreate('ex-lost', { ipam: [{ subnet: '172.30.5.0/24', gateway: '172.30.5.1' }] });
    const bridge = `br-${id.slice(0, 12)}`;
    await host.run('ex-in', { network: 'ex-lost', publish: ['18084:80'] });
    assert.deepEqual(await cutOff(host), []);
    await host.inHost(['ip', 'addr', 'del', '172.30.5.1/24', 'dev', bridge]);
    for (const rule of ['-I', '-D']) {
      await host.inHost(['iptables', rule, 'DOCKER-USER', '-j', 'ACCEPT']);
      for (const from of ['lan', 'host'] as const)
        assert.equal(await host.fetchFrom(from, host.addresses.host, 18084), undefined, from);
      assert.deepEqual(await cutOff(host), ['ex-in']);
    }
    const verdicts = (await explain(host, '18084')).filter(({ to }) => !to.address.includes(':'));
    assert.ok(verdicts.length >= 2);
    for (const { verdict, decidedBy, fix, confirm } of verdicts) {
      assert.equal(verdict, 'blocked');
      assert.match(
        decidedBy?.detail ?? '',
        new RegExp(`leads out of eth0, not to ${bridge}, the bridge that it is on`),
      );
      assert.match(await paste(host, confirm), /dev eth0/);
      assert.equal(fix, `Give ${bridge} its address again: ip addr add 172.30.5.1/24 dev ${bridge}`);
    }
    await host.inHost((verdicts[0]?.fix ?? '').replace(/^.*: /, '').split(' '));
    assert.ok(await host.fetchFrom('lan', host.addresses.host, 18084));
    assert.deepEqual(await cutOff(host), []);

    await host.inContainer('ex-in', ['ip', 'route', 'del', 'default']);
    assert.equal(await host.fetchFrom('lan', host.addresses.host, 18084), undefined);
    assert.deepEqual(await cutOff(host), ['ex-in']);
    const [back] = await explain(host, `${host.addresses.host}:18084`, '--from', host.addresses.lan);
    const { State } = await host.inspect('ex-in');
    assert.match(back?.decidedBy?.detail ?? '', /^the answer is stopped: ex-in has no route to /);
    assert.equal(back?.confirm, `nsenter -t ${State.Pid} -n ip route get ${host.addresses.lan}`);
    await paste(host, back.confirm);
    await host.remove('ex-in');
    await host.networkRemove('ex-lost');
  });

  test('nothing goes over lo while that is down, and what Docker publishes there is Docker\u2019s', async () => {
    const host = lab();
    await host.run('ex-own', { publish: ['127.0.0.1:18085:80'] });
    const [lan] = await explain(host, '18085', '--from', 'lan');
    assert.equal(lan?.verdict, 'local-only');
    assert.match(lan.fix ?? '', /publish it with -p 18085:80\.$/);
    assert.match(await paste(host, lan.confirm), /127\.0\.0\.1:18085/);
    // The host itself is not kept from it: nobody is at the other address.
    const { host: address } = host.addresses;
    assert.equal(await host.fetchFrom('host', address, 18085), undefined);
    const [beside] = await explain(host, `${address}:18085`, '--from', 'loopback');
    assert.equal(beside?.verdict, 'nothing-listening');
    assert.match(beside.decidedBy?.detail ?? '', /only at 127\.0\.0\.1, not at /);
    assert.match(beside.fix ?? '', /ask for it there, or publish it with -p 18085:80\.$/);
    await host.inHost(['ip', 'link', 'set', 'lo', 'down']);
    const [own] = await explain(host, '18085', '--from', 'loopback');
    assert.equal(await host.fetchFrom('host', '127.0.0.1', 18085), undefined);
    assert.deepEqual([own?.verdict, own?.decidedBy?.detail], ['blocked', 'lo is down']);
    assert.deepEqual(await cutOff(host), ['ex-own']);
    await host.inHost((own?.fix ?? '').split(' '));
    assert.ok(await host.fetchFrom('host', '127.0.0.1', 18085));
    assert.deepEqual(await cutOff(host), []);
    await host.remove('ex-own');
  });

  test('tells a port behind which nothing listens, and a paused container', async () => {
    const host = lab();
    await host.run('ex-dead', { publish: ['18081:81'] });
    await host.run('ex-still', { publish: ['18082:80'] });
    await host.api('POST', '/containers/ex-still/pause');
    for (const port of ['18081', '18082']) {
      const verdicts = await explain(host, port);
      assert.ok(verdicts.length >= 2);
      for (const { verdict } of verdicts) assert.equal(verdict, 'nothing-listening', port);
    }
    await host.api('POST', '/containers/ex-still/unpause');
  });
});

labTest(
  'with icc off, a link opens the exposed ports of the linked container and no others',
  { dockerdArgs: ['--icc=false'] },
  async lab => {
    await lab.run('ex-a');
    await lab.run('ex-b', { links: ['ex-a:a'] });
    await lab.run('ex-c');
    const { NetworkSettings, State } = await lab.inspect('ex-a');
    const address = NetworkSettings.Networks['bridge']?.IPAddress ?? '';
    // Listens there too, and is not exposed.
    await lab.spawnInHost([
      'nsenter',
      '-t',
      String(State.Pid),
      '--net',
      lab.busybox,
      'httpd',
      '-f',
      '-p',
      '81',
      '-h',
      '/',
    ]);
    const really = async (from: string, port: number): Promise<boolean> => {
      const script = 'printf "GET / HTTP/1.0\\r\\n\\r\\n" | "$0" nc -w 1 "$1" "$2"';
      const { stdout } = await lab.inContainer(from, ['sh', '-c', script, lab.busybox, address, String(port)]);
      return stdout !== '';
    };
    for (const [from, port, expected] of [
      ['ex-b', 80, true],
      ['ex-b', 81, false],
      ['ex-c', 80, false],
    ] as const) {
      assert.equal(await really(from, port), expected, `${from} to port ${port}`);
      const [verdict] = await explain(lab, `ex-a:${port}`, '--from', `container:${from}`);
      assert.equal(verdict?.verdict, expected ? 'reachable' : 'blocked', `${from} to port ${port}`);
    }
  },
);

labTest('on a cloud host, whose address is alone in its prefix, the LAN is whom the routes name', {}, async lab => {
  const { host, lan, host6 } = lab.addresses;
  const ip = async (command: string) =>
    assert.equal((await lab.inHost(['ip', ...command.split(' ')])).code, 0, command);
  await ip('addr flush dev eth0 scope global');
  await ip(`addr add ${host}/32 dev eth0`);
  await ip(`route add ${lan} dev eth0 scope link`);
  await ip(`route add default via ${lan}`);
  await ip(`addr add fd00:77::250/128 dev eth0 nodad`);
  await ip(`addr add ${host6}/64 dev eth0 nodad`);
  await lab.run('ex-cloud', { publish: ['18090:80'] });
  for (const at of [`${host}:18090`, `[${host6}]:18090`, '[fd00:77::250]:18090']) {
    const [verdict] = await explain(lab, at, '--from', 'lan');
    assert.equal(verdict?.verdict, 'reachable', at);
    assert.ok(await lab.fetchFrom('lan', verdict.to.address, 18090), at);
  }
  assert.deepEqual(await cutOff(lab), []);

  await lab.listen(
    { address: '239.255.255.250', port: 1900, proto: 'udp' },
    { address: '255.255.255.255', port: 67, proto: 'udp' },
  );
  for (const port of ['1900', '67']) {
    const verdicts = await explain(lab, port);
    assert.ok(verdicts.length >= 2);
    for (const { verdict, decidedBy } of verdicts) {
      assert.equal(verdict, 'unknown', port);
      assert.match(decidedBy?.detail ?? '', /is a (multi|broad)cast address: netdash does not follow/);
    }
  }
});
