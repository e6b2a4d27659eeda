import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mapLinks } from '../../source/facts/link-map.ts';
import { mapNetns } from '../../source/facts/netns.ts';
import { modeIndex } from '../../source/facts/network-mode.ts';
import { networkFacts, subnetSize } from '../../source/facts/networks.ts';
import type { ContainerReading, LinkReading, NetworkReading, Readings } from '../../source/host/readings.ts';
import { container, endpoint, inner, inside, link, network, veth } from './build.ts';

const on = (ipv4?: string) => [endpoint('app', ipv4 === undefined ? {} : { ipv4 })];
const option = (name: string) => `com.docker.network.bridge.${name}`;

function facts(
  networks: NetworkReading[],
  containers: ContainerReading[] = [],
  links: LinkReading[] = [],
  read: Readings['inside'] = {},
) {
  const index = modeIndex(containers, networks);
  const { namespaces } = mapNetns(containers, read, index);
  return networkFacts(networks, {
    containers,
    index,
    links,
    linkMap: mapLinks({ links, networks, namespaces, index }),
  });
}

test('how many addresses a subnet has for containers', () => {
  assert.equal(subnetSize({ subnet: '172.17.0.0/16', gateway: '172.17.0.1' }), 65_533);
  assert.equal(subnetSize({ subnet: '10.0.0.0/24' }), 254);
  assert.equal(subnetSize({ subnet: '10.0.0.0/30', gateway: '10.0.0.1' }), 1);
  assert.equal(subnetSize({ subnet: '10.0.0.0/31' }), 2);
  // The range is inside the subnet: neither edge, nor the gateway, is in it.
  assert.equal(subnetSize({ subnet: '10.20.30.0/24', gateway: '10.20.30.1', ipRange: '10.20.30.64/28' }), 16);
  assert.equal(subnetSize({ subnet: '10.20.30.0/24', gateway: '10.20.30.1', ipRange: '10.20.30.0/28' }), 14);
  assert.equal(subnetSize({ subnet: 'fd00:1::/64', gateway: 'fd00:1::1' }), null);
  assert.equal(subnetSize({ subnet: 'fd00:1::/120', gateway: 'fd00:1::1' }), 254);
  assert.equal(subnetSize({ subnet: 'nonsense' }), null);
});

test('members include stopped containers; only running ones use addresses', () => {
  const [app] = facts(
    [network('app', { ipam: [{ subnet: '172.18.0.0/16', gateway: '172.18.0.1' }, { subnet: 'fd00::/64' }] })],
    [
      container('b', { networkMode: 'app', endpoints: on('172.18.0.3') }),
      container('a', { networkMode: 'app', endpoints: on('172.18.0.2'), state: 'paused' }),
      container('c', { networkMode: 'app', endpoints: on(), state: 'exited' }),
      container('elsewhere', { endpoints: [endpoint('other')] }),
    ],
  );
  assert.deepEqual(
    app?.members.map(member => [member.containerName, member.running, member.ipv4]),
    [
      ['a', true, '172.18.0.2'],
      ['b', true, '172.18.0.3'],
      ['c', false, undefined],
    ],
  );
  assert.deepEqual(
    app?.subnets.map(subnet => [subnet.used, subnet.size]),
    [
      [2, 65_533],
      [0, null],
    ],
  );
});

test('options of the bridge driver have Docker’s defaults; other drivers have none', () => {
  const [plain, set, inner6, lan, dummy] = facts([
    network('plain'),
    network('set', {
      options: {
        [option('enable_icc')]: 'false',
        [option('enable_ip_masquerade')]: 'false',
        [option('name')]: 'br-set',
        [option('host_binding_ipv4')]: '10.0.0.1',
        'com.docker.network.driver.mtu': '1400',
      },
    }),
    network('internal', { internal: true, ipv6: true, options: { [option('gateway_mode_ipv4')]: 'isolated' } }),
    network('lan', { driver: 'macvlan', options: { parent: 'eth0.10' } }),
    network('dummy', { driver: 'ipvlan' }),
  ]);
  assert.deepEqual(
    [plain?.icc, plain?.masquerade, plain?.gatewayMode4, plain?.gatewayMode6],
    [true, true, 'nat', undefined],
  );
  assert.equal(plain?.bridge, `br-${plain?.id.slice(0, 12)}`);
  assert.deepEqual(
    [set?.icc, set?.masquerade, set?.bridge, set?.hostBindingIp, set?.mtu],
    [false, false, 'br-set', '10.0.0.1', 1400],
  );
  assert.deepEqual([inner6?.masquerade, inner6?.gatewayMode4, inner6?.gatewayMode6], [false, 'isolated', 'nat']);
  assert.deepEqual([lan?.icc, lan?.bridge, lan?.parent], [undefined, undefined, 'eth0.10']);
  assert.equal(dummy?.parent, `di-${dummy?.id.slice(0, 12)}`);
});

test('docker_gwbridge has the overlay containers that Docker does not list there', () => {
  const task = container('task', {
    networkMode: 'ov',
    endpoints: [endpoint('ov', { ipv4: '10.0.1.5', mac: '02:0a' })],
  });
  const [, gwbridge] = facts(
    [
      network('ov', { driver: 'overlay' }),
      network('docker_gwbridge', {
        options: { 'com.docker.network.bridge.name': 'docker_gwbridge' },
        ipam: [{ subnet: '172.18.0.0/16', gateway: '172.18.0.1' }],
      }),
    ],
    [task],
    [veth(12, 3, 2, 'docker_gwbridge')],
    inside(task, [
      inner('eth0', 2, 40, { mac: '02:0a', ipv4: '10.0.1.5' }),
      inner('eth1', 3, 12, { mac: '02:0b', ipv4: '172.18.0.3' }),
    ]),
  );
  assert.deepEqual(gwbridge?.members, [
    { containerId: task.id, containerName: 'task', running: true, ipv4: '172.18.0.3' },
  ]);
  assert.equal(gwbridge?.subnets[0]?.used, 1);
});

const bridge = (address: string): LinkReading[] => [
  link(5, 'br-app', {
    kind: 'bridge',
    addresses: [{ family: 4, address, prefixLength: 24, scope: 'global' }],
  }),
];

test('a gateway that Docker chose itself is told by an endpoint, or by the bridge', () => {
  const ipam = [{ subnet: '172.28.5.0/24' }];
  const named = { options: { [option('name')]: 'br-app' }, ipam };
  const [byEndpoint] = facts(
    [network('app', named)],
    [container('a', { networkMode: 'app', endpoints: [endpoint('app', { gateway: '172.28.5.254' })] })],
  );
  assert.deepEqual(byEndpoint?.subnets, [{ subnet: '172.28.5.0/24', gateway: '172.28.5.254', used: 0, size: 253 }]);
  const [byBridge] = facts([network('app', named)], [], bridge('172.28.5.1'));
  assert.deepEqual(byBridge?.subnets, [{ subnet: '172.28.5.0/24', gateway: '172.28.5.1', used: 0, size: 253 }]);
  // An internal network's bridge has an address too, but leads nowhere.
  const [internal] = facts([network('app', { ...named, internal: true })], [], bridge('172.28.5.1'));
  assert.deepEqual(internal?.subnets, [{ subnet: '172.28.5.0/24', used: 0, size: 253 }]);
});
