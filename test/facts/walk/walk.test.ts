/** What the oracle cannot show: the words of a verdict, and what becomes of it when something is not known. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { ChainReading, Readings } from '../../../source/host/readings.ts';
import { hexId, ok as read, socket } from '../build.ts';
import type { Vantage } from '../../../source/facts/walk/walk.ts';
import { ask, lan, walkWorld, type HostOptions } from './host.ts';

const host = '10.77.0.100';
const word = (options: HostOptions, from = lan, address = host, port = 8000) =>
  ask(walkWorld(options), from, address, port).verdict;
const user = (rule: string) => ['filter', 'DOCKER-USER', rule] as const;

const withoutRules: HostOptions['change'] = same => ({ ...same, netfilter: { state: 'failed', reason: 'needs root' } });

const readInPart: HostOptions['change'] = same => ({
  ...same,
  netfilter: { ...same.netfilter, state: 'partial', reason: 'rules of native nftables tables: nft needs root' },
});

const hops = (options: HostOptions, from: Vantage = lan) =>
  ask(walkWorld(options), from, host, 8000).path.map(({ hop, ok, unknown, detail }) => ({
    hop,
    mark: ok ? '+' : unknown ? '?' : '-',
    detail,
  }));

const withRule =
  (from: string): HostOptions['change'] =>
  same => {
    const links = same.links.value!;
    const base = [
      { family: 4 as const, priority: 0, table: 'local', plain: true, text: 'local' },
      { family: 4 as const, priority: 100, table: 'vpn', from, plain: true, text: `from ${from} lookup vpn` },
      { family: 4 as const, priority: 32766, table: 'main', plain: true, text: 'main' },
    ];
    const vpn = {
      family: 4 as const,
      destination: 'default',
      device: 'eth0',
      table: 'vpn',
      type: 'unicast',
      protocol: 'boot',
      flags: [],
    };
    return { ...same, links: { ...same.links, value: { ...links, rules: base, routes: [...links.routes, vpn] } } };
  };

const withoutDocker: HostOptions['change'] = same => ({
  ...same,
  docker: { state: 'failed', reason: 'no answer' },
  sockets: read({ listeners: [socket('127.0.0.1', 8000, { processes: [{ pid: 9, name: 'dockerd' }] })], holding: [] }),
});

const elsewhere: HostOptions['change'] = same => {
  const value = same.docker.value!;
  return { ...same, docker: { ...same.docker, value: { ...value, engine: { ...value.engine, local: false } } } };
};

const chain = (policy: 'accept' | 'drop', rules: ChainReading['rules'] = [], priority = 10): ChainReading => ({
  backend: 'nft',
  family: 'inet',
  table: 'mine',
  name: 'forward',
  hook: 'forward',
  type: 'filter',
  priority,
  policy,
  rules,
});

const vmap = (key: string, entries: { key: string; verdict: string }[]) =>
  chain('accept', [{ number: 1, text: 'vmap', matches: [], target: { kind: 'vmap', key, entries } }]);

/** Takes the local route of docker0's address, or the address with it. */
const ofGateway = (withAddress: boolean): HostOptions['change'] => {
  return same => {
    const links = same.links.value!;
    const routes = links.routes.filter(({ destination }) => destination !== '172.17.0.1/32');
    const bridged = links.links.map(each =>
      each.name === 'docker0' && !withAddress ? { ...each, addresses: [] } : each,
    );
    return { ...same, links: { ...same.links, value: { ...links, links: bridged, routes } } };
  };
};

/** The same host, where Docker does not answer. */
const unasked = (readings: Readings): Readings => ({ ...readings, docker: { state: 'failed', reason: 'refused' } });

/** What is said of the listener that this host meets at its loopback. */
const listenerHop = (options: HostOptions, port: number): string | undefined =>
  ask(walkWorld(options), { kind: 'loopback' }, '127.0.0.1', port).path.find(({ hop }) => hop === 'listener')?.detail;

/** The same host, where containers cannot be looked into for their interfaces. */
const withoutInside = (readings: Readings): Readings => ({
  ...readings,
  inside: Object.fromEntries(
    Object.entries(readings.inside).map(([id, { value, ...rest }]) => [
      id,
      { ...rest, value: { ...value!, interfaces: undefined } },
    ]),
  ),
});

describe('the packet walk', () => {
  test('follows a published port through DNAT, FORWARD and the bridge to the socket', () => {
    const { verdict, path } = ask(walkWorld(), lan, host, 8000);
    assert.equal(verdict, 'reachable');
    assert.deepEqual(
      path.map(({ hop, ok }) => [hop, ok]),
      [
        ['nat PREROUTING', true],
        ['FORWARD', true],
        ['route', true],
        ['bridge docker0', true],
        ['c0', true],
        ['answer', true],
      ],
    );
  });

  test('does not say that nobody has an address which the kernel does not use yet', () => {
    const tentative = ask(walkWorld({ change: ofGateway(true) }), lan, host, 8000);
    assert.equal(tentative.verdict, 'unknown');
    assert.match(tentative.decidedBy?.detail ?? '', /docker0 has 172\.17\.0\.1, but the kernel does not use it/);
    const gone = ask(walkWorld({ change: ofGateway(false) }), lan, host, 8000);
    assert.equal(gone.verdict, 'blocked');
    assert.match(gone.decidedBy?.detail ?? '', /nobody on docker0 has 172\.17\.0\.1/);
  });

  test('names the rule, its place, counter and author', () => {
    const { verdict, decidedBy } = ask(
      walkWorld({ rules: [user('-s 192.0.2.1/32 -j DROP'), user('-i eth0 -p tcp -m tcp --dport 80 -j DROP')] }),
      lan,
      host,
      8000,
    );
    assert.equal(verdict, 'blocked');
    assert.deepEqual(
      {
        kind: decidedBy?.kind,
        family: decidedBy?.family,
        table: decidedBy?.table,
        chain: decidedBy?.chain,
        rule: decidedBy?.rule,
        author: decidedBy?.author,
      },
      { kind: 'rule', family: 'ip', table: 'filter', chain: 'DOCKER-USER', rule: 2, author: 'admin' },
    );
    assert.match(decidedBy?.text ?? '', /--dport 80 -j DROP/);
  });

  test('names the policy when no rule of the chain accepts', () => {
    const { verdict, decidedBy } = ask(walkWorld({ policies: { INPUT: 'DROP' } }), lan, host, 22);
    assert.deepEqual([verdict, decidedBy?.kind, decidedBy?.chain], ['blocked', 'policy', 'INPUT']);
    assert.equal(decidedBy?.author, undefined, 'who set a policy is not to be told: dockerd does it too');
    const native = ask(walkWorld({ native: [chain('drop')] }), lan, host, 8000).decidedBy;
    assert.deepEqual([native?.kind, native?.author], ['policy', 'admin']);
  });

  test('a stateless INPUT stops the answers that docker-proxy waits for', () => {
    const rules = [['filter', 'INPUT', '-i lo -j ACCEPT']] as const;
    const { verdict, decidedBy } = ask(
      walkWorld({ policies: { INPUT: 'DROP' }, rules }),
      { kind: 'loopback' },
      '127.0.0.1',
      8000,
    );
    assert.equal(verdict, 'blocked');
    assert.match(decidedBy?.detail ?? '', /^the answer is stopped: policy drop of ip filter INPUT/);
  });

  test('an answer of which it is not known whether it comes back is not said to be stopped', () => {
    const { verdict, decidedBy } = ask(walkWorld({ change: withoutInside }), lan, host, 8000);
    assert.equal(verdict, 'unknown');
    assert.match(decidedBy?.detail ?? '', /^whether the answer comes back is not known: c0 sends it by eth0/);
  });

  test('says whose a listener of the host is', () => {
    assert.equal(listenerHop({}, 8000), '127.0.0.1:8000 is docker-proxy for c0');
    assert.equal(listenerHop({ change: unasked }, 8000), '127.0.0.1:8000 is docker-proxy');
    assert.equal(listenerHop({}, 22), '127.0.0.1:22 is sshd');
  });

  test('tells a listener on loopback from none', () => {
    assert.equal(word({}, lan, host, 5432), 'local-only');
    assert.equal(word({}, { kind: 'loopback' }, host, 5432), 'nothing-listening', 'to the host itself it is refused');
    assert.equal(word({}, { kind: 'loopback' }, '127.0.0.1', 5432), 'reachable');
    assert.equal(word({}, lan, host, 5433), 'nothing-listening');
  });

  test('a host port in DOCKER-USER never matches, the port that was asked for does', () => {
    assert.equal(word({ rules: [user('-p tcp -m tcp --dport 8000 -j DROP')] }), 'reachable');
    assert.equal(
      word({ rules: [user('-p tcp -m conntrack --ctorigdstport 8000 --ctdir ORIGINAL -j DROP')] }),
      'blocked',
    );
  });

  test('without docker-proxy, dockerd or a stale rule nobody answers on loopback', () => {
    assert.equal(word({ proxies: false }, { kind: 'loopback' }, '127.0.0.1', 8000), 'nothing-listening');
    assert.equal(word({ proxies: false }), 'reachable');
  });

  test('forwarding is asked of the interface that the packet comes by, both ways', () => {
    const on = { forwarding4: true, rpFilter: 0 };
    const off = { forwarding4: false, rpFilter: 0 };
    const way = ask(walkWorld({ kernel: { interfaces: { eth0: off, docker0: on } } }), lan, host, 8000);
    const back = ask(walkWorld({ kernel: { interfaces: { eth0: on, docker0: off } } }), lan, host, 8000);
    assert.match(way.decidedBy?.detail ?? '', /^net\.ipv4\.conf\.eth0\.forwarding is 0/);
    assert.match(back.decidedBy?.detail ?? '', /^the answer is stopped: net\.ipv4\.conf\.docker0\.forwarding is 0/);
    assert.deepEqual([way.verdict, back.verdict], ['blocked', 'blocked']);
  });
});

describe('what is not known', () => {
  const odd = '-m owner --uid-owner 0';

  test('makes a verdict unknown where it could change it, and names the rule', () => {
    const { verdict, decidedBy } = ask(walkWorld({ rules: [user(`${odd} -j DROP`)] }), lan, host, 8000);
    assert.equal(verdict, 'unknown');
    assert.match(decidedBy?.detail ?? '', /--uid-owner 0 -j DROP/);
  });

  test('changes nothing where both ways lead to the same', () => {
    assert.equal(word({ rules: [user(`${odd} -j ACCEPT`)] }), 'reachable');
    assert.equal(word({ rules: [user(`${odd} -j LOG`)] }), 'reachable');
    assert.equal(word({ rules: [user(`${odd} -j DROP`), user('-i eth0 -j DROP')] }), 'blocked');
    assert.equal(word({ rules: [user(`${odd} -j DROP`)] }, { kind: 'loopback' }, '127.0.0.1', 8000), 'reachable');
  });

  test('a rule for one neighbour does not say what becomes of any', () => {
    const rules = [user('-s 10.77.0.5/32 -j DROP')];
    assert.equal(word({ rules }), 'unknown');
    assert.equal(word({ rules }, { kind: 'lan', interface: 'eth0', address: '10.77.0.5' }), 'blocked');
    assert.equal(word({ rules }, { kind: 'address', address: '10.77.0.6' }), 'reachable');
    assert.equal(word({ rules: [user('-s 10.0.0.0/8 -j DROP')] }), 'blocked');
  });

  test('rules that could not be read are no rules that are not there', () => {
    const change = withoutRules;
    const { verdict, decidedBy } = ask(walkWorld({ change }), { kind: 'loopback' }, '127.0.0.1', 22);
    assert.deepEqual([verdict, decidedBy?.detail], ['unknown', 'firewall rules: needs root']);
    // Whatever the rules are, nobody answers where nobody listens.
    assert.notEqual(word({ change }, { kind: 'loopback' }, '127.0.0.1', 23), 'reachable');
  });

  test('no hook is said to be passed where its rules were not read, and no answer to come back', () => {
    const proxied = hops(
      { change: withoutRules, proxies: true, rules: [['filter', 'INPUT', '-j DROP']] },
      { kind: 'loopback' },
    );
    assert.deepEqual(
      proxied.map(({ hop, mark }) => `${mark} ${hop}`),
      ['? OUTPUT', '? INPUT', '+ listener', '+ docker-proxy', '? OUTPUT', '+ bridge docker0', '+ c0', '? answer'],
    );
    for (const { hop, detail } of proxied) if (hop.endsWith('PUT')) assert.equal(detail, 'rules not read (needs root)');
    // Of what was read in part, what was read is told.
    const forward = hops({ change: readInPart }).find(({ hop }) => hop === 'FORWARD');
    assert.equal(forward?.mark, '?');
    assert.match(forward.detail, /^not all rules read \(rules of native .* root\); of those that were, .* accepts it$/);
    assert.equal(hops({}).find(({ hop }) => hop === 'FORWARD')?.mark, '+');
  });

  test('a routing rule that may apply makes it unknown, one for others does not', () => {
    assert.equal(word({ change: withRule('10.77.0.0/24') }), 'unknown');
    assert.equal(
      word({ change: withRule('192.0.2.0/24') }, { kind: 'lan', interface: 'eth0', address: '10.77.0.6' }),
      'reachable',
    );
  });

  test('whoever else is on the LAN is met there, and not by way of this host', () => {
    const { verdict, decidedBy } = ask(walkWorld(), lan, '10.77.0.64', 80);
    assert.equal(verdict, 'unknown');
    assert.equal(
      decidedBy?.detail,
      '10.77.0.64 is on the LAN of eth0 itself: what comes from there does not pass this host',
    );
  });

  test('while Docker says nothing, a port that dockerd holds may lead to nobody', () => {
    const { verdict, decidedBy } = ask(walkWorld({ change: withoutDocker }), { kind: 'loopback' }, '127.0.0.1', 8000);
    assert.equal(verdict, 'unknown');
    assert.match(decidedBy?.detail ?? '', /^for whom dockerd holds port 8000 is not known: .*no answer/);
  });

  test('a daemon on another machine leaves nothing to judge', () => {
    assert.equal(word({ change: elsewhere }), 'unknown');
  });
});

describe('chains beside those of iptables', () => {
  test('a policy of drop at any priority is final; an earlier accept rescues nothing', () => {
    assert.equal(word({ native: [chain('drop')] }), 'blocked');
    assert.equal(word({ native: [chain('drop', [], -300)] }), 'blocked');
    const accepting = chain('accept', [{ number: 1, text: 'accept', matches: [], target: { kind: 'accept' } }], -10);
    assert.equal(word({ native: [accepting], rules: [user('-j DROP')] }), 'blocked');
  });

  test('verdict maps are looked up by their key', () => {
    assert.equal(word({ native: [vmap('oifname', [{ key: 'docker0', verdict: 'drop' }])] }), 'blocked');
    assert.equal(word({ native: [vmap('oifname', [{ key: 'docker1', verdict: 'drop' }])] }), 'reachable');
    assert.equal(word({ native: [vmap('iifname . tcp dport', [{ key: 'eth0 . 80', verdict: 'drop' }])] }), 'blocked');
    assert.equal(word({ native: [vmap('ip dscp', [{ key: 'cs1', verdict: 'drop' }])] }), 'unknown');
  });

  test('marks set earlier are seen later', () => {
    const rules = [
      ['mangle', 'PREROUTING', '-i eth0 -p tcp -m tcp --dport 8000 -j MARK --set-xmark 0x4/0x4'],
      user('-m mark --mark 0x4/0x4 -j DROP'),
    ] as const;
    assert.equal(word({ rules, containers: 2 }), 'blocked');
    assert.equal(word({ rules, containers: 2 }, lan, host, 8001), 'reachable');
  });
});

test('one container reaches another over their bridge, and through the host', () => {
  const from = { kind: 'container', containerId: hexId('c1') } as const;
  const world = walkWorld({ containers: 2 });
  assert.equal(ask(world, from, '172.17.0.3', 80).verdict, 'reachable');
  const closed = walkWorld({ containers: 2, rules: [['filter', 'FORWARD', '-i docker0 -o docker0 -j DROP']] });
  assert.equal(ask(closed, from, '172.17.0.3', 80).verdict, 'blocked');
  const unfiltered = walkWorld({
    containers: 2,
    rules: [['filter', 'FORWARD', '-i docker0 -o docker0 -j DROP']],
    kernel: { bridgeNfCallIptables: false },
  });
  assert.equal(ask(unfiltered, from, '172.17.0.3', 80).verdict, 'reachable');
});

test('in long chains a packet still meets the rules for it in their order', () => {
  const containers = 60;
  const world = walkWorld({ containers });
  for (let index = 0; index < containers; index += 1) {
    const { verdict, path } = ask(world, lan, host, 8000 + index);
    assert.equal(verdict, 'reachable');
    assert.ok(
      path.some(({ hop }) => hop === `c${index}`),
      `port ${8000 + index} does not lead to c${index}`,
    );
  }
  const many = Array.from({ length: 40 }, (_, index) =>
    user(`-p tcp -m conntrack --ctorigdstport ${8000 + index} -j RETURN`),
  );
  const drops = Array.from({ length: 40 }, (_, index) => user(`-p tcp -m tcp --dport ${index + 60} -j DROP`));
  assert.equal(word({ rules: [...many, ...drops] }), 'reachable');
  assert.equal(word({ rules: [...drops, ...many] }), 'blocked');
  assert.equal(word({ rules: [...drops.slice(0, 30), user('-i eth0 -j DROP'), ...drops.slice(30)] }), 'blocked');
  assert.equal(
    word({ rules: [...drops.filter(([, , rule]) => !rule.includes(' 80 ')), user('-i eth0 -j ACCEPT')] }),
    'reachable',
  );
});

const stateless = (rule: string): HostOptions => ({ rules: [['filter', 'FORWARD', rule]] });

describe('the port of a client', () => {
  test('does not count where fewer than one in a thousand is meant, and makes it unknown where more are', () => {
    assert.equal(word(stateless('-p tcp -m tcp --dport 51820 -j DROP')), 'reachable');
    assert.equal(word(stateless('-p tcp -m tcp --dport 50000:50027 -j DROP')), 'reachable');
    assert.equal(word(stateless('-p tcp -m tcp --dport 50000:50500 -j DROP')), 'unknown');
    assert.equal(word(stateless('-p tcp -m tcp --dport 1024:65535 -j DROP')), 'blocked');
    assert.equal(word(stateless('-p tcp -m tcp --dport 1024:32767 -j DROP')), 'reachable');
  });

  test('of the host itself is one of its own range', () => {
    const rules = [['filter', 'INPUT', '-p tcp -m tcp --dport 20000:21000 -j DROP']] as const;
    const from = { kind: 'loopback' } as const;
    assert.equal(word({ rules }, from, '127.0.0.1', 5432), 'reachable');
    const kernel = { localPortRange: [10000, 65535] as [number, number] };
    assert.equal(word({ rules, kernel }, from, '127.0.0.1', 5432), 'unknown');
    assert.equal(word({ rules, kernel: { localPortRange: [20000, 20500] } }, from, '127.0.0.1', 5432), 'blocked');
  });
});

test('what IPVS takes is not followed', () => {
  const kernel = { ipvs: [{ kind: 'port' as const, proto: 'tcp' as const, address: host, port: 22 }] };
  const { verdict, decidedBy } = ask(walkWorld({ kernel }), lan, host, 22);
  assert.deepEqual(
    [verdict, decidedBy?.detail],
    ['unknown', `IPVS has a service on ${host}:22, which is not followed`],
  );
  assert.equal(word({ kernel }, lan, host, 8000), 'reachable');
  assert.equal(word({ kernel: { ipvs: [{ kind: 'mark' }] } }, lan, host, 22), 'reachable');
});

test('127.0.0.1 is taken from the wire where the setting of the interface or the one for all says so', () => {
  const on = { forwarding4: true, rpFilter: 0, routeLocalnet: true };
  assert.equal(word({}, lan, '127.0.0.1', 5432), 'local-only');
  assert.equal(word({ kernel: { interfaces: { eth0: on } } }, lan, '127.0.0.1', 5432), 'reachable');
  assert.equal(word({ kernel: { routeLocalnetAll: true } }, lan, '127.0.0.1', 5432), 'reachable');
});
