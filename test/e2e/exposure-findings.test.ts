/** The findings about ports that are more open, or less, than they look: on real hosts, against who really gets an answer. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as v from 'valibot';
import { FindingSchema, type Finding } from '../../source/facts/schema.ts';
import { describeLab, labTest } from '../lab/for-tests.ts';
import type { Lab } from '../lab/lab.ts';
import { mountFirewallTree } from '../oracle/firewall-tree.ts';
import { installUfw } from '../oracle/firewalls.ts';
import { runJson, takeSnapshot } from './netdash.ts';

const codes = new Set([
  'exposed-past-firewall',
  'direct-access-blocked',
  'family-asymmetry',
  'loopback-exposed',
  'unpublished-exposed',
]);

async function doctor(lab: Lab): Promise<Finding[]> {
  const { json } = await runJson(lab, 'doctor');
  const { findings } = v.parse(v.object({ findings: v.array(FindingSchema) }), json);
  return findings.filter(({ code }) => codes.has(code));
}

const brief = (findings: readonly Finding[]): string[] =>
  findings.map(({ code, subject }) => `${code} ${subject.name}`).sort();

async function must(lab: Lab, where: 'inHost' | 'inLan', ...commands: string[]): Promise<void> {
  for (const command of commands) {
    const { code, stderr } = await lab[where](command.split(' '));
    assert.equal(code, 0, `${command}: ${stderr}`);
  }
}

const closeInput = [
  'iptables -A INPUT -i lo -j ACCEPT',
  'iptables -A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT',
  'iptables -P INPUT DROP',
];
const openInput = ['iptables -P INPUT ACCEPT', 'iptables -F INPUT'];

describeLab('what is more open than it looks', {}, lab => {
  test('a host without a firewall of its own raises none of these for ports on every address', async () => {
    await lab().run('ef-web', { publish: ['18080:80'] });
    await lab().run('ef-two');
    assert.ok(await lab().fetchFrom('lan', lab().addresses.host, 18080));
    assert.ok(await lab().fetchFrom('lan', lab().addresses.host6, 18080));
    assert.deepEqual(brief(await doctor(lab())), []);
  });

  test('a published port passes a closed INPUT by', async () => {
    const host = lab();
    await must(host, 'inHost', ...closeInput);
    assert.ok(await host.fetchFrom('lan', host.addresses.host, 18080), 'open in spite of INPUT');
    const findings = await doctor(host);
    assert.deepEqual(brief(findings), ['exposed-past-firewall ef-web']);
    // What the fix says closes it, and the finding goes.
    const fix = /iptables (-I DOCKER-USER .* -j DROP)$/.exec(findings[0]?.fix ?? '')?.[1] ?? '';
    await must(host, 'inHost', `iptables ${fix}`);
    assert.equal(await host.fetchFrom('lan', host.addresses.host, 18080), undefined);
    assert.deepEqual(brief(await doctor(host)), ['family-asymmetry ef-web']);
    await must(host, 'inHost', 'iptables -D DOCKER-USER 1', ...openInput);
  });

  test('a rule for one family only leaves the other open', async () => {
    const host = lab();
    const rule = 'INPUT -p tcp --dport 18080 -j DROP';
    await must(host, 'inHost', `ip6tables -I ${rule}`);
    assert.ok(await host.fetchFrom('lan', host.addresses.host, 18080));
    assert.equal(await host.fetchFrom('lan', host.addresses.host6, 18080), undefined);
    const [only, ...more] = await doctor(host);
    assert.deepEqual([only?.code, more.length], ['family-asymmetry', 0]);
    assert.match(only?.message ?? '', /reaches it over IPv4 only: ip6 filter INPUT rule 1/);
    await must(host, 'inHost', `ip6tables -D ${rule}`);
    assert.deepEqual(brief(await doctor(host)), []);
  });

  test('who asks for a container by its own address is counted since Docker 28, and let through before', async () => {
    const host = lab();
    const { NetworkSettings } = await host.inspect('ef-web');
    const address = NetworkSettings.Networks['bridge']?.IPAddress ?? '';
    await must(host, 'inLan', `ip route add 172.17.0.0/16 via ${host.addresses.host}`);
    const isDropped = host.dockerMajor >= 28;
    assert.equal((await host.fetchFrom('lan', address, 80)) === undefined, isDropped);
    const findings = await doctor(host);
    assert.deepEqual(brief(findings), isDropped ? ['direct-access-blocked ef-web'] : []);
    if (isDropped) assert.match(findings[0]?.message ?? '', /have dropped [1-9]\d* such packets/);
  });

  test('a port on 127.0.0.1 is open to neighbours before Docker 28', async () => {
    const host = lab();
    await host.run('ef-own', { publish: ['127.0.0.1:18081:80'] });
    // A neighbour that has no such address itself, so that it sends packets for it over the wire and takes the answer.
    await must(
      host,
      'inLan',
      'sysctl -q -w net.ipv4.conf.all.route_localnet=1',
      'ip addr del 127.0.0.1/8 dev lo',
      `ip route add 127.0.0.1 via ${host.addresses.host} src ${host.addresses.lan}`,
    );
    const isOpen = (await host.fetchFrom('lan', '127.0.0.1', 18081)) !== undefined;
    assert.equal(isOpen, host.dockerMajor < 28);
    const findings = (await doctor(host)).filter(({ code }) => code === 'loopback-exposed');
    assert.deepEqual(brief(findings), isOpen ? ['loopback-exposed ef-own'] : []);
  });
});

labTest('an unpublished port is open over IPv6 unless Docker filters it', {}, async lab => {
  await lab.networkCreate('ef-six', { ipv6: true, ipam: [{ subnet: 'fd00:30:9::/64' }] });
  await lab.run('ef-open', { network: 'ef-six' });
  const { NetworkSettings } = await lab.inspect('ef-open');
  const address = NetworkSettings.Networks['ef-six']?.GlobalIPv6Address ?? '';
  await must(lab, 'inLan', `ip -6 route add fd00:30:9::/64 via ${lab.addresses.host6}`);
  let isOpen = false;
  // A fresh IPv6 address is not answered for at once (duplicate address detection).
  for (let attempt = 0; attempt < 3 && !isOpen; attempt += 1) {
    isOpen = (await lab.fetchFrom('lan', address, 80)) !== undefined;
  }
  assert.equal(isOpen, lab.dockerMajor < 27);
  const findings = (await doctor(lab)).filter(({ code }) => code === 'unpublished-exposed');
  assert.deepEqual(brief(findings), isOpen ? ['unpublished-exposed ef-open'] : []);
  if (lab.dockerMajor < 28) return;

  // Gateway modes: what was asked for is open at the container's own address, and all that nat-unprotected opens was not.
  await lab.remove('ef-open');
  for (const [mode, third, publish] of [
    ['routed', 'a', ['18084:80']],
    ['nat-unprotected', 'b', []],
  ] as const) {
    const options = Object.fromEntries([4, 6].map(six => [`com.docker.network.bridge.gateway_mode_ipv${six}`, mode]));
    await lab.networkCreate(`ef-${mode}`, { ipv6: true, options, ipam: [{ subnet: `fd00:30:${third}::/64` }] });
    await lab.run(`ef-in-${mode}`, { network: `ef-${mode}`, publish });
    await must(lab, 'inLan', `ip -6 route add fd00:30:${third}::/64 via ${lab.addresses.host6}`);
    const own = (await lab.inspect(`ef-in-${mode}`)).NetworkSettings.Networks[`ef-${mode}`]?.GlobalIPv6Address ?? '';
    let answer: string | undefined;
    for (let attempt = 0; attempt < 3 && answer === undefined; attempt += 1) {
      answer = await lab.fetchFrom('lan', own, 80);
    }
    assert.ok(answer, mode);
  }
  const [open, ...others] = (await doctor(lab)).filter(({ code }) => code === 'unpublished-exposed');
  assert.deepEqual([open?.subject.name, others], ['ef-in-nat-unprotected', []]);
  assert.match(open?.message ?? '', /: the gateway mode nat-unprotected of ef-nat-unprotected opens every port/);
  const routed = (await takeSnapshot(lab)).containers.find(({ name }) => name === 'ef-in-routed');
  assert.deepEqual(routed?.routedPorts?.map(({ hostIp, containerPort }) => [hostIp, containerPort]).sort(), [
    ['0.0.0.0', 80],
    ['::', 80],
  ]);
});

labTest('what ufw denies is open when it is published, until it is allowed', {}, async lab => {
  const tree = await mountFirewallTree(lab);
  await lab.run('ef-ufw', { publish: ['18082:80'] });
  await installUfw(tree);
  await tree.must(['ufw', 'default', 'deny', 'incoming']);
  await tree.must(['ufw', '--force', 'enable']);
  assert.ok(await lab.fetchFrom('lan', lab.addresses.host, 18082));
  const findings = (await doctor(lab)).filter(({ code }) => code === 'exposed-past-firewall');
  assert.deepEqual(brief(findings), ['exposed-past-firewall ef-ufw']);
  assert.match(findings[0]?.message ?? '', /although ufw reads as closed there/);
  // IPv6 comes by docker-proxy and obeys.
  assert.equal(await lab.fetchFrom('lan', lab.addresses.host6, 18082), undefined);
  await tree.must(['ufw', 'allow', '18082/tcp']);
  assert.deepEqual(brief(await doctor(lab)), []);
  assert.ok(await lab.fetchFrom('lan', lab.addresses.host6, 18082));
});
