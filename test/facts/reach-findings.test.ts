/** The findings that rest on the packet walk. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseSave } from '../../source/host/netfilter/xtables.ts';
import type { ChainReading, EngineReading } from '../../source/host/readings.ts';
import type { Finding } from '../../source/facts/schema.ts';
import { hexId, network, now, ok, port as binding, socket } from './build.ts';
import { judging } from './judging.ts';
import { route, walkReadings, type HostOptions } from './walk/host.ts';

const codes = new Set([
  'blocked',
  'foreign-forward-drop',
  'docker-user-never-matches',
  'docker-rules-missing',
  'loopback-exposed',
  'unpublished-exposed',
]);

const found = (options: HostOptions): Finding[] => judging(walkReadings(options)).filter(({ code }) => codes.has(code));
const brief = (options: HostOptions): string[] => found(options).map(({ code, subject }) => `${code} ${subject.name}`);
const user = (rule: string) => ['filter', 'DOCKER-USER', rule] as const;

const forwardDrop: ChainReading = {
  backend: 'nft',
  family: 'inet',
  table: 'hardening',
  name: 'forward',
  hook: 'forward',
  type: 'filter',
  priority: 0,
  policy: 'drop',
  rules: [],
};

/** Publishes on 127.0.0.1 in place of every address, with Docker's rule for that. */
const onLoopback =
  (isDropped: boolean): HostOptions['change'] =>
  same => {
    const docker = same.docker.value!;
    const chains = same.netfilter.value!.chains.map(chain => {
      if (chain.table === 'raw' && chain.name === 'PREROUTING') {
        const drop = {
          number: 1,
          text: '-A PREROUTING -d 127.0.0.1/32 ! -i lo -j DROP',
          matches: [
            { kind: 'daddr' as const, negate: false, addresses: ['127.0.0.1/32'] },
            { kind: 'iif' as const, negate: true, names: ['lo'] },
          ],
          target: { kind: 'drop' as const },
        };
        return { ...chain, rules: isDropped ? [drop, ...chain.rules] : chain.rules };
      }
      return chain;
    });
    return {
      ...same,
      docker: {
        ...same.docker,
        value: {
          ...docker,
          containers: docker.containers.map(each => ({
            ...each,
            publishedPorts: each.publishedPorts.map(port => ({ ...port, hostIp: '127.0.0.1' })),
          })),
        },
      },
      netfilter: { ...same.netfilter, value: { ...same.netfilter.value!, chains } },
    };
  };

const without =
  (isLost: (chain: ChainReading) => boolean, keepChains = true): HostOptions['change'] =>
  same => {
    const { chains } = same.netfilter.value!;
    const left = chains.map(chain => (isLost(chain) ? { ...chain, rules: [] } : chain));
    const value = {
      ...same.netfilter.value!,
      chains: keepChains ? left : left.filter(({ name }) => !name.startsWith('DOCKER')),
    };
    return { ...same, netfilter: { ...same.netfilter, value } };
  };

const missing = (options: HostOptions) =>
  found(options)
    .filter(({ code }) => code === 'docker-rules-missing')
    .map(({ message }) => message.split(',')[0]);

const address = (text: string) => ({ family: 6 as const, address: text, prefixLength: 64, scope: 'global' });

const route6 = (...of: Parameters<typeof route>) => ({ ...route(...of), family: 6 as const });

/** c0 has IPv6 on a network with this gateway mode, listens there on 80 and 9000, and publishes 80 so. */
const onSix =
  (mode: string, published: string, rules = ''): HostOptions['change'] =>
  same => {
    const docker = same.docker.value!;
    const links = same.links.value!;
    const own: Record<string, string> = { eth0: 'fd00:77::100', docker0: 'fd00:17::1' };
    const name = 'com.docker.network.bridge.gateway_mode_ipv6';
    const kernel = same.kernel.value!;
    return {
      ...same,
      docker: ok({
        ...docker,
        networks: docker.networks.map(each =>
          each.name === 'bridge' ? network('bridge', { ipv6: true, options: { ...each.options, [name]: mode } }) : each,
        ),
        containers: docker.containers.map(each => ({
          ...each,
          endpoints: each.endpoints.map(one => ({ ...one, ipv6: 'fd00:17::2', ipv6PrefixLength: 64 })),
          requestedPorts: [binding('8121', 80)],
          publishedPorts: [binding(published, 80, { hostIp: '::' })],
        })),
      }),
      links: ok({
        ...links,
        links: links.links.map(each =>
          own[each.name] === undefined ? each : { ...each, addresses: [...each.addresses, address(own[each.name]!)] },
        ),
        routes: [
          ...links.routes,
          route6('fd00:77::100/128', 'eth0', 'local', 'local'),
          route6('fd00:17::1/128', 'docker0', 'local', 'local'),
          route6('fd00:77::/64', 'eth0'),
          route6('fd00:17::/64', 'docker0'),
        ],
      }),
      netfilter: ok({
        ...same.netfilter.value!,
        chains: [...same.netfilter.value!.chains, ...parseSave(rules, 'ip6').chains],
      }),
      kernel: ok({
        ...kernel,
        interfaces: Object.fromEntries(
          Object.entries(kernel.interfaces).map(([of, each]) => [of, { ...each, forwarding6: true }]),
        ),
      }),
      inside: Object.fromEntries(
        Object.entries(same.inside).map(([id, { value }]) => [
          id,
          ok({
            ...value!,
            interfaces: value!.interfaces!.map(each =>
              each.name === 'eth0' ? { ...each, addresses: [...each.addresses, address('fd00:17::2')] } : each,
            ),
            listeners: [socket('::', 80, { v6only: true }), socket('::', 9000, { v6only: true })],
            routes: [
              ...value!.routes!,
              route6('fd00:17::/64', 'eth0'),
              { ...route6('default', 'eth0'), gateway: 'fd00:17::1' },
            ],
          }),
        ]),
      ),
    };
  };

const forward6 = (...rules: string[]): string =>
  ['*filter', ':FORWARD DROP [0:0]', ':DOCKER - [0:0]', ...rules, 'COMMIT', ''].join('\n');

/** `docker-rules-missing` after a flush, with a daemon that says this. */
const flushed = (told: Partial<EngineReading>, proxies = true) =>
  found({
    proxies,
    policies: { FORWARD: 'ACCEPT' },
    change: same => {
      const gone = without(() => true)?.(same) ?? same;
      const docker = gone.docker.value!;
      const engine = { ...docker.engine, ...told };
      return { ...gone, docker: { ...gone.docker, value: { ...docker, engine } } };
    },
  }).filter(({ code }) => code === 'docker-rules-missing');

const exposed = (mode: string, published: string, rules?: string) =>
  found({ change: onSix(mode, published, rules) })
    .filter(({ code }) => code === 'unpublished-exposed')
    .map(({ message, ports, fix }) => ({ message, ports: ports.map(each => each.port), fix }));

describe('findings of the walk', () => {
  test('a host as Docker makes it has none', () => {
    assert.deepEqual(brief({ containers: 3 }), []);
  });

  test('blocked names the container, the port, the rule and who wrote it', () => {
    const [finding, more] = found({ containers: 2, rules: [user('-p tcp -m conntrack --ctorigdstport 8001 -j DROP')] });
    assert.equal(more, undefined);
    assert.equal(finding?.code, 'blocked');
    assert.deepEqual(finding.subject, { kind: 'container', id: hexId('c1'), name: 'c1' });
    assert.deepEqual(finding.ports, [{ proto: 'tcp', address: '0.0.0.0', port: 8001 }]);
    assert.match(finding.message, /DOCKER-USER rule 1: .*--ctorigdstport 8001 -j DROP \(written by admin\)/);
    assert.equal(finding.confirm, 'iptables -t filter -nvL DOCKER-USER --line-numbers');
  });

  test('a forwarding setting blocks, an unknown match does not', () => {
    const off = { forwarding4: false, rpFilter: 0 };
    const on = { forwarding4: true, rpFilter: 0 };
    assert.deepEqual(brief({ kernel: { interfaces: { eth0: off, docker0: on } } }), ['blocked c0']);
    assert.deepEqual(brief({ rules: [user('-m owner --uid-owner 0 -j DROP')] }), []);
  });

  test('what was found stays, marked stale, while a source is lost or the rules are read in part', () => {
    const hosts: HostOptions[] = [
      { rules: [user('-i eth0 -j DROP')] },
      { native: [forwardDrop] },
      { rules: [user('-p tcp -m tcp --dport 8000 -j DROP')] },
      { change: onLoopback(false) },
      { change: without(({ table }) => table === 'nat') },
    ];
    for (const options of hosts) {
      const whole = walkReadings(options);
      const previous = judging(whole).filter(({ code }) => codes.has(code));
      assert.ok(previous.length > 0);
      for (const state of ['failed', 'partial'] as const) {
        const less = { ...whole, netfilter: { ...whole.netfilter, state, reason: 'lost' } };
        const after = judging(less, { previous }).filter(({ code }) => codes.has(code));
        assert.deepEqual(
          after.map(({ id }) => id),
          previous.map(({ id }) => id),
        );
        if (state === 'failed') assert.ok(after.every(({ stale }) => stale === true));
      }
    }
  });

  test('a forward chain of another table that drops is named once for all its victims', () => {
    const all = found({ containers: 2, native: [forwardDrop] });
    const foreign = all.filter(({ code }) => code === 'foreign-forward-drop');
    assert.deepEqual(
      foreign.map(({ subject, containerIds }) => [subject.name, containerIds.length]),
      [['inet hardening forward', 2]],
    );
    assert.deepEqual(brief({ native: [{ ...forwardDrop, policy: 'accept' }] }), []);
    assert.deepEqual(brief({ rules: [user('-i eth0 -j DROP')] }), ['blocked c0']);
  });

  test('a rule for a host port in DOCKER-USER never matches, one for the port that was dialled does', () => {
    assert.deepEqual(brief({ rules: [user('-p tcp -m tcp --dport 8000 -j DROP')] }), [
      'docker-user-never-matches DOCKER-USER rule 1',
    ]);
    assert.deepEqual(brief({ rules: [user('-s 192.0.2.1/32 -p tcp -m tcp --dport 80 -j DROP')] }), []);
    assert.deepEqual(brief({ rules: [user('-s 192.0.2.1/32 -p tcp -m conntrack --ctorigdstport 8000 -j DROP')] }), []);
  });

  test('a rule behind an unconditional RETURN never matches', () => {
    const rules = [
      user('-s 192.0.2.0/24 -j DROP'),
      user('-j RETURN'),
      user('-s 198.51.100.0/24 -j DROP'),
      user('-j RETURN'),
    ];
    assert.deepEqual(brief({ rules }), ['docker-user-never-matches DOCKER-USER rule 3']);
  });

  test('Docker’s rules are missed when they are gone, and not in a host that never had any', () => {
    assert.deepEqual(missing({ change: without(({ table }) => table === 'filter') }), [
      "nothing of FORWARD leads to Docker's rules",
    ]);
    assert.deepEqual(missing({ change: without(({ table }) => table === 'nat') }), [
      'no DNAT rule leads to 1 of 1 published ports',
    ]);
    assert.deepEqual(missing({ change: without(() => true, false) }), []);
    assert.deepEqual(missing({}), []);
    // It has just started: the rules may be older than it.
    const young: HostOptions['change'] = same => {
      const gone = without(({ table }) => table === 'nat')?.(same) ?? same;
      const docker = gone.docker.value!;
      const containers = docker.containers.map(each => ({ ...each, startedAt: now - 5000 }));
      return { ...gone, docker: { ...gone.docker, value: { ...docker, containers } } };
    };
    assert.deepEqual(missing({ change: young }), []);
  });

  test('a daemon that makes no rules misses none, and where it cannot be told, both are named', () => {
    const off = { firewallBackend: undefined };
    assert.deepEqual(flushed(off), []);
    // /info was not read; a Docker that does not tell; one that tells less; one that has the same for both.
    const [older = assert.fail(), ...others] = [
      { ...off, version: '20.10.24+dfsg1' },
      { ...off, version: '28.0.4' },
      { ...off, id: '' },
      { version: '29.1.0' },
    ].flatMap(told => flushed(told));
    assert.equal(others.length, 3);
    assert.match(older.message, /or Docker is told to make no rules \("iptables": false\); the LAN still reaches them/);
    const [unproxied = assert.fail()] = flushed({}, false);
    assert.doesNotMatch(unproxied.message, /still reaches/);
    // Without anything that listens there, nobody gets through.
    assert.doesNotMatch(flushed({}, false)[0]?.message ?? assert.fail(), /still reaches/);
  });

  test('a port is unpublished unless Docker was asked to open it, whether or not it has a port of the host', () => {
    for (const [mode, published] of [
      ['nat', '8121'],
      ['routed', ''],
      ['routed', '0'],
    ] as const) {
      const [finding = assert.fail(), ...others] = exposed(mode, published);
      assert.deepEqual([finding.ports, others], [[9000], []]);
      assert.match(finding.message, /: no IPv6 rule stands in the way$/);
    }
    // Docker filters, and was told to open the routed port alone.
    const opened = '-A DOCKER -d fd00:17::2/128 ! -i docker0 -o docker0 -p tcp -m tcp --dport 80 -j ACCEPT';
    const back = '-A FORWARD -i docker0 -j ACCEPT';
    assert.deepEqual(exposed('routed', '', forward6('-A FORWARD -o docker0 -j DOCKER', back, opened)), []);
    // A rule lets it through: no filter is missing.
    const [unprotected = assert.fail()] = exposed(
      'nat-unprotected',
      '8121',
      forward6('-A FORWARD -o docker0 -j DOCKER', back, '-A DOCKER ! -i docker0 -o docker0 -j ACCEPT'),
    );
    assert.match(unprotected.message, /: the gateway mode nat-unprotected of bridge opens every port/);
    assert.match(unprotected.fix ?? '', /another gateway_mode_ipv6/);
    const [admins = assert.fail()] = exposed(
      'nat',
      '8121',
      forward6('-A FORWARD -p tcp -m tcp --dport 9000 -j ACCEPT', '-A FORWARD -o docker0 -j DOCKER', back),
    );
    assert.match(admins.message, /: ip6 filter FORWARD rule 1.* lets it through$/);
  });

  test('a port on 127.0.0.1 is exposed unless raw drops what comes for it from outside', () => {
    assert.deepEqual(brief({ change: onLoopback(false) }), ['loopback-exposed c0']);
    assert.deepEqual(brief({ change: onLoopback(true) }), []);
  });
});
