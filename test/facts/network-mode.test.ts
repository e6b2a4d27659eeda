import assert from 'node:assert/strict';
import { test } from 'node:test';
import { modeIndex, netnsOwner, networkMode } from '../../source/facts/network-mode.ts';
import type { ContainerReading } from '../../source/host/readings.ts';
import { container, docker, endpoint, hexId, network } from './build.ts';

const networks = docker({
  networks: [
    network('app'),
    network('ov', { driver: 'overlay', scope: 'swarm' }),
    network('ingress', { driver: 'overlay', scope: 'swarm', ingress: true }),
    network('lan', { driver: 'macvlan' }),
    network('iplan', { driver: 'ipvlan' }),
    network('weave', { driver: 'weavemesh' }),
  ],
}).networks;

function modeOf(subject: ContainerReading, others: ContainerReading[] = []) {
  return networkMode(subject, modeIndex([subject, ...others], networks));
}

test('the mode of each kind of network', () => {
  const cases: [string, string, string][] = [
    ['default', 'bridge', 'bridge'],
    ['bridge', 'bridge', 'bridge'],
    ['app', 'app', 'user-bridge'],
    ['ov', 'ov', 'overlay'],
    ['lan', 'lan', 'macvlan'],
    ['iplan', 'iplan', 'ipvlan'],
    ['weave', 'weave', 'custom'],
    ['host', 'host', 'host'],
    ['none', 'none', 'none'],
  ];
  for (const [asked, on, mode] of cases) {
    assert.deepEqual(modeOf(container('c', { networkMode: asked, endpoints: [endpoint(on)] })), { mode }, asked);
  }
});

test('a network asked for by its id, whole or abbreviated', () => {
  const on = [endpoint('app')];
  assert.equal(modeOf(container('c', { networkMode: hexId('net-app'), endpoints: on })).mode, 'user-bridge');
  assert.equal(
    modeOf(container('c', { networkMode: hexId('net-lan').slice(0, 12), endpoints: on })).mode,
    'user-bridge',
  );
  assert.equal(modeOf(container('c', { networkMode: hexId('net-lan').slice(0, 12), endpoints: [] })).mode, 'macvlan');
});

test('where it is connected decides over where it was created', () => {
  const task = container('svc.1', { networkMode: 'default', endpoints: [endpoint('ingress'), endpoint('ov')] });
  assert.equal(modeOf(task).mode, 'overlay');
  const moved = container('moved', { networkMode: 'bridge', endpoints: [endpoint('app')] });
  assert.equal(modeOf(moved).mode, 'user-bridge');
  const both = container('both', { networkMode: 'bridge', endpoints: [endpoint('app'), endpoint('bridge')] });
  assert.equal(modeOf(both).mode, 'bridge');
});

test('without any endpoint the mode is the one asked for', () => {
  assert.equal(modeOf(container('c', { networkMode: 'app', endpoints: [] })).mode, 'user-bridge');
  assert.equal(modeOf(container('c', { networkMode: 'default', endpoints: [] })).mode, 'bridge');
});

test('a network that is gone gives a reason, not a guess', () => {
  const fact = modeOf(container('c', { networkMode: 'old', endpoints: [], state: 'exited' }));
  assert.equal(fact.mode, 'custom');
  assert.match(fact.reason ?? '', /^the network old is not among/);
  // The name was taken by another network since; the endpoint still has the id of the first.
  const reused = container('c', { networkMode: 'gone', endpoints: [endpoint('app', { networkId: hexId('other') })] });
  assert.equal(modeOf(reused).mode, 'custom');
});

test('container: names the partner by id or name, or by id alone when it is gone', () => {
  const web = container('web');
  const byId = container('shared', { networkMode: `container:${web.id}`, endpoints: [] });
  assert.deepEqual(modeOf(byId, [web]), { mode: 'container', sharesNetnsWith: { id: web.id, name: 'web' } });
  const byName = container('shared', { networkMode: 'container:web', endpoints: [] });
  assert.deepEqual(modeOf(byName, [web]), { mode: 'container', sharesNetnsWith: { id: web.id, name: 'web' } });
  assert.deepEqual(modeOf(byId), { mode: 'container', sharesNetnsWith: { id: web.id } });
});

test('whose netns it is: followed to the end, and never for ever', () => {
  const host = container('h', { networkMode: 'host' });
  const a = container('a', { networkMode: 'container:h' });
  const b = container('b', { networkMode: `container:${a.id}` });
  const index = modeIndex([host, a, b], networks);
  assert.equal(netnsOwner(b, index), host);
  const x = container('x', { networkMode: 'container:y' });
  const y = container('y', { networkMode: 'container:x' });
  assert.equal(netnsOwner(x, modeIndex([x, y], networks)), undefined);
  assert.equal(netnsOwner(container('z', { networkMode: 'container:none' }), index), undefined);
});
