/** Findings about bindings, forwarding, networks, links and shared namespaces. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ContainerReading, InsideReading, Readings } from '../../source/host/readings.ts';
import { keepEarlier, type ReadingHistory } from '../../source/facts/findings/earlier.ts';
import { withoutPassing } from '../../source/facts/findings/orphan-link.ts';
import { joinFacts } from '../../source/facts/join.ts';
import type { Finding } from '../../source/facts/schema.ts';
import {
  container,
  docker,
  endpoint,
  engine,
  hexId,
  inner,
  inside,
  link,
  network,
  now,
  ok,
  port,
  proxy,
  socket,
  veth,
} from './build.ts';
import { briefly, dockerWith, judging } from './judging.ts';

const web = (rest: Partial<ContainerReading> = {}) =>
  container('web', {
    requestedPorts: [port('8080', 80)],
    publishedPorts: [port('8080', 80, { hostIp: '0.0.0.0' })],
    endpoints: [endpoint('bridge', { ipv4: '172.17.0.2' })],
    pid: 4242,
    ...rest,
  });

const bindingsOf = (of: ContainerReading, networks = [network('app')]) =>
  briefly(judging(dockerWith({ containers: [of], networks })));

describe('bindings-missing', () => {
  it('tells of a container without network, and of one whose binding is not mapped', () => {
    const detached = judging(dockerWith({ containers: [web({ endpoints: [], publishedPorts: [] })] }));
    assert.deepEqual(briefly(detached), ['bindings-missing web']);
    assert.match(detached[0]?.message ?? '', /asks for 8080 → 80\/tcp and does not have it: it has no network at all/);
    assert.deepEqual(bindingsOf(web({ publishedPorts: [] })), ['bindings-missing web']);
    assert.deepEqual(bindingsOf(web({ publishedPorts: [port('8081', 80, { hostIp: '0.0.0.0' })] })), [
      'bindings-missing web',
    ]);
    const udp = web({ requestedPorts: [port('8080', 80), port('8080', 80, { proto: 'udp' })] });
    assert.deepEqual(bindingsOf(udp), ['bindings-missing web']);
    assert.deepEqual(bindingsOf(web({ publishAllPorts: true, exposedPorts: [{ proto: 'tcp', port: 443 }] })), [
      'bindings-missing web',
    ]);
  });

  it('is content with any mapping that fits the request', () => {
    const asked = [port('', 80), port('7000-7005', 81), port('9000', 82, { hostIp: '::1' })];
    const given = [
      port('32768', 80, { hostIp: '::' }),
      port('7003', 81, { hostIp: '0.0.0.0' }),
      port('9000', 82, { hostIp: '::1' }),
    ];
    assert.deepEqual(bindingsOf(web({ requestedPorts: asked, publishedPorts: given })), []);
    assert.deepEqual(bindingsOf(web({ state: 'exited', publishedPorts: [] })), []);
    assert.deepEqual(
      bindingsOf(web({ networkMode: 'plugged', endpoints: [endpoint('plugged')], publishedPorts: [] }), [
        network('plugged', { driver: 'weave' }),
      ]),
      [],
    );
    const routed = network('routed', { options: { 'com.docker.network.bridge.gateway_mode_ipv4': 'routed' } });
    assert.deepEqual(
      bindingsOf(web({ networkMode: 'routed', endpoints: [endpoint('routed')], publishedPorts: [port('', 80)] }), [
        routed,
      ]),
      [],
    );
  });
});

const on = (networkMode: string, names: string[], rest: Partial<ContainerReading> = {}) =>
  web({ networkMode, endpoints: names.map(name => endpoint(name)), publishedPorts: [], ...rest });

describe('ports-ignored', () => {
  const networks = [network('backend', { internal: true }), network('lan', { driver: 'macvlan' }), network('app')];
  const judged = (of: ContainerReading) => judging(dockerWith({ containers: [of], networks }));

  it('tells of each mode that gives no ports', () => {
    const cases: [ContainerReading, RegExp][] = [
      [on('host', ['host'], { state: 'created' }), /on the host network$/],
      [on('none', ['none']), /on the network none$/],
      [on('backend', ['backend']), /on the internal network backend$/],
      [on('lan', ['lan']), /on the macvlan network lan$/],
      [on('backend', ['backend', 'lan'], { state: 'exited' }), /internal network backend and the macvlan network lan$/],
    ];
    for (const [of, text] of cases) {
      const findings = judged(of);
      assert.deepEqual(briefly(findings), ['ports-ignored web'], of.networkMode);
      assert.match(findings[0]?.message ?? '', text);
    }
  });

  it('is silent where a second network publishes, and where nothing is asked', () => {
    const both = on('backend', ['backend', 'app'], { publishedPorts: web().publishedPorts });
    assert.deepEqual(briefly(judged(both)), []);
    assert.deepEqual(briefly(judged(on('none', ['none'], { requestedPorts: [] }))), []);
  });
});

describe('forwarding-off', () => {
  const links = ok({
    links: [link(2, 'eth0'), link(3, 'docker0', { kind: 'bridge' })],
    routes: [
      {
        family: 4 as const,
        destination: 'default',
        device: 'eth0',
        table: 'main',
        type: 'unicast',
        protocol: 'static',
        flags: [],
      },
    ],
    traffic: {},
  });
  const judged = (
    kernel: Readings['kernel']['value'],
    containers = [web()],
    networks = [network('app', { ipv6: true })],
  ) => briefly(judging(dockerWith({ containers, networks }, { links, ...(kernel ? { kernel: ok(kernel) } : {}) })));

  it('tells of the global settings, where containers need them', () => {
    assert.deepEqual(judged({ ipForward: false, ipv6Forward: false, interfaces: {} }), [
      'forwarding-off net.ipv4.ip_forward',
    ]);
    assert.deepEqual(judged({ ipForward: false, interfaces: {} }, []), []);
    assert.deepEqual(judged({ interfaces: {} }), []);
    const six = container('six', { networkMode: 'app', endpoints: [endpoint('app', { ipv6: 'fd00::2' })] });
    assert.deepEqual(judged({ ipForward: true, ipv6Forward: false, interfaces: {} }, [six]), [
      'forwarding-off net.ipv6.conf.all.forwarding',
    ]);
  });

  it('tells of one interface that does not forward', () => {
    assert.deepEqual(
      judged({
        ipForward: true,
        interfaces: { docker0: { forwarding4: false }, eth0: { forwarding4: false }, eth9: { forwarding4: false } },
      }),
      ['forwarding-off docker0', 'forwarding-off eth0'],
    );
  });

  it('says nothing of a daemon elsewhere', () => {
    const remote = dockerWith(
      { engine: engine({ local: false }), containers: [web()] },
      { kernel: ok({ ipForward: false, interfaces: {} }) },
    );
    assert.deepEqual(briefly(judging(remote)), []);
  });
});

describe('stale-proxy', () => {
  const left = proxy(900, '0.0.0.0', 9999, '172.17.0.9', 80);
  const host = (proxies = [left], dockerAt = now, processesAt = now, containers = [web()]): Readings =>
    dockerWith(
      { containers },
      {
        docker: ok(docker({ containers }), dockerAt),
        processes: ok({ processes: {}, proxies }, processesAt),
        inside: inside(web(), [inner('eth0', 2, 9)], { listeners: [socket('0.0.0.0', 80)] }),
      },
    );

  it('tells of a proxy that serves no running container', () => {
    assert.deepEqual(briefly(judging(host([left, proxy(901, '0.0.0.0', 8080, '172.17.0.2', 80)]))), [
      'stale-proxy 0.0.0.0:9999/tcp',
    ]);
    assert.deepEqual(
      briefly(judging(host([proxy(901, '0.0.0.0', 8080, '172.17.0.2', 80)], now, now, [web({ state: 'exited' })]))),
      ['stale-proxy 0.0.0.0:8080/tcp'],
    );
  });

  it('waits until the proxy was there before and after Docker was asked', () => {
    const first = host([left], now - 20_000, now - 19_000);
    const one = keepEarlier(undefined, first);
    assert.deepEqual(briefly(judging(first, { earlier: one.earlier })), []);
    const soon = host([left], now - 18_900, now - 18_800);
    assert.deepEqual(briefly(judging(soon, { earlier: keepEarlier(one, soon).earlier })), []);
    const later = host([left], now - 10_000, now - 5000);
    assert.deepEqual(briefly(judging(later, { earlier: keepEarlier(one, later).earlier })), [
      'stale-proxy 0.0.0.0:9999/tcp',
    ]);
  });
});

/** The links that `orphan-link` names after each round of readings. */
const orphansIn = (...rounds: Readings[]) => {
  let history: ReadingHistory | undefined;
  let previous: Finding[] = [];
  return rounds.map(of => {
    history = keepEarlier(history, of);
    previous = judging(of, { previous, earlier: history.earlier });
    return previous.filter(({ code }) => code === 'orphan-link').map(({ subject }) => subject.name);
  });
};

/** The orphans that a single look tells of, and one that looked again. */
const orphansTold = (of: Readings, later?: Readings) => {
  const host = { kind: 'live' as const, name: 'host1', uid: 0, dockerEndpoint: 'unix:///var/run/docker.sock' };
  const lookAt = (each: Readings) => ({
    findings: judging(each),
    context: { readings: each, facts: { ...joinFacts(each, { now, host }), portChanges: [] } },
  });
  const told = withoutPassing(lookAt(of), later && lookAt(later));
  return told.filter(({ code }) => code === 'orphan-link').map(({ subject }) => subject.name);
};

describe('orphan-link', () => {
  const mine = web();
  const insideWeb = inside(mine, [inner('eth0', 10, 11, { ipv4: '172.17.0.2' })], {
    listeners: [socket('0.0.0.0', 80)],
  });
  const host = (more: ReturnType<typeof link>[], isRead = true, networks = [network('app')]) =>
    dockerWith(
      { containers: [mine], networks },
      {
        links: ok({
          links: [link(2, 'docker0', { kind: 'bridge' }), veth(11, 10, 0, 'docker0', { name: 'veth0000001' }), ...more],
          routes: [],
          traffic: {},
        }),
        inside: isRead ? insideWeb : {},
      },
    );

  /** The same, read at these moments. */
  const loose = (more: ReturnType<typeof link>[], linksAt: number, dockerAt = linksAt): Readings => {
    const of = host(more);
    return { ...of, docker: { ...of.docker, at: dockerAt }, links: { ...of.links, at: linksAt } };
  };

  it('tells of a veth whose other end is in no running container, and of a bridge without a network', () => {
    const orphan = veth(21, 20, 3, 'docker0', { name: 'vethabcdef0' });
    const bridge = link(30, 'br-0123456789ab', { kind: 'bridge' });
    assert.deepEqual(briefly(judging(host([orphan, bridge]))), [
      'orphan-link br-0123456789ab',
      'orphan-link vethabcdef0',
    ]);
  });

  it('waits until Docker, asked a quarter of a minute after the link was first seen, still knows nothing of it', () => {
    const orphan = veth(21, 20, 3, 'docker0', { name: 'vethabcdef0' });
    const first = loose([orphan], now);
    assert.deepEqual(orphansIn(first, loose([orphan], now + 4000)), [[], []]);
    assert.deepEqual(orphansIn(first, loose([orphan], now + 14_000), loose([orphan], now + 16_000)).at(-1), [
      'vethabcdef0',
    ]);
    // Docker has to have been asked since, too.
    assert.deepEqual(orphansIn(first, loose([orphan], now + 16_000, now + 14_000)), [[], []]);
    // Other links that come and go do not begin the time anew, another link of that name does.
    const churn = [0, 5000, 10_000, 16_000].map(ms =>
      loose([orphan, veth(40, 39, 3, 'br-mine', { name: `veth-${ms}` })], now + ms),
    );
    assert.deepEqual(orphansIn(...churn), [[], [], [], ['vethabcdef0']]);
    const another = veth(25, 24, 3, 'docker0', { name: 'vethabcdef0' });
    assert.deepEqual(orphansIn(first, loose([another], now + 16_000)), [[], []]);
    assert.deepEqual(orphansIn(first, loose([], now + 8000), loose([orphan], now + 16_000)), [[], [], []]);
  });

  it('is told by a single look only of what is older than a link in use, or is there still at a second one', () => {
    const young = veth(21, 20, 3, 'docker0', { name: 'vethabcdef0' });
    const old = veth(9, 8, 3, 'docker0', { name: 'vethabcdef1' });
    const both = loose([young, old], now);
    assert.deepEqual(orphansTold(both), ['vethabcdef1']);
    assert.deepEqual(orphansTold(both, loose([young], now + 15_000)), ['vethabcdef0', 'vethabcdef1']);
    // Too soon, without Docker, gone, or another of that name.
    assert.deepEqual(orphansTold(both, loose([young], now + 5000)), ['vethabcdef1']);
    assert.deepEqual(orphansTold(both, loose([young], now + 15_000, now)), ['vethabcdef1']);
    assert.deepEqual(orphansTold(both, loose([], now + 15_000)), ['vethabcdef1']);
    assert.deepEqual(orphansTold(both, loose([veth(25, 24, 3, 'docker0', { name: 'vethabcdef0' })], now + 15_000)), [
      'vethabcdef1',
    ]);
    // A container that has just started proves nothing.
    const containers = [{ ...mine, startedAt: now - 3000 }];
    assert.deepEqual(orphansTold({ ...both, docker: ok(docker({ containers, networks: [network('app')] })) }), []);
  });

  it('is silent about the links of others and about what it does not know', () => {
    const app = link(31, `br-${hexId('net-app').slice(0, 12)}`, { kind: 'bridge' });
    const admins = [
      veth(22, 20, 4, 'docker0', { name: 'vpn-in' }),
      veth(23, 20, 4, 'br-mine', { name: 'vethabcdef1' }),
      link(24, 'br-mine', { kind: 'bridge' }),
    ];
    assert.deepEqual(briefly(judging(host([app, ...admins]))), []);
    assert.deepEqual(briefly(judging(host([veth(21, 20, 3, 'docker0', { name: 'vethabcdef0' })], false))), []);
  });
});

const netnsOf = (of: ContainerReading, inode: number) => ({
  [of.id]: ok<InsideReading>({ containerId: of.id, pid: of.pid, netns: inode }),
});

const sharingOf = (containers: ContainerReading[], more: Readings['inside'] = {}) =>
  briefly(judging(dockerWith({ containers }, { inside: more })));

describe('stranded-netns', () => {
  const partner = web({ startedAt: now - 100_000 });
  const sharer = (rest: Partial<ContainerReading> = {}) =>
    container('shared', {
      networkMode: `container:${partner.id}`,
      endpoints: [],
      startedAt: now - 50_000,
      command: ['sleep', '1'],
      pid: 777,
      ...rest,
    });

  it('tells when the partner is gone, stopped, restarted or recreated', () => {
    assert.deepEqual(sharingOf([sharer()]), ['stranded-netns shared']);
    assert.deepEqual(sharingOf([sharer(), web({ state: 'exited' })]), ['stranded-netns shared']);
    assert.deepEqual(sharingOf([sharer(), web({ startedAt: now - 10_000 })]), ['stranded-netns shared']);
    assert.deepEqual(sharingOf([sharer(), web({ id: hexId('another') })]), ['stranded-netns shared']);
    assert.deepEqual(sharingOf([sharer(), partner], { ...netnsOf(sharer(), 1), ...netnsOf(partner, 2) }), [
      'stranded-netns shared',
    ]);
  });

  const two = (rest: Partial<ContainerReading> = {}) => sharer({ startedAt: now - 40_000, pid: 778, ...rest });

  it('follows those who joined the netns of one that joined it', () => {
    const three = container('third', {
      networkMode: `container:${two().id}`,
      endpoints: [],
      startedAt: now - 30_000,
      command: ['sleep', '1'],
      pid: 779,
    });
    const both = ['stranded-netns shared', 'stranded-netns third'];
    assert.deepEqual(sharingOf([partner, two(), three]), []);
    assert.deepEqual(sharingOf([web({ state: 'exited' }), two(), three]), both);
    assert.deepEqual(sharingOf([two(), three]), both);
    // Restarted before the third joined: it joined the netns that the second one was left with.
    assert.deepEqual(sharingOf([web({ startedAt: now - 35_000 }), two(), three]), both);
    const [, finding] = judging(dockerWith({ containers: [web({ state: 'exited' }), two(), three] }));
    assert.equal(finding?.message, 'third is cut off: web, whose netns it joined by way of shared, is exited');
    assert.equal(finding.fix, 'docker restart shared third once web runs');

    // The one in between is of no account.
    const stopped = two({ state: 'exited', pid: 0 });
    assert.deepEqual(sharingOf([partner, stopped, three]), []);
    assert.deepEqual(sharingOf([partner, two({ startedAt: now - 10_000 }), three]), []);
    assert.deepEqual(sharingOf([partner, three], { ...netnsOf(three, 5), ...netnsOf(partner, 5) }), []);
    assert.deepEqual(sharingOf([partner, { ...three, hostname: partner.hostname }]), []);
    assert.deepEqual(sharingOf([partner, three]), ['stranded-netns third']);
    const inodes = { ...netnsOf(partner, 5), ...netnsOf(two(), 5), ...netnsOf(three, 4) };
    assert.deepEqual(sharingOf([partner, two(), three], inodes), ['stranded-netns third']);
  });

  it('is silent while they share, and believes the inode more than the clock', () => {
    assert.deepEqual(sharingOf([sharer(), partner]), []);
    assert.deepEqual(
      sharingOf([sharer(), web({ startedAt: now })], { ...netnsOf(sharer(), 5), ...netnsOf(partner, 5) }),
      [],
    );
    assert.deepEqual(sharingOf([sharer({ state: 'exited' })]), []);
    const hostPartner = web({
      networkMode: 'host',
      endpoints: [],
      requestedPorts: [],
      publishedPorts: [],
      startedAt: now,
    });
    assert.deepEqual(sharingOf([sharer(), hostPartner]), []);
  });
});

const net = (name: string, subnet: string, rest = {}) => network(name, { ipam: [{ subnet }], ...rest });

const route = (destination: string, device: string, rest: { table?: string; family?: 4 | 6 } = {}) => ({
  family: rest.family ?? (4 as const),
  destination,
  device,
  table: rest.table ?? 'main',
  type: 'unicast',
  protocol: 'kernel',
  flags: [],
});

const overlaps = (networks: ReturnType<typeof network>[], routes: ReturnType<typeof route>[]) =>
  briefly(judging(dockerWith({ networks }, { links: ok({ links: [], routes, traffic: {} }) })));

describe('subnet-overlap', () => {
  const bridge = `br-${hexId('net-app').slice(0, 12)}`;

  it('tells of a route of the host in either direction, in any table', () => {
    assert.deepEqual(overlaps([net('app', '10.20.0.0/16')], [route('10.20.30.0/24', 'eth0')]), ['subnet-overlap app']);
    assert.deepEqual(overlaps([net('app', '10.20.30.0/24')], [route('10.0.0.0/8', 'wg0', { table: '51820' })]), [
      'subnet-overlap app',
    ]);
    assert.deepEqual(overlaps([net('app', 'fd00:1::/64')], [route('fd00::/8', 'eth0', { family: 6 })]), [
      'subnet-overlap app',
    ]);
  });

  it('is silent about its own route, default routes in disguise, and networks that share a LAN on purpose', () => {
    const own = [
      route('10.20.0.0/16', bridge),
      route('default', 'eth0'),
      route('0.0.0.0/1', 'tun0'),
      route('10.20.0.1', bridge, { table: 'local' }),
    ];
    assert.deepEqual(overlaps([net('app', '10.20.0.0/16')], own), []);
    assert.deepEqual(
      overlaps([net('lan', '10.20.0.0/16', { driver: 'macvlan' })], [route('10.20.0.0/16', 'eth0')]),
      [],
    );
    assert.deepEqual(overlaps([net('app', '172.18.0.0/16')], [route('172.19.0.0/16', 'eth0')]), []);
    assert.deepEqual(overlaps([net('app', 'fe80::/64')], [route('fe80::/64', 'eth0', { family: 6 })]), []);
  });

  it('tells of two networks once, at the later one', () => {
    const later = net('later', '10.20.30.0/24', { created: '2026-11-21T09:00:00Z' });
    assert.deepEqual(overlaps([later, net('app', '10.20.0.0/16')], []), ['subnet-overlap later']);
  });
});
