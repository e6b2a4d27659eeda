import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ContainerReading, EngineReading, Proto, Readings, SocketReading } from '../../source/host/readings.ts';
import { parseStartError } from '../../source/facts/start-errors.ts';
import { wantedPorts } from '../../source/facts/wanted-ports.ts';
import { container, endpoint, inner, inside, link, network, now, ok, port, process, proxy, socket } from './build.ts';
import { briefly, dockerWith, judging } from './judging.ts';

const endpointText = `driver failed programming external connectivity on endpoint clash (${'c'.repeat(64)}): `;
/** A kernel with IPv6. */
const links = ok({
  links: [
    link(1, 'lo', { addresses: [{ family: 6, address: '::1', prefixLength: 128, scope: 'host' }] }),
    link(2, 'eth0'),
  ],
  routes: [],
  traffic: {},
});
const web = container('web', {
  requestedPorts: [port('8080', 80)],
  publishedPorts: [port('8080', 80, { hostIp: '0.0.0.0' }), port('8080', 80, { hostIp: '::' })],
  endpoints: [endpoint('bridge', { ipv4: '172.17.0.2' })],
});
const proxies = [proxy(501, '0.0.0.0', 8080, '172.17.0.2', 80), proxy(502, '::', 8080, '172.17.0.2', 80)];
const proxySockets: SocketReading[] = [
  socket('0.0.0.0', 8080, { processes: [{ pid: 501, name: 'docker-proxy' }] }),
  socket('::', 8080, { v6only: true, processes: [{ pid: 502, name: 'docker-proxy' }] }),
];
const webServed = inside(web, [inner('eth0', 2, 10, { ipv4: '172.17.0.2' })], { listeners: [socket('0.0.0.0', 80)] });

const twiceText = (proto: Proto): string =>
  `twice can never start: it asks for port 8050/${proto} twice itself (0.0.0.0:8050/${proto})`;

function host(containers: ContainerReading[], listeners: SocketReading[] = [], rest: Partial<Readings> = {}): Readings {
  return dockerWith(
    { containers: [web, ...containers] },
    {
      links,
      sockets: ok({ listeners: [...proxySockets, ...listeners], holding: [] }),
      processes: ok({
        processes: { 77: process(77, 'nginx', { unit: 'nginx.service', cgroup: '/system.slice/nginx.service' }) },
        proxies,
      }),
      inside: webServed,
      ...rest,
    },
  );
}

describe('start errors', () => {
  const cases: [string, ReturnType<typeof parseStartError>][] = [
    ['Bind for 0.0.0.0:8080 failed: port is already allocated', { kind: 'taken', port: 8080, address: '0.0.0.0' }],
    ['Bind for :::21004 failed: port is already allocated', { kind: 'taken', port: 21004, address: '::' }],
    [
      'Bind for fd00:30::100:21048 failed: port is already allocated',
      { kind: 'taken', port: 21048, address: 'fd00:30::100' },
    ],
    [
      'Error starting userland proxy: listen tcp4 0.0.0.0:80: bind: address already in use',
      { kind: 'taken', proto: 'tcp', port: 80, address: '0.0.0.0' },
    ],
    [
      'Error starting userland proxy: listen tcp6 [::1]:21033: bind: address already in use',
      { kind: 'taken', proto: 'tcp', port: 21033, address: '::1' },
    ],
    [
      'Error starting userland proxy: listen udp4 10.20.30.100:5001: bind: address already in use',
      { kind: 'taken', proto: 'udp', port: 5001, address: '10.20.30.100' },
    ],
    [
      'failed to bind port 0.0.0.0:8080/tcp: listen tcp4 0.0.0.0:8080: bind: address already in use',
      { kind: 'taken', proto: 'tcp', port: 8080, address: '0.0.0.0' },
    ],
    [
      'failed to bind host port for 0.0.0.0:80:172.17.0.12:80/tcp: address already in use',
      { kind: 'taken', proto: 'tcp', port: 80, address: '0.0.0.0' },
    ],
    [
      'failed to bind host port for [::]:18083:172.17.0.7:80/tcp: address already in use',
      { kind: 'taken', proto: 'tcp', port: 18083, address: '::' },
    ],
    [
      'failed to bind host port 18081 for 0.0.0.0:18080-18081:172.17.0.7:80/tcp: address already in use',
      { kind: 'taken', proto: 'tcp', port: 18081, range: [18080, 18081], address: '0.0.0.0' },
    ],
    [
      'failed to bind host port 0.0.0.0:9090/tcp: address already in use',
      { kind: 'taken', proto: 'tcp', port: 9090, address: '0.0.0.0' },
    ],
    [
      'failed to bind host port [::]:18083/udp: address already in use',
      { kind: 'taken', proto: 'udp', port: 18083, address: '::' },
    ],
    [
      'failed to bind host port 203.0.113.9:18090/tcp: cannot assign requested address',
      { kind: 'not-local', proto: 'tcp', port: 18090, address: '203.0.113.9' },
    ],
    [
      'Error starting userland proxy: listen tcp4 203.0.113.9:18090: bind: cannot assign requested address',
      { kind: 'not-local', proto: 'tcp', port: 18090, address: '203.0.113.9' },
    ],
    [
      'error starting userland proxy: failed to listen on 0.0.0.0:8107: protocol not supported',
      { kind: 'not-supported', port: 8107, address: '0.0.0.0' },
    ],
    ['failed to listen on TCP socket: address already in use', { kind: 'taken', proto: 'tcp' }],
    ['Error starting userland proxy: protocol not supported', { kind: 'not-supported' }],
    ['all ports are allocated', { kind: 'exhausted' }],
    ['Address already in use', undefined],
    ['network gone not found', undefined],
    ['failed to create the ipvlan port: operation not supported', undefined],
    ['invalid pool request: Pool overlaps with other one on this address space', undefined],
    ['', undefined],
  ];
  for (const [text, expected] of cases) {
    it(`reads: ${text}`, () => assert.deepEqual(parseStartError(`${endpointText}${text}`), expected));
  }
});

const clash = (error: string, asked = [port('8080', 80)]) =>
  container('clash', {
    state: 'created',
    exitCode: 128,
    error: endpointText + error,
    requestedPorts: asked,
    endpoints: [],
  });

const taken = (text: string, range: string) =>
  judging(host([clash(text, [port(range, 80)])], [socket('0.0.0.0', 5030), socket('0.0.0.0', 5031)]))[0]?.message;

const triedText = (range: string) =>
  `failed to bind host port 5031 for 0.0.0.0:${range}:172.17.0.3:80/tcp: address already in use`;

describe('port-conflict-failed', () => {
  it('names the container that holds the port, by address and not by the text', () => {
    const text = 'Bind for 0.0.0.0:8080 failed: port is already allocated';
    const findings = judging(host([clash(text, [port('8080', 80, { hostIp: '127.0.0.1' })])]));
    assert.deepEqual(briefly(findings), ['port-conflict-failed clash']);
    assert.equal(
      findings[0]?.message,
      'clash did not start: port 8080/tcp was taken; container web holds 0.0.0.0:8080/tcp',
    );
    assert.deepEqual(findings[0]?.containerIds.length, 2);
    assert.deepEqual(findings[0]?.ports, [{ proto: 'tcp', address: '127.0.0.1', port: 8080 }]);
  });

  it('names a process of the host, with its unit', () => {
    const nginx = socket('10.0.0.1', 9090, { processes: [{ pid: 77, name: 'nginx' }] });
    const text = 'failed to bind host port for 0.0.0.0:9090:172.17.0.12:80/tcp: address already in use';
    const [finding] = judging(host([clash(text, [port('9090', 80)])], [nginx]));
    assert.match(finding?.message ?? '', /taken; nginx \(pid 77, nginx\.service\) holds 10\.0\.0\.1:9090\/tcp$/);
  });

  it('names of a range the port that Docker names, and all of it where Docker tried all of it', () => {
    const old = 'Error starting userland proxy: listen tcp4 0.0.0.0:5030: bind: address already in use';
    assert.match(
      taken(old, '5030-5033') ?? '',
      /: port 5030\/tcp of 5030-5033 was taken; .* holds 0\.0\.0\.0:5030\/tcp$/,
    );
    assert.match(taken(triedText('5030-5031'), '5030-5031') ?? '', /: every port of 5030-5031\/tcp was taken; /);
    assert.match(taken(triedText('5022-5037'), '5022-5037') ?? '', /: port 5031\/tcp of 5022-5037 was taken; /);
  });

  it('names an outgoing connection', () => {
    const holding = [socket('10.0.0.1', 40000, { state: 'ESTAB', processes: [{ pid: 9, name: 'curl' }] })];
    const text = 'Error starting userland proxy: listen tcp4 0.0.0.0:40000: bind: address already in use';
    const [finding] = judging(
      host([clash(text, [port('40000', 80)])], [], {
        sockets: ok({ listeners: proxySockets, holding }),
        kernel: ok({ interfaces: {}, localPortRange: [32768, 60999] }),
      }),
    );
    assert.match(finding?.message ?? '', /a connection of curl \(pid 9\) in state ESTAB holds 10\.0\.0\.1:40000\/tcp$/);
  });

  it('says when the port is free by now, and when that cannot be known', () => {
    const text = 'Bind for 0.0.0.0:9999 failed: port is already allocated';
    const free = judging(host([clash(text, [port('9999', 80)])]));
    assert.match(free[0]?.message ?? '', /nothing listens on it now; a socket that is bound but does not listen/);
    assert.equal(free[0]?.fix, "Look with ss -tanp 'sport = :9999' who holds it, then docker start clash");
    const udp = judging(host([clash(text, [port('9999', 80, { proto: 'udp' })])]));
    assert.match(udp[0]?.message ?? '', /nothing holds it now, so it can be started again$/);
    assert.equal(udp[0]?.fix, 'docker start clash');
    const blind = judging(
      host([clash(text, [port('9999', 80)])], [], { sockets: { state: 'failed', reason: 'no /proc' } }),
    );
    assert.match(blind[0]?.message ?? '', /the sockets of this host cannot be read$/);
  });

  it('notices a container that asks for the same port twice', () => {
    const text = 'Bind for 0.0.0.0:9999 failed: port is already allocated';
    const [finding] = judging(host([clash(text, [port('9999', 80), port('9999', 81)])]));
    assert.match(
      finding?.message ?? '',
      /^clash did not start: it asks for port 9999\/tcp twice itself \(0\.0\.0\.0:9999\/tcp\)$/,
    );
    assert.match(finding?.fix ?? '', /^Remove clash and create it again/);
  });

  it('tells of a range that has met a port of the container itself, and of one that is too small for all', () => {
    const text = 'Bind for 0.0.0.0:8050 failed: port is already allocated';
    const asked = [port('8050', 80), port('8050-8051', 81)];
    const told = (version: string, ...rest: Parameters<typeof host>) => {
      const of = host(...rest);
      const { value } = of.docker;
      if (value) value.engine = { ...value.engine, version };
      return judging(of);
    };
    // Docker 28 tries others.
    assert.match(told('28.5.2', [clash(text, asked)])[0]?.message ?? '', /was taken; nothing listens on it now/);
    const [race] = told('20.10.24', [clash(text, asked)]);
    assert.equal(
      race?.message,
      'clash did not start: port 8050/tcp was taken; it asks for 0.0.0.0:8050-8051/tcp and 0.0.0.0:8050/tcp itself: Docker 20 may try one port for both, and tries no other of a range at that start',
    );
    assert.equal(race.fix, 'docker start clash');
    // Somebody else who holds it says more.
    const [held] = told(
      '20.10.24',
      [clash(text, asked)],
      [socket('0.0.0.0', 8050, { processes: [{ pid: 77, name: 'nginx' }] })],
    );
    assert.match(held?.message ?? '', /was taken; nginx \(pid 77, nginx\.service\) holds 0\.0\.0\.0:8050\/tcp$/);
    const [full] = judging(host([clash('all ports are allocated', [...asked, port('8051', 82)])]));
    assert.equal(
      full?.message,
      'clash did not start: it asks for 3 of the ports 8050-8051/tcp itself, at addresses that exclude each other, and there are 2',
    );
    assert.match(full.fix ?? '', /^Remove clash and create it again/);
    // Two fixed ones that exclude each other are not what a lack of ports is about.
    const [other] = judging(
      host([clash('all ports are allocated', [port('9000-9001', 80), ...[80, 81].map(each => port('8050', each))])]),
    );
    assert.match(other?.message ?? '', /every port/);
  });

  it('finds the port where Docker names none', () => {
    const text = 'failed to listen on TCP socket: address already in use';
    const twice = [port('8050', 80, { hostIp: '127.0.0.1' }), port('8050', 80, { hostIp: '0.0.0.0' })];
    const [own] = judging(host([clash(text, [port('8051', 80), ...twice])]));
    assert.equal(
      own?.message,
      'clash did not start: it asks for port 8050/tcp twice itself (127.0.0.1:8050/tcp and 0.0.0.0:8050/tcp)',
    );
    assert.match(own?.fix ?? '', /^Remove clash and create it again without one of the two bindings/);
    const [only] = judging(host([clash(text, [port('8051', 80), port('8052', 80, { proto: 'udp' })])]));
    assert.match(only?.message ?? '', /^clash did not start: port 8051\/tcp was taken; nothing listens on it now/);
    const [any] = judging(host([clash(text, [port('8051', 80), port('8052', 81)])]));
    assert.match(
      any?.message ?? '',
      /^clash did not start: a port that it asks for \(8051\/tcp and 8052\/tcp; Docker does not say which\) was taken; /,
    );
    const [held] = judging(host([clash(text, [port('8051', 80), port('8080', 81)])]));
    assert.match(held?.message ?? '', /was taken; container web holds 0\.0\.0\.0:8080\/tcp/);
  });

  it('is silent about a container that runs again and about other failures', () => {
    const running = {
      ...clash('Bind for 0.0.0.0:8080 failed: port is already allocated'),
      state: 'running' as const,
      pid: 5,
    };
    running.requestedPorts = [];
    running.endpoints = [endpoint('bridge')];
    assert.deepEqual(briefly(judging(host([running]))), []);
    assert.deepEqual(briefly(judging(host([clash('Address already in use', [])]))), []);
  });

  it('leaves an address that the host lacks to bind-failed', () => {
    const text = 'failed to bind host port 203.0.113.9:18090/tcp: cannot assign requested address';
    const findings = judging(host([clash(text, [port('18090', 80, { hostIp: '203.0.113.9' })])]));
    assert.deepEqual(briefly(findings), ['bind-failed clash']);
    assert.match(findings[0]?.message ?? '', /the host had no address 203\.0\.113\.9/);
  });

  it('tells of a protocol that the kernel lacks, by the port that asks for it', () => {
    const text = 'error starting userland proxy: failed to listen on 0.0.0.0:8107: protocol not supported';
    const asked = [port('8107', 80, { proto: 'sctp' }), port('8108', 80)];
    const [finding, ...others] = judging(host([clash(text, asked)]));
    assert.deepEqual([finding?.code, others], ['bind-failed', []]);
    assert.match(
      finding?.message ?? '',
      /did not start: the kernel had no support for sctp, which it asks to publish 0\.0\.0\.0:8107 for$/,
    );
    assert.match(finding?.evidence[0]?.text ?? '', /protocol not supported$/);
    assert.deepEqual(finding?.ports, [{ proto: 'sctp', address: '0.0.0.0', port: 8107 }]);
    // Docker to 26 names no place: it is told where only one can be meant.
    const brief = 'Error starting userland proxy: protocol not supported';
    const [one] = judging(host([clash(brief, asked)]));
    assert.deepEqual([one?.message, one?.ports], [finding?.message, finding?.ports]);
    const [two] = judging(host([clash(brief, [...asked, port('8109', 81, { proto: 'sctp' })])]));
    assert.match(two?.message ?? '', /no support for sctp, which it asks to publish a port for$/);
    assert.deepEqual(two?.ports, []);
  });
});

const waiting = (name: string, ...asked: ReturnType<typeof port>[]) =>
  container(name, { state: 'created', requestedPorts: asked, endpoints: [] });

const ended = (secondsAgo: number) =>
  container('web', {
    state: 'exited',
    finishedAt: now - secondsAgo * 1000,
    requestedPorts: [port('8080', 80)],
    endpoints: [],
    publishedPorts: [],
  });

/** Which containers will not start, when `web` ended so long ago and docker-proxies hold its port. */
const pendingAfter = (secondsAgo: number) =>
  briefly(
    judging(
      dockerWith(
        { containers: [ended(secondsAgo)] },
        {
          links,
          sockets: ok({ listeners: proxySockets, holding: [] }),
          processes: ok({
            processes: { 501: process(501, 'docker-proxy'), 502: process(502, 'docker-proxy') },
            proxies,
          }),
        },
      ),
    ),
  ).filter(text => text.startsWith('port-conflict-pending'));

const wish = (hostIp: string, containerPort = 80) => port('8050', containerPort, { hostIp });

describe('port-conflict-pending and -rivals', () => {
  it('is not said of a container that has just ended and may be starting again: the docker-proxy may be its own', () => {
    assert.deepEqual(pendingAfter(3), []);
    assert.deepEqual(pendingAfter(60), ['port-conflict-pending web']);
  });

  it('tells of a created and of an exited container whose port is held, with the holder', () => {
    const old = { ...waiting('old', port('9090', 80)), state: 'exited' as const };
    const findings = judging(
      host(
        [waiting('standby', port('8080', 80)), old],
        [socket('::', 9090, { v6only: false, processes: [{ pid: 77, name: 'nginx' }] })],
      ),
    );
    assert.deepEqual(briefly(findings), ['port-conflict-pending old', 'port-conflict-pending standby']);
    assert.match(findings[0]?.message ?? '', /nginx \(pid 77, nginx\.service\) holds \[::\]:9090\/tcp$/);
    assert.match(findings[1]?.message ?? '', /container web holds 0\.0\.0\.0:8080\/tcp and \[::\]:8080\/tcp$/);
  });

  it('tells before the first start that a container asks for a port twice, where that can never be had', () => {
    const told = (...asked: ReturnType<typeof port>[]) => judging(host([waiting('wild', ...asked)]));
    const [finding, ...others] = told(wish('127.0.0.1'), wish('0.0.0.0'));
    assert.deepEqual(others, []);
    assert.equal(finding?.code, 'port-conflict-pending');
    assert.equal(
      finding?.message,
      'wild can never start: it asks for port 8050/tcp twice itself (127.0.0.1:8050/tcp and 0.0.0.0:8050/tcp)',
    );
    assert.match(finding?.fix ?? '', /^Remove wild and create it again/);
    assert.equal(told(wish('127.0.0.1'), wish('127.0.0.1', 81)).length, 1);
    // Other addresses are no conflict, and what has run can run.
    assert.deepEqual(told(wish('127.0.0.1'), wish('10.0.0.1'), wish('::')), []);
    const ran = {
      ...waiting('ran', wish('127.0.0.1'), wish('0.0.0.0')),
      state: 'exited' as const,
      startedAt: now - 90_000,
    };
    assert.deepEqual(judging(host([ran])), []);
  });

  it('tells of a port asked for twice in the very same way where that release of Docker refuses it', () => {
    const told = (version: string, proto: Proto, rest: Partial<EngineReading> = {}) => {
      const of = host([waiting('twice', port('8050', 80, { proto }), port('8050', 80, { proto, hostIp: '0.0.0.0' }))]);
      const { value } = of.docker;
      if (value) value.engine = { ...value.engine, version, ...rest };
      return judging(of).map(({ message }) => message);
    };
    for (const version of ['20.10.24+dfsg1', '26.1.5', '28.5.2'])
      assert.deepEqual(told(version, 'tcp'), [twiceText('tcp')]);
    assert.deepEqual(told('26.1.5', 'udp'), [twiceText('udp')]);
    // Docker 28 maps UDP twice; nobody has looked at what others do.
    assert.deepEqual(told('28.5.2', 'udp'), []);
    assert.deepEqual(told('29.1.0', 'tcp'), []);
    assert.deepEqual(told('', 'tcp'), []);
    assert.deepEqual(told('20.10.24', 'sctp'), []);
    assert.deepEqual(told('20.10.24', 'tcp', { podman: true }), []);
    // What is taken for one does not hide what is refused.
    const both = waiting('both', ...['', '', '127.0.0.1'].map(hostIp => port('8050', 80, { proto: 'udp', hostIp })));
    assert.match(judging(host([both]))[0]?.message ?? '', /\(0\.0\.0\.0:8050\/udp and 127\.0\.0\.1:8050\/udp\)$/);
  });

  it('tells of a UDP connection on the port, as likely', () => {
    const client = { state: 'ESTAB', processes: [{ pid: 9, name: 'python3' }] };
    const told = (proto: 'tcp' | 'udp', asked = '9003') =>
      judging(
        host([waiting('late', port(asked, 80, { proto }))], [], {
          sockets: ok({ listeners: proxySockets, holding: [socket('10.0.0.1', 9003, { ...client, proto })] }),
          kernel: ok({ interfaces: {}, localPortRange: [32768, 60999] }),
        }),
      );
    const [finding] = told('udp');
    assert.equal(
      finding?.message,
      'late may not start as things are: a connection of python3 (pid 9) in state ESTAB holds 10.0.0.1:9003/udp (likely; not certain)',
    );
    assert.deepEqual(told('tcp'), []);
    assert.deepEqual(told('udp', '9003-9004'), []);
  });

  it('says of rivals which of them exclude each other, where not all do', () => {
    const [rivals] = judging(
      host([
        waiting('all', port('8200', 80)),
        waiting('one', port('8200', 80, { hostIp: '127.0.0.1' })),
        waiting('two', port('8200', 80, { hostIp: '10.0.0.1' })),
      ]),
    ).filter(({ code }) => code === 'port-conflict-rivals');
    assert.match(rivals?.message ?? '', /which nothing is seen to hold: not together: all and one; all and two$/);
  });

  it('keeps silent where nothing stands in the way', () => {
    const listeners = [
      socket('127.0.0.1', 9091),
      socket('::', 9092, { v6only: true }),
      socket('0.0.0.0', 9093, { proto: 'udp' }),
    ];
    const free = [
      waiting('udp', port('8080', 80, { proto: 'udp' })),
      waiting('elsewhere', port('9091', 80, { hostIp: '10.0.0.1' })),
      waiting('v4only', port('9092', 80, { hostIp: '0.0.0.0' })),
      waiting('tcp', port('9093', 80)),
      waiting('range', port('8080-8081', 80)),
      waiting('ephemeral', port('', 80)),
      { ...waiting('hostmode', port('8080', 80)), networkMode: 'host' },
      { ...waiting('again', port('8080', 80)), state: 'restarting' as const },
    ];
    const findings = judging(host(free, listeners)).filter(({ code }) => code !== 'ports-ignored');
    assert.deepEqual(briefly(findings), []);
  });

  it('counts the IPv6 wildcard that Docker takes too, and a range that is all taken', () => {
    const listeners = [socket('::1', 9094), socket('0.0.0.0', 7001)];
    const findings = judging(
      host(
        [waiting('dual', port('9094', 80)), waiting('full', port('7000-7001', 80))],
        [...listeners, socket('10.0.0.9', 7000)],
      ),
    );
    assert.deepEqual(briefly(findings), ['port-conflict-pending dual', 'port-conflict-pending full']);
  });

  it("is silent about a network's own host address when only another one is taken", () => {
    const bound = network('bindip', { options: { 'com.docker.network.bridge.host_binding_ipv4': '10.0.0.200' } });
    const late = { ...waiting('late', port('9095', 80)), networkMode: 'bindip', endpoints: [endpoint('bindip')] };
    const at = (address: string) =>
      briefly(
        judging(
          dockerWith(
            { containers: [late], networks: [bound] },
            { links, sockets: ok({ listeners: [socket(address, 9095)], holding: [] }) },
          ),
        ),
      );
    assert.deepEqual(at('10.0.0.100'), []);
    assert.deepEqual(at('10.0.0.200'), ['port-conflict-pending late']);
    assert.deepEqual(at('::'), []);
  });

  it('groups rivals by what excludes each other, whatever the order', () => {
    const containers = [
      waiting('a', port('9000', 80)),
      waiting('b', port('9000', 80, { hostIp: '127.0.0.1' })),
      waiting('c', port('9000', 80, { proto: 'udp' })),
      waiting('d', port('9001', 80, { hostIp: '127.0.0.1' })),
      waiting('e', port('9001', 80, { hostIp: '10.0.0.1' })),
      waiting('f', port('9001', 80, { hostIp: '10.0.0.1' })),
    ];
    const findings = judging(host(containers));
    assert.deepEqual(briefly(findings), ['port-conflict-rivals 9000/tcp', 'port-conflict-rivals 9001/tcp']);
    assert.match(findings[0]?.message ?? '', /^a and b both ask for port 9000\/tcp/);
    assert.match(findings[1]?.message ?? '', /^e and f both/);
    assert.deepEqual(judging(host(containers.toReversed())), findings);
  });

  it('leaves a held port to pending, and a failed start to failed', () => {
    const error = `${endpointText}Bind for 0.0.0.0:8080 failed: port is already allocated`;
    const findings = judging(
      host([waiting('a', port('8080', 80)), { ...waiting('b', port('8080', 80)), error, exitCode: 128 }]),
    );
    assert.deepEqual(briefly(findings), ['port-conflict-failed b', 'port-conflict-pending a']);
  });
});

describe('port-conflict-host-mode', () => {
  const exposed = { exposedPorts: [{ proto: 'tcp' as const, port: 80 }], networkMode: 'host', endpoints: [] };
  const web1 = container('web1', { ...exposed, command: ['httpd', '-f', '-p', '80'], pid: 123 });
  const held = (address: string) =>
    socket(address, 80, { processes: [{ pid: 123, name: 'httpd' }], cgroup: `/docker/${web1.id}` });
  const gone = (rest: Partial<ContainerReading> = {}) =>
    container('web2', {
      ...exposed,
      command: ['httpd', '-f'],
      state: 'exited',
      exitCode: 1,
      startedAt: now - 500_000,
      finishedAt: now - 499_900,
      ...rest,
    });
  const hostWith = (second: ContainerReading, address = '0.0.0.0') =>
    host([web1, second], [held(address)], {
      processes: ok({
        processes: { 123: process(123, 'httpd', { cgroup: `/docker/${web1.id}`, containerId: web1.id }) },
        proxies,
      }),
    });

  it("names web1's httpd when web2 has exited for it", () => {
    const findings = judging(hostWith(gone()));
    assert.deepEqual(briefly(findings), ['port-conflict-host-mode web2']);
    assert.match(findings[0]?.message ?? '', /web1's httpd \(pid 123\) holds 0\.0\.0\.0:80\/tcp$/);
    assert.deepEqual(findings[0]?.containerIds, [gone().id, web1.id]);
  });

  const message = (rest: Partial<ContainerReading>) => judging(hostWith(gone(rest)))[0]?.message ?? '';

  it('says whether the command line names the port, or the image merely exposes it', () => {
    assert.match(message({}), /exited with 1; port 80\/tcp, which its image exposes and it may want, is taken: /);
    assert.match(
      message({ command: ['httpd', '-f', '-p', '80'] }),
      /exited with 1 and wants port 80\/tcp, which is taken: /,
    );
    const alive = { state: 'running' as const, pid: 124, startedAt: now - 60_000, finishedAt: undefined, exitCode: 0 };
    for (const [command, words] of [
      [['httpd', '-f'], /runs without a listener on port 80\/tcp, which its image exposes and which is taken: /],
      [
        ['httpd', '-p', '80'],
        /runs without a listener on port 80\/tcp, which its command line names and which is taken: /,
      ],
    ] as const) {
      assert.match(message({ ...alive, command: [...command] }), words);
    }
  });

  it('names it too while web2 lives on under a supervisor without its listener', () => {
    const command = ['sh', '-c', 'httpd -f -p 80; sleep 10000'];
    const supervised = container('web2', { ...exposed, command, startedAt: now - 20_000 });
    assert.deepEqual(briefly(judging(hostWith(supervised))), ['port-conflict-host-mode web2']);
    assert.deepEqual(briefly(judging(hostWith({ ...supervised, startedAt: now - 5000 }))), []);
  });

  it('sees no conflict between two addresses, in a clean end, in a kill, or with nobody on the port', () => {
    const quiet: ContainerReading[] = [
      gone({ command: ['httpd', '-f', '-p', '10.0.0.2:80'] }),
      gone({ exitCode: 0 }),
      gone({ exitCode: 137 }),
      gone({ exitCode: 127 }),
      gone({ finishedAt: now }),
      gone({ command: ['httpd', '-f', '-p', '81'] }),
      gone({ command: ['sleep', '1'] }),
      container('web2', { ...exposed, command: ['sleep', '10000'] }),
    ];
    for (const second of quiet)
      assert.deepEqual(briefly(judging(hostWith(second, '10.0.0.1'))), [], JSON.stringify(second));
  });

  it('does not blame a container that came later', () => {
    const early = gone({ startedAt: now - 900_000, finishedAt: now - 899_900 });
    assert.deepEqual(briefly(judging(hostWith(early))), []);
  });

  it('looks into the shared netns of a container: sharer', () => {
    const sharer = container('side', {
      networkMode: `container:${web.id}`,
      endpoints: [],
      command: ['nginx', '-p', '80'],
      state: 'exited',
      exitCode: 1,
      startedAt: now - 5000,
      finishedAt: now - 4900,
    });
    for (const listener of [socket('0.0.0.0', 80), socket('::', 80)]) {
      const findings = judging(host([sharer], [], { inside: inside(web, [], { listeners: [listener] }) }));
      assert.deepEqual(briefly(findings), ['port-conflict-host-mode side']);
      assert.match(findings[0]?.message ?? '', /container web holds .*:80\/tcp$/);
    }
  });

  it('stays through the short runs of a crash loop', () => {
    const looping = gone({ state: 'restarting' });
    const before = judging(hostWith(looping));
    assert.deepEqual(briefly(before), ['port-conflict-host-mode web2']);
    const young = container('web2', { ...exposed, command: ['httpd', '-f'], startedAt: now - 50 });
    assert.deepEqual(briefly(judging(hostWith(young))), []);
    assert.deepEqual(briefly(judging(hostWith(young), { previous: before })), ['port-conflict-host-mode web2']);
  });
});

describe('wantedPorts', () => {
  const exposedPorts = [{ proto: 'tcp' as const, port: 80 }];
  const cases: [string[], string[]][] = [
    [['httpd', '-f', '-p', '80'], ['80/tcp']],
    [['httpd', '-f', '-p', '10.0.0.1:81', '-h', '/www'], ['10.0.0.1:81/tcp']],
    [['httpd', '-p', '[::1]:81'], ['::1:81/tcp']],
    [['/usr/sbin/nginx'], ['80/tcp']],
    [['server', '--port=8081'], ['8081/tcp']],
    [['server', '--host', '127.0.0.1', '--port', '8081'], ['127.0.0.1:8081/tcp']],
    [['gunicorn', '-b', '127.0.0.1:8000', 'app'], ['127.0.0.1:8000/tcp']],
    [['app', ':9000'], ['9000/tcp']],
    [['app', '--listen', ':9000'], ['9000/tcp']],
    [['python3', '-m', 'http.server', '8000'], ['8000/tcp']],
    [['nc', '-l', '-u', '-p', '5000'], ['5000/udp']],
    [['nc', '-lp', '5000'], ['5000/tcp']],
    [['nc', '-p', '5000', 'host', '80'], []],
    [['socat', 'TCP-LISTEN:82,fork,bind=127.0.0.2', '-'], ['127.0.0.2:82/tcp']],
    [['udpsvd', '-v', '0.0.0.0', '53', 'cat'], ['0.0.0.0:53/udp']],
    [['sh', '-c', 'httpd -f -p 83 & sleep 1000'], ['83/tcp']],
    [['sh', '-c', 'while true; do httpd -f -p 83; sleep 1; done'], ['83/tcp']],
    [['sh', '-c', 'exec sleep 1000'], []],
    [['tini', '--', 'sleep', '1000'], []],
    [['mysql', '-h', 'db', '-p', '3306'], []],
    [['app', '-p', 'secret'], ['80/tcp']],
    [['busybox', 'httpd', '-f', '-p', '84'], ['84/tcp']],
    [['curl', 'http://x:8080'], []],
    [[], ['80/tcp']],
  ];
  for (const [command, expected] of cases) {
    it(`of ${command.join(' ') || 'nothing'}`, () => {
      const got = wantedPorts({ command, exposedPorts }).map(
        ({ proto, port: at, address }) => `${address === undefined ? '' : `${address}:`}${at}/${proto}`,
      );
      assert.deepEqual(got, expected);
    });
  }
});
