/** Addresses that the host has lost, or has where nobody is: verdicts against who is really answered. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as v from 'valibot';
import { PortsSchema } from '../../source/commands/ports-json.ts';
import { describeLab } from '../lab/for-tests.ts';
import type { Lab } from '../lab/lab.ts';
import { cutOff, explain, paste } from './explaining.ts';
import { netdash } from './netdash.ts';

/** Runs `ip` on the host. */
async function ip(host: Lab, command: string): Promise<void> {
  const { code, stderr } = await host.inHost(['ip', ...command.split(' ')]);
  assert.equal(code, 0, `ip ${command}: ${stderr}`);
}

/** What `netdash ports` says of who reaches each place with this port, by address. */
async function reachAt(host: Lab, port: number): Promise<Record<string, string | undefined>> {
  const { code, stdout, stderr } = await host.inHost(netdash('ports', '--json'));
  assert.equal(code, 0, stderr);
  const rows = v.parse(PortsSchema, JSON.parse(stdout)).ports.filter(each => each.port === port);
  return Object.fromEntries(rows.map(({ address, reach }) => [address, reach?.verdict]));
}

describeLab('addresses of the host', {}, lab => {
  test('one with another end is shown as ip shows it', async () => {
    const host = lab();
    await ip(host, 'link add ptp0 type veth peer name ptp1');
    await ip(host, 'addr add 10.9.0.1 peer 10.9.0.2/24 dev ptp0');
    const { stdout } = await host.inHost(['ip', '-o', 'addr', 'show', 'dev', 'ptp0']);
    const [, told = ''] = / inet (\S+ peer \S+) /.exec(stdout) ?? [];
    assert.equal(told, '10.9.0.1 peer 10.9.0.2/24');
    const { stdout: shown } = await host.inHost(netdash('snapshot'));
    assert.match(shown, new RegExp(` ptp0 .* ${told} `));
    await ip(host, 'link del ptp0');
  });

  test('an address that has left the host is named, on its LAN and beyond it, until the host has it again', async () => {
    const host = lab();
    const { second, host: first, lan } = host.addresses;
    await ip(host, 'addr add 192.0.2.7/32 dev eth0');
    await host.inLan(['ip', 'route', 'add', '192.0.2.7', 'via', first]);
    await host.run('gone-near', { publish: [`${second}:18070:80`] });
    await host.run('gone-far', { publish: ['192.0.2.7:18071:80'] });
    const lost = [
      { name: 'gone-near', address: second, port: 18070, length: 24 },
      { name: 'gone-far', address: '192.0.2.7', port: 18071, length: 32 },
    ];
    for (const { address, port } of lost) assert.ok(await host.fetchFrom('lan', address, port), address);
    assert.deepEqual(await cutOff(host), []);

    for (const { address, length } of lost) await ip(host, `addr del ${address}/${length} dev eth0`);
    for (const { name, address, port, length } of lost) {
      for (const from of ['lan', 'host'] as const)
        assert.equal(await host.fetchFrom(from, address, port), undefined, `${from} to ${address}`);
      for (const [target, ...args] of [[String(port)], [name], [`${address}:${port}`], [name, '--from', lan]]) {
        const verdicts = await explain(host, target ?? '', ...args);
        assert.ok(verdicts.length > 0, target);
        for (const { verdict, to, decidedBy, fix, confirm } of verdicts) {
          assert.deepEqual([verdict, to.address], ['blocked', address]);
          assert.equal(decidedBy?.detail, `this host does not have the address ${address}`);
          assert.match(fix ?? '', new RegExp(`: ip addr add ${address}/${length} dev eth0$`));
          assert.equal(await paste(host, confirm), '');
        }
      }
      assert.deepEqual(await reachAt(host, port), { [address]: 'blocked' });
    }
    assert.deepEqual((await cutOff(host)).sort(), ['gone-far', 'gone-near']);

    // Rules that do not ask whether the address is the host's take what is sent there by way of it.
    const { NetworkSettings } = await host.inspect('gone-far');
    const inside = NetworkSettings.Networks['bridge']?.IPAddress ?? '';
    const dnat = ['-d', '192.0.2.7', '-p', 'tcp', '--dport', '18071', '-j', 'DNAT', '--to-destination', `${inside}:80`];
    await host.inHost(['iptables', '-t', 'nat', '-I', 'PREROUTING', ...dnat]);
    assert.ok(await host.fetchFrom('lan', '192.0.2.7', 18071));
    const [translated] = await explain(host, '18071', '--from', 'lan');
    assert.equal(translated?.verdict, 'reachable');
    await host.inHost(['iptables', '-t', 'nat', '-D', 'PREROUTING', ...dnat]);

    for (const { port } of lost) {
      const [{ fix } = {}] = await explain(host, String(port), '--from', 'lan');
      await host.inHost((fix ?? '').replace(/^.*: /, '').split(' '));
    }
    for (const { address, port } of lost) {
      assert.ok(await host.fetchFrom('lan', address, port), address);
      assert.deepEqual(await reachAt(host, port), { [address]: 'reachable' });
    }
    assert.deepEqual(await cutOff(host), []);
    for (const { name } of lost) await host.remove(name);
  });

  test('an address whose interface is down is answered for by others, one of IPv6 is not', async () => {
    const host = lab();
    await host.inHost(['ip', '-batch', '-'], {
      input:
        'link add off0 type veth peer name off1 netns lan\naddr add 10.76.0.1/24 dev off0\naddr add fd00:76::1/64 dev off0 nodad\nlink set off0 up\n',
    });
    await host.inLan(['ip', 'route', 'add', '10.76.0.1', 'via', host.addresses.host]);
    await host.inLan(['ip', '-6', 'route', 'add', 'fd00:76::1', 'via', host.addresses.host6]);
    await host.run('off-4', { publish: ['10.76.0.1:18072:80'] });
    await host.run('off-6', { publish: ['[fd00:76::1]:18073:80'] });
    await host.inHost(['sysctl', '-w', 'net.ipv6.conf.off0.keep_addr_on_down=1']);
    await ip(host, 'link set off0 down');
    const asked = [
      { address: '10.76.0.1', port: 18072 },
      { address: 'fd00:76::1', port: 18073 },
    ];
    for (const { address, port } of asked) {
      const isAnswered = (await host.fetchFrom('lan', address, port)) !== undefined;
      assert.equal(isAnswered, address === '10.76.0.1', address);
      const verdicts = await explain(host, String(port), '--from', 'lan');
      assert.deepEqual(
        verdicts.map(({ verdict, to }) => [verdict, to.address]),
        [[isAnswered ? 'reachable' : 'blocked', address]],
      );
      assert.deepEqual(await reachAt(host, port), { [address]: isAnswered ? 'reachable' : 'blocked' });
      if (!isAnswered) assert.equal(verdicts[0]?.fix, 'ip link set off0 up');
    }
    assert.equal(await host.fetchFrom('lan', host.addresses.host, 18072), undefined);
    assert.deepEqual(await cutOff(host), ['off-6']);
    await ip(host, 'link set off0 up');
    assert.ok(await host.fetchFrom('lan', 'fd00:76::1', 18073));
    assert.deepEqual(await cutOff(host), []);
    for (const name of ['off-4', 'off-6']) await host.remove(name);
    await ip(host, 'link del off0');
  });

  test('nobody comes from a network without carrier, though its address is answered for by others', async () => {
    const host = lab();
    const { host: own, lan: neighbour } = host.addresses;
    const guarded = ['-i', 'eth0', '-m', 'conntrack', '--ctorigdstport', '18074', '-j', 'DROP'];
    await ip(host, 'link add dark0 type veth peer name dark1 netns lan');
    await ip(host, 'addr add 10.78.0.1/24 dev dark0');
    await ip(host, 'link set dark0 up');
    await ip(host, '-n lan addr add 10.78.0.5/24 dev dark1');
    await host.inLan(['ip', 'route', 'add', '10.78.0.1', 'via', own]);
    await host.run('dark-all', { publish: ['18074:80'] });
    await host.run('dark-one', { publish: ['10.78.0.1:18075:80'] });
    await host.inHost(['iptables', '-I', 'DOCKER-USER', '-p', 'tcp', ...guarded]);

    assert.equal(await host.fetchFrom('lan', own, 18074), undefined);
    assert.ok(await host.fetchFrom('lan', '10.78.0.1', 18075));
    assert.deepEqual(await reachAt(host, 18074), { '0.0.0.0': 'blocked', '::': 'reachable' });
    assert.deepEqual(await reachAt(host, 18075), { '10.78.0.1': 'reachable' });
    assert.deepEqual(await cutOff(host), ['dark-all']);
    const fromLan = await explain(host, '18075', '--from', 'lan');
    assert.deepEqual(
      fromLan.map(({ from, to, verdict }) => [from.interface, to.address, verdict]),
      [['eth0', '10.78.0.1', 'reachable']],
    );
    const { stderr } = await host.inHost(netdash('explain', '18075', '--from', 'lan:dark0'));
    assert.match(stderr, /no interface 'dark0' leads off this host \(dark0 has no carrier\)/);
    const [beyond] = await explain(host, '18074', '--from', '10.78.0.5');
    assert.deepEqual([beyond?.verdict, beyond?.decidedBy?.detail], ['blocked', 'dark0 has no carrier']);
    assert.match(await paste(host, beyond?.confirm), /NO-CARRIER/);

    await ip(host, '-n lan link set dark1 up');
    assert.deepEqual(await reachAt(host, 18074), { '0.0.0.0': 'reachable', '::': 'reachable' });
    assert.deepEqual(await cutOff(host), ['dark-all'], 'of the network of eth0');
    await host.inHost(['iptables', '-F', 'DOCKER-USER']);
    await ip(host, '-n lan link set dark1 down');

    // The route of the cut cable wins over the other one to the same network, unless the kernel is told to pass over such.
    await ip(host, 'addr add 10.77.0.77/24 dev dark0 noprefixroute');
    await ip(host, `route add ${neighbour}/32 dev dark0`);
    assert.equal(await host.fetchFrom('lan', own, 18074), undefined);
    const [cut] = await explain(host, '18074', '--from', neighbour);
    assert.deepEqual([cut?.verdict, cut?.decidedBy?.detail], ['blocked', 'dark0 has no carrier']);
    await host.inHost(['sysctl', '-w', 'net.ipv4.conf.dark0.ignore_routes_with_linkdown=1']);
    assert.ok(await host.fetchFrom('lan', own, 18074));
    const [whole] = await explain(host, '18074', '--from', neighbour);
    assert.equal(whole?.verdict, 'reachable');
    await ip(host, 'link del dark0');
    for (const name of ['dark-all', 'dark-one']) await host.remove(name);
  });

  test('neighbours of an address with a peer are those in the prefix of the peer', async () => {
    const host = lab();
    const nobody = ['-s', '10.9.0.0/24', '-j', 'DROP'];
    await ip(host, 'link add far0 type veth peer name far1 netns lan');
    await ip(host, 'addr add 192.168.55.1 peer 10.9.0.2/24 dev far0');
    await ip(host, 'link set far0 up');
    await ip(host, '-n lan addr add 10.9.0.2/24 dev far1');
    await ip(host, '-n lan link set far1 up');
    await ip(host, '-n lan route add 192.168.55.1 dev far1');
    await host.run('far-web', { publish: ['18076:80'] });
    const met = async () => {
      const [verdict] = await explain(host, '192.168.55.1:18076', '--from', 'lan:far0');
      return [await host.fetchFrom('lan', '192.168.55.1', 18076), verdict] as const;
    };
    const [answer, open] = await met();
    assert.ok(answer);
    assert.equal(open?.verdict, 'reachable');
    await host.inHost(['iptables', '-I', 'DOCKER-USER', ...nobody]);
    const [none, shut] = await met();
    assert.equal(none, undefined);
    assert.deepEqual([shut?.verdict, shut?.decidedBy?.chain], ['blocked', 'DOCKER-USER']);
    assert.deepEqual(await cutOff(host), ['far-web']);
    await host.inHost(['iptables', '-D', 'DOCKER-USER', ...nobody]);
    await ip(host, 'link del far0');
    await host.remove('far-web');
  });

  test('nobody is on an interface that has no other end, but its address is answered for', async () => {
    const host = lab();
    // Not every kernel has dummies; an ifb is as lonely.
    const { code } = await host.inHost(['ip', 'link', 'add', 'alone0', 'type', 'dummy']);
    if (code !== 0) await ip(host, 'link add alone0 type ifb');
    await ip(host, 'addr add 10.99.0.1/32 dev alone0');
    await ip(host, 'link set alone0 up');
    await host.inLan(['ip', 'route', 'add', '10.99.0.1', 'via', host.addresses.host]);
    await host.run('alone-all', { publish: ['0.0.0.0:18077:80'] });
    await host.run('alone-one', { publish: ['10.99.0.1:18078:80'] });
    const drop = ['-p', 'tcp', '-m', 'conntrack', '--ctorigdstport', '18077', '-j', 'DROP'];
    await host.inHost(['iptables', '-I', 'DOCKER-USER', '-i', 'eth0', ...drop]);
    for (const address of [host.addresses.host, '10.99.0.1'])
      assert.equal(await host.fetchFrom('lan', address, 18077), undefined, address);
    assert.deepEqual(await reachAt(host, 18077), { '0.0.0.0': 'blocked' });
    assert.ok(await host.fetchFrom('lan', '10.99.0.1', 18078));
    assert.deepEqual(await reachAt(host, 18078), { '10.99.0.1': 'reachable' });
    const verdicts = await explain(host, '18078', '--from', 'lan');
    assert.deepEqual(
      verdicts.map(({ from, to, verdict }) => [from.interface, to.address, verdict]),
      [['eth0', '10.99.0.1', 'reachable']],
    );
    const { stderr } = await host.inHost(netdash('explain', '18078', '--from', 'lan:alone0'));
    assert.match(stderr, /\(nobody can be on alone0, of kind (dummy|ifb)\)/);
    await host.inHost(['iptables', '-F', 'DOCKER-USER']);
    await ip(host, 'link del alone0');
    for (const name of ['alone-all', 'alone-one']) await host.remove(name);
  });
});
