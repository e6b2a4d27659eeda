import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mapLinks } from '../../source/facts/link-map.ts';
import { mapNetns } from '../../source/facts/netns.ts';
import { modeIndex } from '../../source/facts/network-mode.ts';
import type { ContainerReading, LinkReading, NetworkReading, Readings } from '../../source/host/readings.ts';
import { container, docker, endpoint, inner, inside, link, network, now, ok, veth } from './build.ts';

const app = network('app');
const appBridge = `br-${app.id.slice(0, 12)}`;
const gwbridge = network('docker_gwbridge', { options: { 'com.docker.network.bridge.name': 'docker_gwbridge' } });
const networks = docker({
  networks: [app, gwbridge, network('ov', { driver: 'overlay' }), network('lan', { driver: 'macvlan' })],
}).networks;
// As on a virtual machine that is itself a namespace: the host's own NIC is a veth whose peer has its very ifindex.
const uplink = link(2, 'eth0', { kind: 'veth', peerIfindex: 2, peerNetnsId: 0 });

function map(
  containers: ContainerReading[],
  links: LinkReading[],
  read: Readings['inside'],
  nets: NetworkReading[] = networks,
  impossible?: string,
) {
  const index = modeIndex(containers, nets);
  const netns = mapNetns(containers, read, index);
  const made = mapLinks({ links: [uplink, ...links], networks: nets, namespaces: netns.namespaces, index, impossible });
  return { ...made, netns };
}

/** `veth: container interface` of every row. */
const pairs = (made: ReturnType<typeof map>) =>
  made.links.map(row => `${row.veth}: ${row.containerName ?? '-'} ${row.containerInterface ?? '-'}`);

const one = container('one', { endpoints: [endpoint('bridge', { ipv4: '172.17.0.2', mac: '02:01' })] });
const two = container('two', { endpoints: [endpoint('bridge', { ipv4: '172.17.0.3', mac: '02:02' })] });

test('Docker 27 and earlier: ifindexes are unique', () => {
  const made = map([one, two], [veth(11, 10, 1), veth(13, 12, 2)], {
    ...inside(one, [inner('eth0', 10, 11, { mac: '02:01' })]),
    ...inside(two, [inner('eth0', 12, 13, { mac: '02:02' })]),
  });
  assert.deepEqual(pairs(made), ['eth0: - -', 'veth11: one eth0', 'veth13: two eth0']);
  assert.deepEqual(made.links[1], {
    veth: 'veth11',
    ifindex: 11,
    up: true,
    mtu: 1500,
    bridge: 'docker0',
    networkId: networks[0]?.id,
    network: 'bridge',
    containerId: one.id,
    containerName: 'one',
    containerInterface: 'eth0',
    containerIfindex: 10,
    mac: '02:01',
  });
});

test('Docker 28 and later: every container has ifindex 2, and only the namespace tells them apart', () => {
  const multi = container('multi', {
    networkMode: 'app',
    endpoints: [endpoint('app', { mac: '0a:01' }), endpoint('bridge', { mac: '0a:02' })],
  });
  const made = map([one, two, multi], [veth(11, 2, 1), veth(12, 2, 2), veth(13, 2, 3, appBridge), veth(14, 3, 3)], {
    ...inside(one, [inner('eth0', 2, 11, { mac: '02:01' })]),
    ...inside(two, [inner('eth0', 2, 12, { mac: '02:02' })]),
    ...inside(multi, [inner('eth0', 2, 13, { mac: '0a:01' }), inner('eth1', 3, 14, { mac: '0a:02' })]),
  });
  assert.deepEqual(pairs(made), [
    'eth0: - -',
    'veth11: one eth0',
    'veth12: two eth0',
    'veth13: multi eth0',
    'veth14: multi eth1',
  ]);
});

test('an overlay endpoint whose peer has the ifindex of a stranger is not matched with it', () => {
  // Inside the overlay's own namespace the peer of task's eth0 is 11; on this host 11 belongs to one.
  const task = container('task', {
    networkMode: 'ov',
    endpoints: [endpoint('ov', { ipv4: '10.0.1.5', mac: '02:0a' })],
  });
  const made = map([one, task], [veth(11, 2, 1), veth(12, 3, 2, 'docker_gwbridge')], {
    ...inside(one, [inner('eth0', 2, 11, { mac: '02:01' })]),
    ...inside(task, [
      inner('eth0', 2, 11, { mac: '02:0a', ipv4: '10.0.1.5' }),
      inner('eth1', 3, 12, { mac: '02:ff', ipv4: '172.18.0.3' }),
    ]),
  });
  assert.deepEqual(pairs(made), ['eth0: - -', 'veth11: one eth0', 'veth12: task eth1']);
  assert.equal(made.links[2]?.network, 'docker_gwbridge');
  const ends = [...made.ends].find(([netns]) => netns.members[0] === task)?.[1];
  assert.equal(ends?.find(end => end.interface.name === 'eth0')?.link, undefined);
  assert.match(ends?.find(end => end.interface.name === 'eth0')?.reason ?? '', /overlay network's own/);
});

test('an interface that a container made itself is not taken for a pair by its numbers', () => {
  // Docker in Docker: a veth inside has as its peer 12, counted in a namespace of its own; here 12 is two's, with ifindex 2.
  const dind = container('dind', { endpoints: [endpoint('bridge', { mac: '02:0d' })] });
  const made = map([dind, two], [veth(11, 4, 1), veth(12, 2, 2)], {
    ...inside(dind, [inner('eth0', 4, 11, { mac: '02:0d' }), inner('vethabc', 2, 12, { mac: '02:ee' })]),
    ...inside(two, [inner('eth0', 2, 12, { mac: '02:02' })]),
  });
  assert.deepEqual(pairs(made), ['eth0: - -', 'veth11: dind eth0', 'veth12: two eth0']);
});

test('two namespaces that claim one id are both disbelieved', () => {
  const made = map([one, two], [veth(11, 2, 1)], {
    ...inside(one, [inner('eth0', 2, 11, { mac: '02:01' })]),
    ...inside(two, [inner('eth0', 2, 11, { mac: '02:02' })]),
  });
  assert.equal(made.links[1]?.containerId, undefined);
  assert.match(made.links[1]?.unknown?.containerId ?? '', /one of 2 containers/);
});

test("a sharer's link is its partner's", () => {
  const shared = container('shared', { networkMode: `container:${one.id}`, endpoints: [] });
  const read = inner('eth0', 2, 11, { mac: '02:01' });
  const made = map([shared, one], [veth(11, 2, 1)], {
    ...inside(shared, [read], { netns: 77 }),
    ...inside(one, [read], { netns: 77 }),
  });
  assert.deepEqual(pairs(made), ['eth0: - -', 'veth11: one eth0']);
  assert.equal(made.netns.byContainer.get(shared.id), made.netns.byContainer.get(one.id));
});

test('a stranded sharer has a namespace of its own, told by inode or by time', () => {
  const shared = container('shared', {
    networkMode: `container:${one.id}`,
    endpoints: [],
    startedAt: (one.startedAt ?? now) - 1000,
  });
  const byTime = map([one, shared], [], {});
  assert.notEqual(byTime.netns.byContainer.get(shared.id), byTime.netns.byContainer.get(one.id));
  const late = { ...shared, startedAt: now };
  const byInode = map([one, late], [], { ...inside(one, [], { netns: 1 }), ...inside(late, [], { netns: 2 }) });
  assert.notEqual(byInode.netns.byContainer.get(late.id), byInode.netns.byContainer.get(one.id));
});

test('macvlan hangs on a parent; its iflink is no pair', () => {
  const mv = container('mv', { networkMode: 'lan', endpoints: [endpoint('lan', { mac: '02:0c' })] });
  const made = map([mv], [], inside(mv, [inner('eth0', 2, 2, { mac: '02:0c' })]));
  const [end] = [...made.ends.values()][0] ?? [];
  assert.equal(end?.parent, 'eth0');
  assert.equal(end?.link, undefined);
  assert.deepEqual(pairs(made), ['eth0: - -']);
});

test('what was read in the run before says nothing about this one', () => {
  const restarted = { ...one, pid: one.pid + 5000 };
  const made = map([restarted], [veth(11, 2, 1)], inside(one, [inner('eth0', 2, 11, { mac: '02:01' })]));
  assert.equal(made.links[1]?.containerId, undefined);
  assert.match(made.links[1]?.unknown?.containerId ?? '', /may lead to one: not read again since/);
});

test('without rights every veth says why it has no container', () => {
  const made = map([one], [veth(11, 2, 1)], {
    [one.id]: { state: 'failed', reason: 'needs root', at: now },
  });
  assert.equal(made.links[1]?.unknown?.containerId, 'may lead to one: needs root');
});

test('the kernel told the namespace id: exact without reading inside', () => {
  const made = map([one, two], [veth(11, 2, 5), veth(12, 2, 6)], {
    [one.id]: ok({ containerId: one.id, pid: one.pid, netnsId: 6, interfacesReason: 'needs root' }),
  });
  assert.equal(made.links[2]?.containerName, 'one');
  assert.equal(made.links[2]?.unknown?.containerInterface, 'needs root');
  assert.equal(made.links[1]?.containerId, undefined);
});

test('veths that are nobody’s say where the other end is', () => {
  const made = map(
    [one],
    [
      veth(11, 2, 1),
      link(20, 'vpn0', { kind: 'veth', peerIfindex: 21 }),
      link(21, 'vpn1', { kind: 'veth', peerIfindex: 20 }),
      veth(30, 2, 9, 'docker_gwbridge'),
      veth(31, 2, 10),
    ],
    inside(one, [inner('eth0', 2, 11, { mac: '02:01' })]),
  );
  const peers = Object.fromEntries(made.links.map(row => [row.veth, row.peer]));
  assert.equal(peers.veth11, undefined);
  assert.equal(peers.vpn0, "vpn1, in this host's own netns");
  assert.match(peers.veth30 ?? '', /swarm's own ingress sandbox/);
  assert.equal(peers.veth31, 'in a network namespace of no running container');
  assert.equal(
    made.links.every(row => row.unknown === undefined),
    true,
  );
});

test('no container is matched where none can be', () => {
  const made = map(
    [one],
    [veth(11, 2, 1)],
    inside(one, [inner('eth0', 2, 11, { mac: '02:01' })]),
    networks,
    'the daemon runs on another machine',
  );
  assert.equal(made.links[1]?.containerId, undefined);
  assert.equal(made.links[1]?.networkId, undefined);
  assert.equal(made.links[1]?.unknown?.containerId, 'the daemon runs on another machine');
});
