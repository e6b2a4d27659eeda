/** A hand-made host with a bit of everything, for the tests of present/ and ui/. It is data, not a claim about Docker. */
import { reachability } from '../../source/facts/reachability.ts';
import type {
  Container,
  Endpoint,
  Finding,
  Link,
  Listener,
  NetdashEvent,
  Network,
  PortChange,
  Rule,
  Snapshot,
} from '../../source/facts/schema.ts';

export const sampleNow = Date.parse('2026-11-21T09:41:30.000Z');

/** ISO time so many seconds before the sample was taken. */
export const before = (seconds: number): string => new Date(sampleNow - seconds * 1000).toISOString();

/** A 64-digit id that is readable in tests. */
export const id = (digit: string): string => digit.repeat(64).slice(0, 64);

function container(digit: string, name: string, rest: Partial<Container> = {}): Container {
  return {
    id: id(digit),
    name,
    image: 'busybox:latest',
    state: 'running',
    pid: 4000 + parseInt(digit, 16),
    restartCount: 0,
    startedAt: before(4 * 3600),
    hostname: digit.repeat(12),
    dns: [],
    command: 'httpd -f -p 80',
    networkMode: 'bridge',
    endpoints: [],
    requestedPorts: [],
    publishedPorts: [],
    exposedPorts: [],
    listeners: [],
    processes: [],
    ...rest,
  };
}

function endpoint(network: string, last: number, veth: string, rest: Partial<Endpoint> = {}): Endpoint {
  const onBridge = network === 'bridge';
  return {
    network,
    driver: 'bridge',
    aliases: onBridge ? [] : ['api'],
    links: [],
    ipv4: onBridge ? `172.17.0.${last}` : `172.18.0.${last}`,
    mac: `02:42:ac:11:00:${String(last).padStart(2, '0')}`,
    gateway: onBridge ? '172.17.0.1' : '172.18.0.1',
    interface: 'eth0',
    veth,
    bridge: onBridge ? 'docker0' : 'br-5c1d0f6e2a91',
    ...rest,
  };
}

function listener(port: number, owner: Partial<Listener['owner']>, rest: Partial<Listener> = {}): Listener {
  return {
    proto: 'tcp',
    address: '0.0.0.0',
    port,
    pid: 5000 + (port % 1000),
    process: 'docker-proxy',
    owner: { kind: 'container', via: 'docker-proxy', ...owner },
    ...rest,
  };
}

const httpd = (digit: string, port = 80, address = '0.0.0.0'): Listener => ({
  proto: 'tcp',
  address,
  port,
  pid: 4000 + parseInt(digit, 16),
  process: 'httpd',
  owner: { kind: 'container', containerId: id(digit), via: 'own' },
});

const both = (hostPort: number, containerPort: number, ephemeral = false): Container['publishedPorts'] => [
  { proto: 'tcp', hostIp: '0.0.0.0', hostPort, containerPort, ephemeral },
  { proto: 'tcp', hostIp: '::', hostPort, containerPort, ephemeral },
];

const asked = (hostPort: number | null, containerPort = 80, hostIp = ''): Container['requestedPorts'] => [
  { proto: 'tcp', hostIp, hostPort, containerPort },
];

const containers: Container[] = [
  container('a', 'web', {
    image: 'nginx:1.27-alpine',
    requestedPorts: asked(8080),
    publishedPorts: both(8080, 80),
    exposedPorts: [{ proto: 'tcp', port: 80 }],
    endpoints: [endpoint('bridge', 2, 'vethc36a0f1')],
    listeners: [httpd('a')],
    processes: [
      { pid: 4010, ppid: 3990, name: 'nginx', command: 'nginx: master process nginx -g daemon off;', uid: 0 },
      { pid: 4052, ppid: 4010, name: 'nginx', command: 'nginx: worker process', uid: 101 },
    ],
    netns: 4026532290,
    dns: ['1.1.1.1'],
  }),
  container('b', 'myapp2', {
    requestedPorts: asked(null),
    publishedPorts: both(32769, 80, true),
    startedAt: before(121),
    endpoints: [endpoint('bridge', 3, 'veth71d2e90')],
    listeners: [httpd('b')],
    restartCount: 1,
  }),
  container('c', 'web1', { networkMode: 'host', exposedPorts: [{ proto: 'tcp', port: 80 }], listeners: [httpd('c')] }),
  container('d', 'web2', {
    networkMode: 'host',
    state: 'exited',
    exitCode: 1,
    pid: 0,
    startedAt: before(64),
    finishedAt: before(63),
    requestedPorts: [],
    exposedPorts: [{ proto: 'tcp', port: 80 }],
  }),
  container('e', 'clash', {
    state: 'created',
    exitCode: 128,
    pid: 0,
    startedAt: undefined,
    error:
      'failed to set up container networking: driver failed programming external connectivity on endpoint clash: Bind for 0.0.0.0:8080 failed: port is already allocated',
    requestedPorts: asked(8080),
  }),
  container('1', 'shop-api-1', {
    image: 'shop/api:2.4.1',
    networkMode: 'user-bridge',
    composeProject: 'shop',
    composeService: 'api',
    requestedPorts: [...asked(3000, 3000), { proto: 'udp', hostIp: '127.0.0.1', hostPort: 5353, containerPort: 53 }],
    publishedPorts: [
      ...both(3000, 3000),
      { proto: 'udp', hostIp: '127.0.0.1', hostPort: 5353, containerPort: 53, ephemeral: false },
    ],
    endpoints: [endpoint('shop_default', 2, 'veth0b44c1e')],
    listeners: [
      httpd('1', 3000),
      {
        proto: 'udp',
        address: '127.0.0.11',
        port: 41233,
        pid: null,
        process: 'dockerd',
        owner: { kind: 'docker' },
        embeddedDns: true,
      },
    ],
    health: 'healthy',
  }),
  container('2', 'shop-db-1', {
    image: 'postgres:17',
    networkMode: 'user-bridge',
    composeProject: 'shop',
    composeService: 'db',
    endpoints: [endpoint('shop_default', 3, 'veth9e02d77', { aliases: ['db'] })],
    exposedPorts: [{ proto: 'tcp', port: 5432 }],
    listeners: [httpd('2', 5432)],
    health: 'unhealthy',
  }),
  container('3', 'shared', {
    networkMode: 'container',
    sharesNetnsWith: { id: id('a'), name: 'web' },
    listeners: [httpd('a')],
  }),
  container('4', 'sidecar', {
    networkMode: 'container',
    sharesNetnsWith: { id: id('9') },
    listeners: null,
    unknown: { listeners: 'needs root' },
  }),
  container('5', 'nonet', { networkMode: 'none', listeners: [] }),
  container('6', 'crashloop', {
    state: 'restarting',
    exitCode: 2,
    pid: 0,
    restartCount: 17,
    requestedPorts: asked(9001),
  }),
  container('7', 'batch', { state: 'exited', exitCode: 0, pid: 0, finishedAt: before(5400) }),
  container('8', 'frozen', {
    state: 'paused',
    requestedPorts: asked(9090),
    publishedPorts: both(9090, 80),
    endpoints: [endpoint('bridge', 4, 'veth5a90e3b')],
    listeners: null,
    unknown: { listeners: 'needs root' },
  }),
  container('f', 'lan-probe', {
    networkMode: 'macvlan',
    endpoints: [
      {
        network: 'lan',
        driver: 'macvlan',
        aliases: [],
        links: [],
        ipv4: '192.0.2.50',
        mac: '02:42:c0:00:02:32',
        parent: 'eth0',
        interface: 'eth0',
      },
    ],
    listeners: [],
  }),
  container('0', '資料庫\u{1B}[31m\u{202E}', { networkMode: 'none', listeners: [] }),
];

const changes: PortChange[] = [
  {
    at: before(120),
    containerId: id('b'),
    containerName: 'myapp2',
    proto: 'tcp',
    containerPort: 80,
    from: [
      { hostIp: '0.0.0.0', hostPort: 32768 },
      { hostIp: '::', hostPort: 32768 },
    ],
    to: [
      { hostIp: '0.0.0.0', hostPort: 32769 },
      { hostIp: '::', hostPort: 32769 },
    ],
    cause: 'restart',
  },
];

function finding(
  code: string,
  severity: Finding['severity'],
  name: string,
  message: string,
  rest: Partial<Finding> = {},
): Finding {
  return {
    id: `${code}:${name}`,
    code,
    severity,
    subject: { kind: 'container', name },
    message: rest.subject?.kind === 'rule' ? message : `${name} ${message}`,
    evidence: [],
    containerIds: [],
    ports: [],
    since: before(63),
    ...rest,
  };
}

const findings: Finding[] = [
  finding('port-conflict-failed', 'error', 'clash', 'did not start: 0.0.0.0:8080/tcp is held by web', {
    subject: { kind: 'container', id: id('e'), name: 'clash' },
    containerIds: [id('e'), id('a')],
    ports: [{ proto: 'tcp', address: '0.0.0.0', port: 8080 }],
    evidence: [
      { source: 'docker inspect clash', text: 'State.Error: Bind for 0.0.0.0:8080 failed: port is already allocated' },
      { source: 'ss', text: 'LISTEN 0.0.0.0:8080 docker-proxy pid 5080, which serves web' },
    ],
    fix: 'Publish another host port for clash, or stop web.',
    confirm: 'docker inspect -f {{.State.Error}} clash; ss -Htlnp sport = :8080',
  }),
  finding('port-conflict-host-mode', 'error', 'web2', "exited: web1's httpd (pid 4012) holds 0.0.0.0:80", {
    subject: { kind: 'container', id: id('d'), name: 'web2' },
    containerIds: [id('d'), id('c')],
    ports: [{ proto: 'tcp', address: '0.0.0.0', port: 80 }],
  }),
  finding('stranded-netns', 'error', 'sidecar', 'shares the netns of a container that is gone', {
    containerIds: [id('4')],
    since: before(900),
  }),
  finding('nothing-listening', 'warning', 'frozen', '9090/tcp is published, but the container is paused', {
    containerIds: [id('8')],
    ports: [{ proto: 'tcp', address: '0.0.0.0', port: 9090 }],
    since: before(300),
  }),
  finding('orphan-rule', 'warning', 'DNAT 8099', 'nat DOCKER leads port 8099 to 172.17.0.77, which nobody has', {
    subject: { kind: 'rule', name: 'DNAT 8099' },
    since: before(86_400 * 3),
    stale: true,
  }),
  finding('port-moved', 'info', 'myapp2', '80/tcp moved from 32768 to 32769 (restart)', { containerIds: [id('b')] }),
];

function link(veth: string, ifindex: number, name: string, digit: string, rest: Partial<Link> = {}): Link {
  return {
    veth,
    ifindex,
    bridge: 'docker0',
    network: 'bridge',
    containerId: id(digit),
    containerName: name,
    containerInterface: 'eth0',
    containerIfindex: 2,
    mac: '02:42:ac:11:00:02',
    up: true,
    mtu: 1500,
    hairpin: false,
    ...rest,
  };
}

const network = (name: string, digit: string, rest: Partial<Network> = {}): Network => ({
  id: id(digit),
  name,
  driver: 'bridge',
  scope: 'local',
  internal: false,
  ingress: false,
  attachable: false,
  ipv4: true,
  ipv6: false,
  icc: true,
  masquerade: true,
  subnets: [],
  members: [],
  options: {},
  ...rest,
});

let ruleNumber = 0;
const rule = (chain: string, text: string, action: string, rest: Partial<Rule> = {}): Rule => ({
  backend: 'iptables-nft',
  family: 'ip',
  table: 'nat',
  chain,
  number: (ruleNumber += 1),
  text,
  packets: 1234,
  bytes: 99_000,
  action,
  author: 'docker',
  containerIds: [],
  networkIds: [],
  ...rest,
});

/** The sample host. Every call gives a new object; `overrides` replaces parts of it. */
export function sampleSnapshot(overrides: Partial<Snapshot> = {}): Snapshot {
  ruleNumber = 0;
  return {
    schema: 'netdash/1',
    takenAt: new Date(sampleNow).toISOString(),
    sources: {
      docker: { state: 'ok', ageMs: 300 },
      links: { state: 'ok', ageMs: 300 },
      sockets: { state: 'partial', reason: 'owners of 2 sockets need root', ageMs: 900 },
      netfilter: { state: 'failed', reason: 'needs root', ageMs: null },
      kernel: { state: 'ok', ageMs: 4000 },
      processes: { state: 'ok', ageMs: 300 },
      vitals: { state: 'ok', ageMs: 20_000 },
    },
    host: {
      name: 'edge-1',
      kind: 'live',
      root: true,
      dockerEndpoint: 'unix:///var/run/docker.sock',
      docker: {
        id: 'x',
        name: 'edge-1',
        version: '28.5.2',
        apiVersion: '1.51',
        rootless: false,
        swarm: { active: false, manager: false },
        local: true,
      },
      firewallBackend: 'iptables',
      ipForward: { v4: true, v6: false },
      forwardPolicy: { v4: 'drop', v6: null },
      containersRunning: 11,
      containersTotal: 15,
      unknown: { forwardPolicy: 'needs root' },
    },
    containers,
    networks: [
      network('bridge', 'a', {
        bridge: 'docker0',
        subnets: [{ subnet: '172.17.0.0/16', gateway: '172.17.0.1', used: 3, size: 65_533 }],
        members: [
          { containerId: id('a'), containerName: 'web', running: true, ipv4: '172.17.0.2' },
          { containerId: id('b'), containerName: 'myapp2', running: true, ipv4: '172.17.0.3' },
          { containerId: id('8'), containerName: 'frozen', running: true, ipv4: '172.17.0.4' },
          { containerId: id('7'), containerName: 'batch', running: false },
        ],
        options: { 'com.docker.network.bridge.name': 'docker0' },
      }),
      network('shop_default', 'b', {
        bridge: 'br-5c1d0f6e2a91',
        ipv6: true,
        icc: false,
        subnets: [
          { subnet: '172.18.0.0/16', gateway: '172.18.0.1', used: 2, size: 65_533 },
          { subnet: 'fd00:5::/64', gateway: 'fd00:5::1', used: 2, size: null },
        ],
        members: [
          { containerId: id('1'), containerName: 'shop-api-1', running: true, ipv4: '172.18.0.2' },
          { containerId: id('2'), containerName: 'shop-db-1', running: true, ipv4: '172.18.0.3' },
        ],
        composeProject: 'shop',
      }),
      network('backend', 'c', {
        internal: true,
        bridge: 'br-backend',
        subnets: [{ subnet: '172.19.0.0/16', used: 0, size: 65_534 }],
      }),
      network('lan', 'd', {
        driver: 'macvlan',
        parent: 'eth0',
        subnets: [{ subnet: '192.0.2.0/24', gateway: '192.0.2.1', used: 1, size: 253 }],
        members: [{ containerId: id('f'), containerName: 'lan-probe', running: true, ipv4: '192.0.2.50' }],
      }),
      network('host', 'e', { driver: 'host' }),
      network('none', 'f', { driver: 'null' }),
    ],
    interfaces: [
      {
        name: 'lo',
        ifindex: 1,
        kind: 'loopback',
        mtu: 65_536,
        up: true,
        operstate: 'UNKNOWN',
        addresses: [{ family: 4, address: '127.0.0.1', prefixLength: 8 }],
      },
      {
        name: 'eth0',
        ifindex: 2,
        kind: 'physical',
        mac: '52:54:00:12:34:56',
        mtu: 1500,
        up: true,
        operstate: 'UP',
        addresses: [
          { family: 4, address: '203.0.113.20', prefixLength: 24 },
          { family: 6, address: '2001:db8::20', prefixLength: 64 },
        ],
        speedMbit: 1000,
      },
      {
        name: 'docker0',
        ifindex: 3,
        kind: 'bridge',
        mac: '02:42:5e:11:22:33',
        mtu: 1500,
        up: true,
        operstate: 'UP',
        addresses: [{ family: 4, address: '172.17.0.1', prefixLength: 16 }],
        networkId: id('a'),
      },
    ],
    links: [
      link('vethc36a0f1', 12, 'web', 'a'),
      link('veth71d2e90', 14, 'myapp2', 'b'),
      link('veth5a90e3b', 16, 'frozen', '8'),
      link('veth0b44c1e', 18, 'shop-api-1', '1', { bridge: 'br-5c1d0f6e2a91', network: 'shop_default' }),
      link('veth9e02d77', 20, 'shop-db-1', '2', { bridge: 'br-5c1d0f6e2a91', network: 'shop_default' }),
      link('veth0rphan', 22, 'x', '0', {
        containerId: undefined,
        containerName: undefined,
        containerInterface: undefined,
        containerIfindex: undefined,
        up: false,
      }),
    ],
    listeners: [
      listener(22, { kind: 'process', via: undefined }, { process: 'sshd', pid: 812, unit: 'ssh.service' }),
      listener(
        22,
        { kind: 'process', via: undefined },
        { process: 'sshd', pid: 812, unit: 'ssh.service', address: '::', v6only: true },
      ),
      listener(
        53,
        { kind: 'process', via: undefined },
        { process: 'systemd-resolve', pid: 640, unit: 'systemd-resolved.service', proto: 'udp', address: '127.0.0.53' },
      ),
      listener(80, { containerId: id('c'), containerName: 'web1', via: 'own' }, { process: 'httpd', pid: 4012 }),
      listener(
        2377,
        { kind: 'docker', via: undefined },
        { process: 'dockerd', pid: 900, address: '::', v6only: false },
      ),
      listener(
        3000,
        { containerId: id('1'), containerName: 'shop-api-1' },
        { target: { address: '172.18.0.2', port: 3000 } },
      ),
      listener(3000, { containerId: id('1'), containerName: 'shop-api-1' }, { address: '::', v6only: true }),
      listener(
        4789,
        { kind: 'unknown', via: undefined, reason: 'held by the kernel' },
        { proto: 'udp', pid: null, process: null },
      ),
      listener(
        5353,
        { containerId: id('1'), containerName: 'shop-api-1' },
        { proto: 'udp', address: '127.0.0.1', target: { address: '172.18.0.2', port: 53 } },
      ),
      listener(
        8080,
        { containerId: id('a'), containerName: 'web' },
        { target: { containerId: id('a'), address: '172.17.0.2', port: 80 } },
      ),
      listener(
        8080,
        { containerId: id('a'), containerName: 'web' },
        { address: '::', v6only: true, target: { containerId: id('a'), address: '172.17.0.2', port: 80 } },
      ),
      listener(9090, { containerId: id('8'), containerName: 'frozen' }),
      listener(
        32769,
        { containerId: id('b'), containerName: 'myapp2' },
        { target: { containerId: id('b'), address: '172.17.0.3', port: 80 } },
      ),
      listener(32769, { containerId: id('b'), containerName: 'myapp2' }, { address: '::', v6only: true }),
    ],
    services: [],
    rules: [
      rule('FORWARD', 'policy drop', 'drop', { table: 'filter', number: 0, hook: 'forward', packets: 3, bytes: 180 }),
      rule('DOCKER-USER', '-A DOCKER-USER -s 198.51.100.0/24 -j DROP', 'drop', {
        table: 'filter',
        author: 'admin',
        packets: 0,
        bytes: 0,
      }),
      rule('PREROUTING', '-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER', 'jump DOCKER', { hook: 'prerouting' }),
      rule(
        'DOCKER',
        '-A DOCKER ! -i docker0 -p tcp -m tcp --dport 8080 -j DNAT --to-destination 172.17.0.2:80',
        'dnat 172.17.0.2:80',
        { containerIds: [id('a')], networkIds: [id('a')] },
      ),
      rule(
        'DOCKER',
        '-A DOCKER ! -i docker0 -p tcp -m tcp --dport 32769 -j DNAT --to-destination 172.17.0.3:80',
        'dnat 172.17.0.3:80',
        { containerIds: [id('b')] },
      ),
      rule('POSTROUTING', '-A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE', 'masquerade', {
        hook: 'postrouting',
        networkIds: [id('a')],
      }),
    ],
    traffic: {
      vethc36a0f1: {
        rxBytes: 8e9,
        txBytes: 1.2e9,
        rxDropped: 0,
        txDropped: 0,
        rxBytesPerSecond: 1_240_000,
        txBytesPerSecond: 83_000,
      },
      veth71d2e90: {
        rxBytes: 3e6,
        txBytes: 2e6,
        rxDropped: 0,
        txDropped: 4,
        rxBytesPerSecond: 940,
        txBytesPerSecond: 120,
      },
      veth0b44c1e: { rxBytes: 3e6, txBytes: 2e6, rxDropped: 0, txDropped: 0, rxBytesPerSecond: 0, txBytesPerSecond: 0 },
      veth9e02d77: { rxBytes: 3e6, txBytes: 2e6, rxDropped: 0, txDropped: 0 },
      eth0: {
        rxBytes: 9e10,
        txBytes: 4e10,
        rxDropped: 12,
        txDropped: 0,
        rxBytesPerSecond: 1_400_000,
        txBytesPerSecond: 260_000,
      },
    },
    portChanges: changes,
    findings,
    ...overrides,
  };
}

/** What happened on the sample host, newest first. */
export const sampleEvents: readonly NetdashEvent[] = [
  {
    at: before(60),
    type: 'finding-raised',
    text: "web2 exited: web1's httpd (pid 4012) holds 0.0.0.0:80",
    containerId: id('d'),
    containerName: 'web2',
    severity: 'error',
    finding: findings[1],
  },
  { at: before(63), type: 'container-died', text: 'exited with 1', containerId: id('d'), containerName: 'web2' },
  {
    at: before(120),
    type: 'port-changed',
    text: '80/tcp 32768 → 32769',
    containerId: id('b'),
    containerName: 'myapp2',
    portChange: changes[0],
  },
  { at: before(121), type: 'container-started', text: 'started', containerId: id('b'), containerName: 'myapp2' },
  { at: before(900), type: 'rules-changed', text: '3 rules added, 1 removed' },
  { at: before(1000), type: 'source-recovered', text: 'docker answers again' },
  {
    at: before(86_400),
    type: 'finding-cleared',
    text: 'port-conflict-pending on web: 8080/tcp is free',
    containerId: id('a'),
    containerName: 'web',
    severity: 'warning',
  },
];

/** A host without Docker, read without rights. */
export function poorSnapshot(): Snapshot {
  return sampleSnapshot({
    sources: {
      docker: { state: 'failed', reason: 'nobody listens on unix:///var/run/docker.sock', ageMs: null },
      links: { state: 'ok', ageMs: 300 },
      sockets: { state: 'failed', reason: 'ss is not installed and /proc/net is not readable', ageMs: null },
      netfilter: { state: 'failed', reason: 'needs root', ageMs: null },
    },
    host: {
      name: 'laptop',
      kind: 'live',
      root: false,
      dockerEndpoint: 'unix:///var/run/docker.sock',
      docker: null,
      firewallBackend: null,
      ipForward: { v4: null, v6: null },
      forwardPolicy: { v4: null, v6: null },
      containersRunning: null,
      containersTotal: null,
    },
    containers: [],
    networks: [],
    links: [],
    listeners: null,
    services: [],
    rules: null,
    portChanges: [],
    findings: [],
  });
}

/** Verdicts without anything read: all of them unknown. */
export const unreadReach = reachability(
  {
    docker: { state: 'pending' },
    links: { state: 'pending' },
    sockets: { state: 'pending' },
    netfilter: { state: 'pending' },
    kernel: { state: 'pending' },
    processes: { state: 'pending' },
    vitals: { state: 'pending' },
    inside: {},
  },
  sampleSnapshot(),
);
