/** `netdash ports --exposed` against a neighbour on the LAN who asks at every address and port that there is. */
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import * as v from 'valibot';
import { PortsSchema, type Port } from '../../source/commands/ports-json.ts';
import { describeLab } from '../lab/for-tests.ts';
import type { Lab } from '../lab/lab.ts';
import { netdash } from './netdash.ts';

async function ports(lab: Lab, ...args: string[]): Promise<Port[]> {
  const { code, stdout, stderr } = await lab.inHost(netdash('ports', '--json', ...args));
  assert.equal(code, 0, stderr);
  return v.parse(PortsSchema, JSON.parse(stdout)).ports;
}

/** Whatever a row could be met at, by what Docker and the lab say of addresses. */
async function placesOf(lab: Lab, { netns, address, port, containerId, v6only }: Port): Promise<string[]> {
  if (port === null) return [];
  const own = async (): Promise<string[]> => {
    if (netns === 'host') return [lab.addresses.host, lab.addresses.host6];
    const { Networks } = (await lab.inspect(containerId ?? '')).NetworkSettings;
    return Object.values(Networks).flatMap(({ IPAddress, GlobalIPv6Address }) =>
      [IPAddress, GlobalIPv6Address].filter(text => text !== ''),
    );
  };
  const addresses = address === '0.0.0.0' || address === '::' ? await own() : [address];
  const isTaken = (each: string) => (each.includes(':') ? address !== '0.0.0.0' : address !== '::' || v6only === false);
  return addresses
    .filter(isTaken)
    .filter(each => !each.startsWith('127.'))
    .map(each => `${each} ${port}`);
}

describeLab('exposed ports', {}, lab => {
  before(async () => {
    const host = lab();
    const { addresses } = host;
    await host.networkCreate('expo6', { ipv6: true, ipam: [{ subnet: 'fd00:30:7::/64' }] });
    await host.networkCreate('expo-in', { internal: true });
    await Promise.all([
      host.run('open', { publish: ['18080:80'] }),
      host.run('shut', { publish: ['18081:80'] }),
      host.run('dead', { publish: ['18082:81'] }),
      host.run('near', { publish: ['127.0.0.1:18083:80'] }),
      host.run('cache', { publish: [`${addresses.host}:16379:6379`], cmd: ['httpd', '-f', '-p', '6379'] }),
      host.run('six', { network: 'expo6', publish: ['18084:80'] }),
      host.run('inner', { network: 'expo-in' }),
      host.run('quiet'),
      host.spawnInHost([host.busybox, 'httpd', '-f', '-p', '18090', '-h', '/']),
      host.spawnInHost([host.busybox, 'httpd', '-f', '-p', '127.0.0.1:18091', '-h', '/']),
      host.spawnInHost([host.busybox, 'httpd', '-f', '-p', '18092', '-h', '/']),
    ]);
    const user = ['DOCKER-USER', '-p', 'tcp', '-m', 'conntrack', '--ctorigdstport', '18081', '-j', 'DROP'];
    await host.inHost(['iptables', '-I', ...user]);
    await host.inHost(['iptables', '-I', 'INPUT', '-p', 'tcp', '--dport', '18092', '-j', 'DROP']);
    await host.inLan(['ip', 'route', 'add', '172.16.0.0/12', 'via', addresses.host]);
    await host.inLan(['ip', '-6', 'route', 'add', 'fd00:30::/32', 'via', addresses.host6]);
    // Until the kernel has made sure that nobody else has it, a new IPv6 address of a bridge is not there.
    while ((await host.inHost(['ip', '-6', 'address', 'show', 'tentative'])).stdout.includes('tentative'));
  });

  test('a neighbour is answered at exactly the places that are listed', async () => {
    const host = lab();
    const [all, exposed] = [await ports(host), await ports(host, '--exposed')];
    const listed = new Set(
      exposed
        .filter(({ reach, proto }) => reach?.verdict === 'reachable' && proto === 'tcp')
        .flatMap(({ reach }) => reach?.at.map(({ address, port }) => `${address} ${port}`) ?? []),
    );
    const unknown = exposed.filter(({ reach }) => reach?.verdict !== 'reachable');
    assert.deepEqual(unknown, [], 'nothing here is beyond netdash');
    const places = new Set<string>();
    for (const port of all) if (port.proto === 'tcp') for (const place of await placesOf(host, port)) places.add(place);
    assert.ok(places.size >= 15, `${places.size} places`);
    const answered = new Map<string, boolean>();
    await Promise.all(
      [...places].map(async place => {
        const [address = '', port] = place.split(' ');
        answered.set(place, (await host.fetchFrom('lan', address, Number(port))) !== undefined);
      }),
    );
    const told = Object.fromEntries([...answered].map(([place]) => [place, listed.has(place)]));
    assert.deepEqual(told, Object.fromEntries(answered));
    const count = [...answered.values()].filter(Boolean).length;
    assert.ok(count >= 4 && count < answered.size, `${count} of ${answered.size} answered`);
  });

  test('the riskiest come first, with what they are', async () => {
    const exposed = await ports(lab(), '--exposed');
    const ranks = exposed.map(({ risk }) => ['critical', 'high', 'elevated', 'ordinary'].indexOf(risk ?? ''));
    assert.deepEqual(
      ranks,
      [...ranks].sort((a, b) => a - b),
    );
    const [first] = exposed;
    assert.equal(first?.owner.containerName, 'cache');
    assert.equal(first?.service, 'Redis by its port');
    assert.match(first?.why ?? '', /without a password.* at .*:16379/);
  });

  test('a port on loopback is not listed where Docker keeps the LAN from it, and is where it does not', async () => {
    const host = lab();
    const near = (await ports(host)).find(({ port, netns }) => port === 18083 && netns === 'host');
    const { stdout } = await host.inHost(['iptables-save', '-t', 'raw']);
    const isKept = /-d 127\.0\.0\.1\/32 .*--dport 18083 -j DROP/.test(stdout);
    assert.equal(near?.reach?.verdict === 'reachable', !isKept, stdout);
  });
});
