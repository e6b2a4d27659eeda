import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parse } from 'valibot';
import { joinFacts } from '../../source/facts/join.ts';
import { SnapshotSchema } from '../../source/facts/schema.ts';
import { stepping } from '../../source/facts/sharing.ts';
import type { Readings } from '../../source/host/readings.ts';
import {
  container,
  docker,
  endpoint,
  engine,
  inner,
  inside,
  link,
  network,
  now,
  ok,
  port,
  process,
  proxy,
  readings,
  socket,
  veth,
} from './build.ts';

const context = {
  now: now + 1500,
  host: { kind: 'live', name: 'host1', uid: 0, dockerEndpoint: 'unix:///x' },
} as const;

const web = container('web', {
  endpoints: [endpoint('bridge', { ipv4: '172.17.0.2', mac: '02:01', gateway: '172.17.0.1' })],
  requestedPorts: [port('8080', 80)],
  publishedPorts: [port('8080', 80, { hostIp: '0.0.0.0' })],
  exposedPorts: [{ proto: 'tcp', port: 80 }],
});
const web1 = container('web1', { networkMode: 'host', endpoints: [endpoint('host')] });
const shared = container('shared', { networkMode: `container:${web.id}`, endpoints: [] });
const old = container('old', { state: 'exited', exitCode: 137, endpoints: [endpoint('app')], networkMode: 'app' });

function host(rest: Partial<Readings> = {}): Readings {
  return readings({
    docker: ok(docker({ containers: [web, web1, shared, old], networks: [network('app')] })),
    links: ok({
      links: [
        link(1, 'lo'),
        link(2, 'eth0', { addresses: [{ family: 4, address: '10.0.0.9', prefixLength: 24, scope: 'global' }] }),
        link(3, 'docker0', { kind: 'bridge' }),
        veth(11, 2, 1, 'docker0', { bridgePort: { state: 'forwarding', hairpin: false, isolated: false } }),
      ],
      routes: [],
      traffic: { eth0: { rxBytes: 1, rxPackets: 1, rxDropped: 0, txBytes: 2, txPackets: 1, txDropped: 0 } },
    }),
    sockets: ok({
      listeners: [
        socket('0.0.0.0', 8080, { processes: [{ pid: 501, name: 'docker-proxy' }] }),
        socket('0.0.0.0', 80, { processes: [{ pid: 700, name: 'httpd' }] }),
        socket('0.0.0.0', 22, { processes: [{ pid: 300, name: 'sshd' }] }),
      ],
      holding: [],
    }),
    processes: ok({
      processes: {
        501: process(501, 'docker-proxy'),
        700: process(700, 'httpd', { cgroup: `/docker/${web1.id}`, containerId: web1.id }),
        300: process(300, 'sshd', { cgroup: '/system.slice/ssh.service', unit: 'ssh.service' }),
      },
      proxies: [proxy(501, '0.0.0.0', 8080, '172.17.0.2', 80)],
    }),
    inside: {
      ...inside(web, [inner('eth0', 2, 11, { mac: '02:01', ipv4: '172.17.0.2' })], {
        netns: 4000,
        listeners: [socket('0.0.0.0', 80)],
        processes: [process(web.pid, 'httpd')],
      }),
      ...inside(shared, [inner('eth0', 2, 11, { mac: '02:01', ipv4: '172.17.0.2' })], {
        netns: 4000,
        listeners: undefined,
      }),
    },
    ...rest,
  });
}

const byName = (facts: ReturnType<typeof joinFacts>, name: string) => {
  const found = facts.containers.find(item => item.name === name);
  assert.ok(found, `${name} is in the snapshot`);
  return found;
};

test('a host joined, and valid by its schema', () => {
  const facts = joinFacts(host(), context);
  parse(SnapshotSchema, { ...facts, findings: [], portChanges: [] });
  const { endpoints, listeners, netns, networkMode, publishedPorts } = byName(facts, 'web');
  assert.equal(networkMode, 'bridge');
  assert.equal(netns, 4000);
  assert.deepEqual(
    [endpoints[0]?.interface, endpoints[0]?.veth, endpoints[0]?.bridge, endpoints[0]?.gateway],
    ['eth0', 'veth11', 'docker0', '172.17.0.1'],
  );
  assert.deepEqual(publishedPorts, [
    { proto: 'tcp', hostIp: '0.0.0.0', hostPort: 8080, containerPort: 80, ephemeral: false },
  ]);
  assert.equal(listeners?.length, 1);
  assert.deepEqual(byName(facts, 'shared').sharesNetnsWith, { id: web.id, name: 'web' });
  assert.deepEqual(
    byName(facts, 'shared').listeners?.map(item => item.port),
    [80],
  );
  assert.deepEqual(
    byName(facts, 'web1').listeners?.map(item => [item.port, item.pid]),
    [[80, 700]],
  );
  const stopped = byName(facts, 'old');
  assert.deepEqual([stopped.listeners, stopped.exitCode, stopped.unknown], [[], 137, undefined]);
  assert.deepEqual(
    facts.listeners?.map(item => [item.port, item.owner.containerName ?? item.unit]),
    [
      [22, 'ssh.service'],
      [80, 'web1'],
      [8080, 'web'],
    ],
  );
  assert.deepEqual(
    facts.interfaces.map(item => item.name),
    ['lo', 'eth0', 'docker0'],
  );
  assert.equal(facts.interfaces[2]?.networkId, facts.networks[0]?.id);
  assert.deepEqual([facts.host.containersRunning, facts.host.containersTotal], [3, 4]);
  assert.deepEqual(facts.sources.links, { state: 'ok', ageMs: 1500 });
});

test('sources that fail are unknown with their reason, never empty', () => {
  const failed = { state: 'failed', reason: 'needs root' } as const;
  const facts = joinFacts(
    host({ sockets: failed, netfilter: failed, inside: { [web.id]: failed, [shared.id]: failed } }),
    context,
  );
  assert.equal(facts.listeners, null);
  assert.equal(facts.rules, null);
  assert.deepEqual(facts.sources.netfilter, { state: 'failed', reason: 'needs root', ageMs: null });
  assert.equal(byName(facts, 'web1').listeners, null);
  assert.equal(byName(facts, 'web1').unknown?.listeners, 'needs root');
  assert.equal(byName(facts, 'web').listeners, null);
  assert.equal(byName(facts, 'web').unknown?.listeners, 'needs root');
  assert.equal(byName(facts, 'web').endpoints[0]?.unknown?.veth, 'needs root');
  assert.equal(facts.host.unknown?.forwardPolicy, 'needs root');
});

test('no daemon: the host’s own facts are there all the same', () => {
  const facts = joinFacts(host({ docker: { state: 'failed', reason: 'nobody listens on /x' } }), context);
  assert.equal(facts.host.docker, null);
  assert.equal(facts.host.containersRunning, null);
  assert.deepEqual(
    facts.listeners?.map(item => item.owner.kind),
    ['process', 'unknown', 'docker'],
  );
  assert.match(facts.listeners?.[2]?.owner.reason ?? '', /172\.17\.0\.2 port 80; Docker is not known: nobody listens/);
  assert.match(facts.links[0]?.unknown?.containerId ?? '', /nobody listens/);
});

test('a daemon that stopped answering: its last good reading stays, and its source says so', () => {
  const { value } = host().docker;
  const facts = joinFacts(host({ docker: { state: 'failed', reason: 'refused', at: now, value } }), context);
  assert.equal(facts.containers.length, 4);
  assert.deepEqual(facts.sources.docker, { state: 'failed', reason: 'refused', ageMs: 1500 });
});

test('a daemon on another machine: its containers are not joined with this one', () => {
  const remote = docker({ engine: engine({ local: false, localReason: 'no such pid' }), containers: [web, web1] });
  const facts = joinFacts(host({ docker: ok(remote) }), context);
  assert.equal(
    facts.listeners?.some(item => item.owner.kind === 'container'),
    false,
  );
  assert.equal(
    facts.links.some(item => item.containerId !== undefined || item.networkId !== undefined),
    false,
  );
  assert.equal(
    facts.interfaces.some(item => item.networkId !== undefined),
    false,
  );
  for (const item of facts.containers) {
    assert.equal(item.listeners, null);
    assert.match(item.unknown?.listeners ?? '', /runs on another machine \(no such pid\)/);
  }
  assert.match(byName(facts, 'web').endpoints[0]?.unknown?.veth ?? '', /another machine/);
});

test('what did not change keeps its identity', () => {
  const first = new Map<string, { inputs: readonly unknown[]; output: unknown }>();
  const before = joinFacts(host(), context, stepping(undefined, first));
  const restarted = { ...web, restartCount: 1 };
  const again = host({
    docker: ok(docker({ containers: [restarted, web1, shared, old], networks: [network('app')] })),
  });
  const after = joinFacts(again, context, stepping(first, new Map()));
  assert.equal(byName(after, 'web1'), byName(before, 'web1'));
  assert.equal(byName(after, 'web').endpoints, byName(before, 'web').endpoints);
  assert.notEqual(byName(after, 'web'), byName(before, 'web'));
  assert.equal(after.links, before.links);
  assert.equal(after.listeners, before.listeners);
  assert.equal(after.networks, before.networks);
  assert.equal(after.interfaces, before.interfaces);
  assert.equal(after.host, before.host);
});
