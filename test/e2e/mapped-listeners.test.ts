/** IPv6 sockets that are bound to v4-mapped addresses (`::ffff:a.b.c.d`), as .NET and Java make them, against who is really answered. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as v from 'valibot';
import { DoctorSchema } from '../../source/commands/doctor-json.ts';
import { PortsSchema } from '../../source/commands/ports-json.ts';
import { describeLab } from '../lab/for-tests.ts';
import type { Lab } from '../lab/lab.ts';
import { explain } from './explaining.ts';
import { runJson, takeSnapshot } from './netdash.ts';

/** The IPv4 places at which `netdash ports --exposed` says that the LAN is answered, for a port of the host. */
async function exposedAt(host: Lab, port: number): Promise<string[]> {
  const { code, json } = await runJson(host, 'ports', '--exposed');
  assert.equal(code, 0);
  const rows = v.parse(PortsSchema, json).ports.filter(each => each.port === port && each.netns === 'host');
  const at = rows.flatMap(({ reach }) => (reach?.verdict === 'reachable' ? reach.at : []));
  return at.map(({ address }) => address).filter(address => !address.includes(':'));
}

/** Asserts that what `netdash explain` says of an IPv4 place is what comes of connecting to it. @returns whether it answers */
async function witnessed(host: Lab, from: 'host' | 'lan', address: string, port: number): Promise<boolean> {
  const isAnswered = (await host.fetchFrom(from, address, port)) !== undefined;
  const [verdict] = await explain(host, `${address}:${port}`, '--from', from === 'lan' ? 'lan' : 'loopback');
  assert.equal(verdict?.verdict === 'reachable', isAnswered, `${from} to ${address}:${port}: ${verdict?.verdict}`);
  return isAnswered;
}

/** What the kernel says to IPV6_V6ONLY (26) on a socket that is bound to a v4-mapped address. @param first whether it is set before bind() */
async function bindMapped(host: Lab, first: boolean): Promise<string> {
  const set = 'setsockopt($s, 41, 26, pack("i", 1)) or die "IPV6_V6ONLY: $!\\n";';
  const bind = 'bind($s, pack_sockaddr_in6(0, inet_pton(AF_INET6, "::ffff:0.0.0.0"))) or die "bind: $!\\n";';
  const off = 'setsockopt($s, 41, 26, pack("i", 0));';
  const steps = first ? [set, bind] : [off, bind, set];
  const program = `use Socket qw(:DEFAULT AF_INET6 inet_pton pack_sockaddr_in6); socket(my $s, AF_INET6, SOCK_STREAM, 0); ${steps.join(' ')}`;
  return (await host.inHost(['perl', '-e', program])).stderr.trim();
}

describeLab('listeners on v4-mapped addresses', {}, lab => {
  test('on the host: met as the IPv4 address that they stand for, the wildcard as all of them', async () => {
    const host = lab();
    const { host: own, second } = host.addresses;
    const held = await host.listen(
      { address: '::ffff:0.0.0.0', port: 19121 },
      { address: `::ffff:${own}`, port: 19122 },
      { address: '::ffff:127.0.0.1', port: 19123 },
    );
    const met: Record<number, string[]> = {};
    for (const port of [19121, 19122, 19123]) {
      for (const address of ['127.0.0.1', own, second]) {
        for (const from of address === '127.0.0.1' ? (['host'] as const) : (['host', 'lan'] as const))
          if (await witnessed(host, from, address, port)) (met[port] ??= []).push(`${from} ${address}`);
      }
      const verdicts = await explain(host, String(port));
      for (const { from, to, verdict } of verdicts) {
        assert.ok(!to.address.includes(':'), to.address);
        assert.equal(
          verdict,
          met[port]?.includes(`${from.kind === 'lan' ? 'lan' : 'host'} ${to.address}`) ? 'reachable' : 'local-only',
        );
      }
    }
    assert.deepEqual(met, {
      19121: ['host 127.0.0.1', `host ${own}`, `lan ${own}`, `host ${second}`, `lan ${second}`],
      19122: [`host ${own}`, `lan ${own}`],
      19123: ['host 127.0.0.1'],
    });
    assert.deepEqual(await exposedAt(host, 19121), [own, second]);
    assert.deepEqual(await exposedAt(host, 19122), [own]);
    assert.deepEqual(await exposedAt(host, 19123), []);
    await held.close();
  });

  test('in a container: a published port that leads to the wildcard is reachable', async () => {
    const host = lab();
    const { host: own, second } = host.addresses;
    await host.run('mapped', { publish: ['19124:56'], cmd: ['httpd', '-f', '-h', '/', '-p', '[::ffff:0.0.0.0]:56'] });
    for (const from of ['host', 'lan'] as const) assert.ok(await witnessed(host, from, own, 19124));
    assert.deepEqual(await exposedAt(host, 19124), [own, second]);
    await host.remove('mapped');
  });

  test('in a container: what is bound to one address leaves nothing open, and no kernel gives a v4-mapped one IPV6_V6ONLY', async () => {
    const host = lab();
    await host.networkCreate('mapped6', { ipv6: true, ipam: [{ subnet: 'fd00:30:9::/64' }] });
    for (const [name, address] of Object.entries({ any: '::ffff:0.0.0.0', own: '::ffff:127.0.0.1', six: '::1' })) {
      const cmd = ['httpd', '-f', '-h', '/', '-p', `[${address}]:80`];
      await host.run(name, { publish: ['80'], cmd, ...(name === 'six' && { network: 'mapped6' }) });
    }
    const { json } = await runJson(host, 'doctor');
    const { incomplete } = v.parse(DoctorSchema, json).unjudged;
    assert.deepEqual(incomplete.containers, []);
    const { containers } = await takeSnapshot(host);
    for (const name of ['any', 'own']) {
      const listeners = containers.find(each => each.name === name)?.listeners;
      assert.deepEqual(
        listeners?.map(({ v6only }) => v6only),
        [false],
        name,
      );
      const { stdout } = await host.inContainer(name, ['ss', '-Hltne']);
      assert.match(stdout, /^LISTEN .*\[::ffff:[\d.]+\]:80 .* v6only:0 .*\n$/);
    }
    const [before, after] = await Promise.all([true, false].map(first => bindMapped(host, first)));
    assert.deepEqual([before, after], ['bind: Invalid argument', 'IPV6_V6ONLY: Invalid argument']);
    assert.deepEqual(
      containers
        .find(({ name }) => name === 'six')
        ?.listeners?.map(({ address }) => address)
        .filter(each => each.includes(':')),
      ['::1'],
    );
    for (const name of ['any', 'own', 'six']) await host.remove(name);
    await host.networkRemove('mapped6');
  });
});
