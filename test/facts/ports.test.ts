import assert from 'node:assert/strict';
import { test } from 'node:test';
import { dnatTargets } from '../../source/facts/dnat.ts';
import { ownerIndex, placesOf } from '../../source/facts/owners.ts';
import { insideRow, listenerRow, orderListeners } from '../../source/facts/ports.ts';
import type {
  ChainReading,
  ContainerReading,
  ProcessReading,
  ProxyReading,
  SocketReading,
} from '../../source/host/readings.ts';
import { container, endpoint, hexId, port, process, proxy, socket } from './build.ts';

const web = container('web', {
  endpoints: [endpoint('bridge', { ipv4: '172.17.0.2' })],
  requestedPorts: [port('8080', 80)],
  publishedPorts: [port('8080', 80, { hostIp: '0.0.0.0' }), port('8080', 80, { hostIp: '::' })],
});
const local = container('local', {
  endpoints: [endpoint('bridge', { ipv4: '172.17.0.3' })],
  requestedPorts: [port('8080', 80, { hostIp: '10.0.0.9' })],
  publishedPorts: [port('8080', 80, { hostIp: '10.0.0.9' }), port('8080', 53, { hostIp: '0.0.0.0', proto: 'udp' })],
});
const hosted = container('hosted', { networkMode: 'host', endpoints: [endpoint('host')] });

function index(
  rest: {
    processes?: ProcessReading[];
    proxies?: ProxyReading[];
    running?: ContainerReading[];
    swarm?: boolean;
    withoutDocker?: string;
    ownersReason?: string;
    chains?: ChainReading[];
  } = {},
) {
  const running = rest.running ?? [web, local, hosted];
  return ownerIndex({
    places: placesOf(running, item => item.endpoints.flatMap(on => on.ipv4 ?? [])),
    containersById: new Map(running.map(item => [item.id, item])),
    services: [
      { id: 's1', name: 'shop', ports: [{ proto: 'tcp', targetPort: 80, publishedPort: 30000, mode: 'ingress' }] },
    ],
    processes: {
      processes: Object.fromEntries((rest.processes ?? []).map(item => [item.pid, item])),
      proxies: rest.proxies ?? [],
    },
    dnats: dnatTargets({ chains: rest.chains ?? [], tools: [], sets: {} }),
    swarm: rest.swarm ?? false,
    withoutDocker: rest.withoutDocker,
    ownersReason: rest.ownersReason,
  });
}

const held = (pid: number, name: string): Partial<SocketReading> => ({ processes: [{ pid, name }] });
const proxies = [
  proxy(501, '0.0.0.0', 8080, '172.17.0.2', 80),
  proxy(502, '::', 8080, '172.17.0.2', 80),
  proxy(503, '10.0.0.9', 8080, '172.17.0.3', 80),
  proxy(504, '0.0.0.0', 8080, '172.17.0.3', 53, 'udp'),
];

test('docker-proxy listeners belong to the container they serve, keyed on protocol, address and port', () => {
  const owners = index({ proxies, processes: proxies.map(({ pid }) => process(pid, 'docker-proxy')) });
  const rows = [
    listenerRow(socket('0.0.0.0', 8080, held(501, 'docker-proxy')), owners),
    listenerRow(socket('::', 8080, { ...held(502, 'docker-proxy'), v6only: true }), owners),
    listenerRow(socket('10.0.0.9', 8080, held(503, 'docker-proxy')), owners),
    listenerRow(socket('0.0.0.0', 8080, { ...held(504, 'docker-proxy'), proto: 'udp' }), owners),
  ];
  assert.deepEqual(
    rows.map(row => [row.owner.containerName, row.owner.via, row.target?.address, row.target?.port, row.pid]),
    [
      ['web', 'docker-proxy', '172.17.0.2', 80, 501],
      ['web', 'docker-proxy', '172.17.0.2', 80, 502],
      ['local', 'docker-proxy', '172.17.0.3', 80, 503],
      ['local', 'docker-proxy', '172.17.0.3', 53, 504],
    ],
  );
  assert.equal(rows[1]?.v6only, true);
  assert.equal('v6only' in (rows[0] ?? {}), false);
});

test('without rights, docker-proxy is known by its command line', () => {
  const owners = index({ proxies, ownersReason: 'needs root' });
  const row = listenerRow(socket('0.0.0.0', 8080), owners);
  assert.deepEqual([row.owner.containerName, row.pid, row.process], ['web', 501, 'docker-proxy']);
  const other = listenerRow(socket('0.0.0.0', 80), owners);
  assert.deepEqual(other.owner, { kind: 'unknown', reason: 'needs root' });
  assert.deepEqual([other.pid, other.process, other.unknown?.pid], [null, null, 'needs root']);
});

test('a docker-proxy without its container is Docker’s, with the reason', () => {
  const stale = proxy(600, '0.0.0.0', 9000, '172.17.0.77', 80);
  const row = listenerRow(socket('0.0.0.0', 9000, held(600, 'docker-proxy')), index({ proxies: [stale] }));
  assert.equal(row.owner.kind, 'docker');
  assert.match(row.owner.reason ?? '', /172\.17\.0\.77 port 80, which no running container has/);
  // The address was given to another container since, which does not publish this.
  const taken = proxy(601, '0.0.0.0', 9001, '172.17.0.2', 80);
  const other = listenerRow(socket('0.0.0.0', 9001, held(601, 'docker-proxy')), index({ proxies: [taken] }));
  assert.equal(other.owner.kind, 'docker');
  assert.match(other.owner.reason ?? '', /web's address, but Docker lists no such mapping/);
});

test('a proxy that is newer than the inspect is its container’s when that asked for it', () => {
  const fresh = { ...web, publishedPorts: [] };
  const row = listenerRow(socket('0.0.0.0', 8080, held(501, 'docker-proxy')), index({ proxies, running: [fresh] }));
  assert.equal(row.owner.containerName, 'web');
});

test('dockerd listeners: published ports without a proxy, services, Docker itself, and what nobody explains', () => {
  const processes = [process(400, 'dockerd')];
  const row = (address: string, number: number, swarm = true, rest: Partial<SocketReading> = {}) =>
    listenerRow(socket(address, number, { ...held(400, 'dockerd'), ...rest }), index({ processes, swarm })).owner;
  assert.deepEqual(row('0.0.0.0', 8080), {
    kind: 'container',
    containerId: web.id,
    containerName: 'web',
    via: 'dockerd',
  });
  assert.equal(row('10.0.0.9', 8080).containerName, 'local');
  assert.deepEqual(row('::', 30000), { kind: 'docker', service: 'shop', via: 'dockerd' });
  assert.equal(row('::', 2377).reason, 'swarm management');
  assert.match(row('::', 30001).reason ?? '', /only a swarm manager/);
  assert.equal(row('0.0.0.0', 30001, false).reason, 'no running container publishes it');
  // The service publishes TCP only.
  assert.equal(row('::', 30000, true, { proto: 'udp' }).service, undefined);
});

test('host-mode listeners belong to the container of their process, or of the cgroup that made them', () => {
  const cgroup = `/system.slice/docker-${hosted.id}.scope`;
  const owners = index({ processes: [process(700, 'httpd', { cgroup, containerId: hosted.id })] });
  const known = listenerRow(socket('0.0.0.0', 80, held(700, 'httpd')), owners);
  assert.deepEqual(known.owner, { kind: 'container', containerId: hosted.id, containerName: 'hosted', via: 'own' });
  assert.equal(known.process, 'httpd');
  const unprivileged = listenerRow(socket('0.0.0.0', 80, { cgroup }), index({ ownersReason: 'needs root' }));
  assert.equal(unprivileged.owner.containerName, 'hosted');
  assert.equal(unprivileged.pid, null);
  assert.equal(unprivileged.unknown?.pid, 'needs root');
});

test('the innermost known container of a cgroup path counts', () => {
  const nested = `/docker/${hexId('outer-unknown')}/docker/${hosted.id}/init`;
  const owners = index({ processes: [process(700, 'httpd', { cgroup: nested })] });
  assert.equal(listenerRow(socket('0.0.0.0', 80, held(700, 'httpd')), owners).owner.containerName, 'hosted');
});

test('processes outside Docker keep their own name and unit', () => {
  const processes = [
    process(800, 'nginx', { cgroup: '/system.slice/nginx.service', unit: 'nginx.service' }),
    process(801, 'podman-app', { cgroup: `/machine.slice/libpod-${hexId('pod')}.scope`, containerId: hexId('pod') }),
  ];
  const nginx = listenerRow(socket('0.0.0.0', 80, held(800, 'nginx')), index({ processes }));
  assert.deepEqual([nginx.owner, nginx.unit, nginx.pid], [{ kind: 'process' }, 'nginx.service', 800]);
  const pod = listenerRow(socket('0.0.0.0', 81, held(801, 'podman-app')), index({ processes }));
  assert.equal(pod.owner.kind, 'process');
  assert.match(pod.owner.reason ?? '', /of another runtime/);
  const byCgroup = listenerRow(socket('0.0.0.0', 80, { cgroup: '/system.slice/nginx.service' }), index());
  assert.deepEqual([byCgroup.owner, byCgroup.unit, byCgroup.pid], [{ kind: 'process' }, 'nginx.service', null]);
});

test('in the cgroup of a Docker container that is not known, nobody is guessed', () => {
  const cgroup = `/docker/${hosted.id}`;
  const withoutDocker = 'Docker is not known: permission denied';
  const processes = [process(700, 'httpd', { cgroup })];
  const silent = listenerRow(socket('0.0.0.0', 80, held(700, 'httpd')), index({ processes, withoutDocker }));
  assert.deepEqual([silent.owner.kind, silent.process], ['unknown', 'httpd']);
  assert.match(silent.owner.reason ?? '', /permission denied/);
  const foreign = listenerRow(socket('0.0.0.0', 80, { cgroup: `/docker/${hexId('x')}` }), index());
  assert.match(foreign.owner.reason ?? '', /not among this daemon's/);
});

test('sockets of the kernel have no process; only a failed read has a reason to be unknown', () => {
  const vxlan = socket('0.0.0.0', 4789, { proto: 'udp', processes: [] });
  assert.equal(listenerRow(vxlan, index({ swarm: true })).owner.kind, 'docker');
  const other = listenerRow(vxlan, index());
  assert.equal(other.owner.kind, 'unknown');
  assert.match(other.owner.reason ?? '', /kernel's own/);
  assert.equal(other.unknown, undefined);
});

test('a published port that a rootless daemon holds through its port driver', () => {
  const row = listenerRow(
    socket('0.0.0.0', 8080, held(900, 'rootlesskit')),
    index({ processes: [process(900, 'rootlesskit')] }),
  );
  assert.equal(row.owner.containerName, 'web');
});

const rule = (address: string, to: number): ChainReading => ({
  backend: 'iptables-nft',
  family: 'ip',
  table: 'nat',
  name: 'DOCKER',
  rules: [
    {
      number: 1,
      text: '',
      matches: [
        { kind: 'proto', negate: false, protos: ['tcp'] },
        { kind: 'dport', negate: false, ports: [[8082, 8082]] },
      ],
      target: { kind: 'dnat', address, port: [to, to] },
    },
  ],
});

test('without a proxy the DNAT rule tells where a port leads; of several addresses none is guessed', () => {
  const multi = container('multi', {
    endpoints: [endpoint('app', { ipv4: '172.19.0.2' }), endpoint('bridge', { ipv4: '172.17.0.4' })],
    publishedPorts: [port('8082', 80, { hostIp: '0.0.0.0' })],
  });
  const target = (chains: ChainReading[]) =>
    listenerRow(
      socket('0.0.0.0', 8082, held(400, 'dockerd')),
      index({ running: [multi], processes: [process(400, 'dockerd')], chains }),
    ).target;
  assert.deepEqual(target([rule('172.19.0.2', 80)]), { containerId: multi.id, address: '172.19.0.2', port: 80 });
  assert.equal(target([]), undefined);
  // A rule that was left behind and leads to somebody else's address says nothing of this container.
  assert.equal(target([rule('172.17.0.9', 80)]), undefined);
});

test('a remote daemon’s containers own nothing here', () => {
  const withoutDocker = 'the daemon runs on another machine';
  const owners = index({ proxies, withoutDocker, processes: [process(400, 'dockerd')] });
  const proxied = listenerRow(socket('0.0.0.0', 8080, held(501, 'docker-proxy')), owners);
  assert.deepEqual([proxied.owner.kind, proxied.owner.containerId], ['docker', undefined]);
  assert.match(proxied.owner.reason ?? '', /another machine/);
  const daemon = listenerRow(socket('10.0.0.9', 8080, held(400, 'dockerd')), owners);
  assert.deepEqual(daemon.owner, { kind: 'docker', via: 'dockerd', reason: withoutDocker });
});

test('inside: the DNS server of Docker is marked, a process that listens there itself is not', () => {
  const owners = index({ processes: [process(400, 'dockerd'), process(950, 'dnsmasq')] });
  const dns = insideRow(socket('127.0.0.11', 40000, held(400, 'dockerd')), [web], new Map(), owners);
  assert.deepEqual([dns.embeddedDns, dns.owner.kind], [true, 'docker']);
  assert.equal(insideRow(socket('127.0.0.11', 40000), [web], new Map(), owners).embeddedDns, true);
  const own = insideRow(socket('127.0.0.11', 53, held(950, 'dnsmasq')), [web], new Map([[950, web.id]]), owners);
  assert.deepEqual([own.embeddedDns, own.owner.containerName], [undefined, 'web']);
});

test('inside a shared netns the owner is told by the process, else it is unknown which', () => {
  const owners = index();
  const pids = new Map([[960, local.id]]);
  const mine = insideRow(socket('0.0.0.0', 80, held(960, 'httpd')), [web, local], pids, owners);
  assert.equal(mine.owner.containerName, 'local');
  const anybody = insideRow(socket('0.0.0.0', 80), [web, local], pids, owners);
  assert.equal(anybody.owner.kind, 'unknown');
  assert.match(anybody.owner.reason ?? '', /web, local/);
  assert.equal(insideRow(socket('0.0.0.0', 80), [web], pids, owners).owner.containerName, 'web');
  assert.match(anybody.unknown?.['pid'] ?? '', /second look/);
  const told = insideRow(socket('0.0.0.0', 80), [web, local], pids, owners, 'no process of web, local has it open');
  assert.equal(told.unknown?.['pid'], 'no process of web, local has it open');
});

test('a socket that is not known for a reason of its own says that one', () => {
  const owners = index();
  const reason = 'it was closed again before its process was looked up';
  const row = listenerRow({ ...socket('0.0.0.0', 7777), processesReason: reason }, owners);
  assert.equal(row.unknown?.['pid'], reason);
  assert.equal(row.owner.reason, reason);
});

test('whether :: takes IPv4 is a fact, or unknown for a reason', () => {
  const owners = index();
  const unclear = listenerRow(socket('::', 80), owners);
  assert.equal(unclear.v6only, null);
  assert.match(unclear.unknown?.['v6only'] ?? '', /only ss/);
  const clear = listenerRow({ ...socket('::', 80, held(1, 'nginx')), v6only: false }, owners);
  assert.deepEqual([clear.v6only, clear.unknown], [false, undefined]);
  const mapped = listenerRow(socket('::ffff:0.0.0.0', 80, held(1, 'nginx')), owners);
  assert.deepEqual(
    [mapped.v6only, mapped.unknown],
    [false, undefined],
    'one that is bound to IPv4 cannot be for IPv6 alone',
  );
});

test('rows are in order of port, and one process with several equal sockets has one', () => {
  const owners = index();
  const rows = orderListeners(
    [
      socket('0.0.0.0', 443, held(1, 'nginx')),
      socket('0.0.0.0', 80, held(1, 'nginx')),
      socket('0.0.0.0', 443, held(1, 'nginx')),
      socket('0.0.0.0', 443, held(2, 'haproxy')),
    ].map(item => listenerRow(item, owners)),
  );
  assert.deepEqual(
    rows.map(row => [row.port, row.pid]),
    [
      [80, 1],
      [443, 1],
      [443, 2],
    ],
  );
});
