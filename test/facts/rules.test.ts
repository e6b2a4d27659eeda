import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { isRunning } from '../../source/facts/netns.ts';
import { dnatRules, ruleRows } from '../../source/facts/rules.ts';
import type { Rule } from '../../source/facts/schema.ts';
import { readDocker } from '../../source/host/docker.ts';
import { readNetfilter } from '../../source/host/netfilter/netfilter.ts';
import { parseRuleset } from '../../source/host/netfilter/nft.ts';
import { parseSave } from '../../source/host/netfilter/xtables.ts';
import type { ChainReading, NetfilterReading } from '../../source/host/readings.ts';
import { fixtureHost, type HostFixture, hostFixtures } from '../fixtures/hosts.ts';
import { container, docker, endpoint, engine, hexId, network, port } from './build.ts';

const reading = (chains: ChainReading[]): NetfilterReading => ({ chains, tools: [], sets: {} });
/** The rows of one table of iptables, its chains declared by the rules themselves. */
function table(name: string, text: string, family: 'ip' | 'ip6' = 'ip'): ChainReading[] {
  return parseSave(`*${name}\n${text.trim()}\nCOMMIT\n`, family).chains;
}
const authors = (rows: Rule[]): [string, string][] =>
  rows.filter(row => row.number > 0).map(row => [row.text, row.author]);

async function recorded(name: HostFixture) {
  const host = await fixtureHost(name);
  const [{ value: netfilter }, { value }] = [await readNetfilter(host), await readDocker(host)];
  return { netfilter, docker: value, rows: ruleRows(netfilter, value) };
}

suite('rules of recorded hosts', () => {
  for (const name of hostFixtures) {
    test(`Docker ${name}: each published port's DNAT names its container and nobody else`, async () => {
      const { docker: reading_, rows } = await recorded(name);
      // What Docker says: published on an IPv4 address, by a container that does not restart all the time.
      const published = reading_.containers
        .filter(item => isRunning(item) && item.restartCount === 0)
        .flatMap(item =>
          item.publishedPorts
            .filter(({ hostIp, hostPort }) => hostIp.includes('.') && hostPort !== '')
            .map(({ proto, hostPort }) => `${item.name} ${hostPort}/${proto}`),
        );
      const names = new Map(reading_.containers.map(item => [item.id, item.name]));
      const dnats = rows
        .filter(row => row.family === 'ip' && row.action.startsWith('dnat'))
        .map(row => {
          const [, proto, hostPort] = /(tcp|udp)(?: --)? ?dport (\d+)/.exec(row.text) ?? [];
          return `${row.containerIds.map(id => names.get(id)).join('+')} ${hostPort}/${proto}`;
        });
      assert.ok(published.length >= 18);
      assert.deepEqual(dnats.sort(), published.sort());
    });

    test(`Docker ${name}: every rule of Docker's is known as such, and no other`, async () => {
      const { rows } = await recorded(name);
      const others = rows
        .filter(row => row.author !== 'docker' && row.number > 0)
        .map(row => `${row.table} ${row.text}`);
      const own = 'tcp dport 9090 counter packets 0 bytes 0 accept';
      assert.equal(others.length, 4, others.join('\n'));
      assert.ok(others.includes(`hostfw ${own}`));
      assert.ok(others.some(text => text.includes('8091')));
    });

    test(`Docker ${name}: each rule is a row once`, async () => {
      const { netfilter, rows } = await recorded(name);
      const count = netfilter.chains.reduce((sum, chain) => sum + chain.rules.length, 0);
      assert.equal(rows.filter(row => row.number > 0).length, count);
      const keys = rows.map(row => `${row.backend} ${row.family} ${row.table} ${row.chain} ${row.number}`);
      assert.equal(new Set(keys).size, keys.length);
    });
  }

  test('a container has its DNAT, its MASQUERADE and its ACCEPT (20.10)', async () => {
    const { docker: reading_, rows } = await recorded('20');
    const web = reading_.containers.find(item => item.name === 'web');
    const own = rows.filter(row => row.containerIds.includes(web?.id ?? ''));
    assert.deepEqual(
      own.map(row => [row.chain, row.action]),
      [
        ['DOCKER', 'dnat 172.17.0.2:80'],
        ['DOCKER', 'accept'],
        ['POSTROUTING', 'masquerade'],
      ],
    );
    assert.deepEqual(own[0]?.networkIds, [reading_.networks.find(item => item.name === 'bridge')?.id]);
  });

  test("an administrator's rule on the original port names the container that publishes it", async () => {
    for (const name of ['26', '29-nftables'] as const) {
      const { docker: reading_, rows } = await recorded(name);
      const row = rows.find(item => item.author === 'admin' && item.text.includes('8091'));
      assert.deepEqual(row?.containerIds, [reading_.containers.find(item => item.name === 'fw')?.id]);
    }
  });

  test('a loopback drop names the container that publishes there, by port and address', async () => {
    const { docker: reading_, rows } = await recorded('28');
    const row = rows.find(item => item.table === 'raw' && item.text.includes('127.0.0.1'));
    assert.deepEqual(row?.containerIds, [reading_.containers.find(item => item.name === 'local')?.id]);
  });

  test("in Docker's nftables a rule belongs to the network of its chain", async () => {
    const { docker: reading_, rows } = await recorded('29-nftables');
    const row = rows.find(item => item.chain === 'filter-forward-in__br-noicc' && item.text.includes('UNPUBLISHED'));
    assert.deepEqual(row?.networkIds, [reading_.networks.find(item => item.name === 'noicc')?.id]);
  });
});

suite('evaluation order', () => {
  test('hooks, then priority, jumps where they happen, policy last, unreachable chains at the end', () => {
    const filter = table(
      'filter',
      `:INPUT ACCEPT [0:0]
:FORWARD DROP [0:0]
:a - [0:0]
:b - [0:0]
:lost - [0:0]
-A FORWARD -j a
-A FORWARD -i eth0 -j a
-A FORWARD -j ACCEPT
-A a -g b
-A b -j DROP
-A lost -j DROP`,
    );
    const raw = table('raw', ':PREROUTING ACCEPT [0:0]\n-A PREROUTING -j ACCEPT');
    const nat = table('nat', ':PREROUTING ACCEPT [0:0]\n:POSTROUTING ACCEPT [0:0]');
    const native = parseRuleset(
      JSON.stringify({
        nftables: [
          { chain: { family: 'inet', table: 't', name: 'early', hook: 'forward', prio: -10, policy: 'accept' } },
          { chain: { family: 'inet', table: 't', name: 'late', hook: 'forward', prio: 10, policy: 'drop' } },
        ],
      }),
    ).chains;
    const rows = ruleRows(reading([...native, ...filter, ...nat, ...raw]));
    assert.deepEqual(
      rows.map(row => `${row.table} ${row.chain} ${row.number} ${row.action}`),
      [
        'raw PREROUTING 1 accept',
        'raw PREROUTING 0 accept',
        'nat PREROUTING 0 accept',
        'filter INPUT 0 accept',
        't early 0 accept',
        'filter FORWARD 1 jump a',
        'filter a 1 goto b',
        'filter b 1 drop',
        'filter FORWARD 2 jump a',
        'filter FORWARD 3 accept',
        'filter FORWARD 0 drop',
        't late 0 drop',
        'nat POSTROUTING 0 accept',
        'filter lost 1 drop',
      ],
    );
    assert.deepEqual([rows[5]?.hook, rows[6]?.hook], ['forward', undefined]);
  });
});

suite('authors', () => {
  test('ufw, fail2ban and ufw-docker in iptables', () => {
    const rows = ruleRows(
      reading(
        table(
          'filter',
          `:INPUT DROP [0:0]
:FORWARD DROP [0:0]
:DOCKER-USER - [0:0]
:f2b-sshd - [0:0]
:ufw-before-input - [0:0]
:ufw-user-forward - [0:0]
:ufw-user-input - [0:0]
-A INPUT -p tcp -m multiport --dports 22 -j f2b-sshd
-A INPUT -j ufw-before-input
-A INPUT -p tcp -m tcp --dport 9100 -j ACCEPT
-A FORWARD -j DOCKER-USER
-A DOCKER-USER -j ufw-user-forward
-A DOCKER-USER -s 10.0.0.0/8 -j RETURN
-A DOCKER-USER -j RETURN
-A f2b-sshd -s 198.51.100.7/32 -j REJECT --reject-with icmp-port-unreachable
-A ufw-before-input -j ufw-user-input
-A ufw-user-input -p tcp -m tcp --dport 22 -j ACCEPT`,
        ),
      ),
    );
    assert.deepEqual(authors(rows), [
      ['-A INPUT -p tcp -m multiport --dports 22 -j f2b-sshd', 'fail2ban'],
      ['-A f2b-sshd -s 198.51.100.7/32 -j REJECT --reject-with icmp-port-unreachable', 'fail2ban'],
      ['-A INPUT -j ufw-before-input', 'ufw'],
      ['-A ufw-before-input -j ufw-user-input', 'ufw'],
      ['-A ufw-user-input -p tcp -m tcp --dport 22 -j ACCEPT', 'ufw'],
      ['-A INPUT -p tcp -m tcp --dport 9100 -j ACCEPT', 'admin'],
      ['-A FORWARD -j DOCKER-USER', 'docker'],
      ['-A DOCKER-USER -j ufw-user-forward', 'ufw'],
      ['-A DOCKER-USER -s 10.0.0.0/8 -j RETURN', 'admin'],
      ['-A DOCKER-USER -j RETURN', 'docker'],
    ]);
  });

  test('kube-proxy and libvirt', () => {
    const rows = ruleRows(
      reading(
        table(
          'nat',
          `:PREROUTING ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
:KUBE-SERVICES - [0:0]
:LIBVIRT_PRT - [0:0]
-A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-A KUBE-SERVICES -d 10.96.0.1/32 -p tcp -m comment --comment "default/kubernetes:https cluster IP" -m tcp --dport 443 -j RETURN
-A POSTROUTING -j LIBVIRT_PRT
-A POSTROUTING -s 192.168.122.0/24 ! -o virbr0 -j MASQUERADE
-A LIBVIRT_PRT -s 192.168.122.0/24 -d 224.0.0.0/24 -j RETURN`,
        ),
      ),
    );
    assert.deepEqual(
      rows.filter(row => row.number > 0).map(row => row.author),
      ['kubernetes', 'kubernetes', 'libvirt', 'libvirt', 'libvirt'],
    );
    const policies = rows.filter(row => row.number === 0).map(row => row.author);
    assert.deepEqual([...new Set(policies)], ['unknown']);
  });

  test('firewalld in nftables, and in iptables only where its own chains are', () => {
    const native = parseRuleset(
      JSON.stringify({
        nftables: [
          {
            chain: {
              family: 'inet',
              table: 'firewalld',
              name: 'filter_INPUT',
              hook: 'input',
              prio: 10,
              policy: 'accept',
            },
          },
          { rule: { family: 'inet', table: 'firewalld', chain: 'filter_INPUT', expr: [{ accept: null }] } },
        ],
      }),
    ).chains;
    assert.deepEqual(authors(ruleRows(reading(native))), [['accept', 'firewalld']]);
    const rules = ':INPUT ACCEPT [0:0]\n:IN_public - [0:0]\n-A INPUT -j IN_public\n-A IN_public -j ACCEPT';
    const [alone, withZones] = [rules, `:INPUT_ZONES - [0:0]\n${rules}`].map(text =>
      authors(ruleRows(reading(table('filter', text)))).map(([, author]) => author),
    );
    assert.deepEqual(alone, ['admin', 'admin']);
    assert.deepEqual(withZones, ['firewalld', 'firewalld']);
  });

  test("a rule on a Docker bridge that is not in Docker's shape is the administrator's", () => {
    const rules = `:FORWARD ACCEPT [0:0]
-A FORWARD -i docker0 -j DROP
-A FORWARD -i docker0 -o docker0 -j DROP
-A FORWARD -i docker0 ! -o docker0 -j ACCEPT
-A FORWARD -i eth0 ! -o docker0 -j ACCEPT`;
    const open = ruleRows(reading(table('filter', rules)), docker());
    assert.deepEqual(
      authors(open).map(([, author]) => author),
      ['admin', 'admin', 'docker', 'admin'],
      'Docker drops within a bridge only with icc=false',
    );
    const closed = docker();
    const [bridge] = closed.networks;
    if (bridge) bridge.options['com.docker.network.bridge.enable_icc'] = 'false';
    assert.equal(authors(ruleRows(reading(table('filter', rules)), closed))[1]?.[1], 'docker');
  });
});

suite('whom rules name', () => {
  const app = network('app', { ipam: [{ subnet: '172.18.0.0/16', gateway: '172.18.0.1' }] });
  const web = container('web', {
    endpoints: [endpoint('app', { ipv4: '172.18.0.2', ipv6: 'fd00::2' })],
    publishedPorts: [port('8080', 80, { hostIp: '10.0.0.5' })],
  });
  const gone = container('gone', { state: 'exited', endpoints: [endpoint('app', { ipv4: '172.18.0.3' })] });
  const named = (name: string, rule: string, family: 'ip' | 'ip6' = 'ip', rest = {}) => {
    const chains = table(name, `:PREROUTING ACCEPT [0:0]\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n${rule}`, family);
    const rows = ruleRows(reading(chains), docker({ containers: [web, gone], networks: [app], ...rest }));
    const row = rows.find(item => item.number > 0);
    return [row?.containerIds.length, row?.networkIds];
  };

  test('a running container by address, a network by bridge and subnet', () => {
    assert.deepEqual(named('filter', '-A FORWARD -d 172.18.0.2/32 -j DROP'), [1, []]);
    assert.deepEqual(named('filter', '-A FORWARD -d fd00::2/128 -j DROP', 'ip6'), [1, []]);
    assert.deepEqual(named('filter', '-A FORWARD -d 172.18.0.3/32 -j DROP'), [0, []]);
    assert.deepEqual(named('filter', '-A FORWARD ! -s 172.18.0.0/16 -j DROP'), [0, [hexId('net-app')]]);
    assert.deepEqual(named('filter', `-A FORWARD -o br-${hexId('net-app').slice(0, 12)} -j DROP`), [
      0,
      [hexId('net-app')],
    ]);
  });

  test('a published port only where a destination port is still the host’s', () => {
    assert.deepEqual(named('filter', '-A INPUT -p tcp -m tcp --dport 8080 -j DROP'), [1, []]);
    assert.deepEqual(named('filter', '-A INPUT -p tcp -m tcp --dport 8000:8010 -j DROP'), [0, []]);
    assert.deepEqual(named('filter', '-A INPUT -p tcp -m tcp --dport 8079:8081 -j DROP'), [1, []]);
    assert.deepEqual(
      named('filter', '-A INPUT -p tcp -m tcp --dport 1:65535 -j DROP'),
      [0, []],
      'a range names nobody',
    );
    assert.deepEqual(named('filter', '-A INPUT -p udp -m udp --dport 8080 -j DROP'), [0, []]);
    assert.deepEqual(named('filter', '-A INPUT -p tcp -m tcp --dport 8080 -j DROP', 'ip6'), [0, []]);
    assert.deepEqual(named('filter', '-A INPUT -d 10.0.0.9/32 -p tcp -m tcp --dport 8080 -j DROP'), [0, []]);
    assert.deepEqual(named('raw', '-A PREROUTING -d 10.0.0.0/24 -p tcp -m tcp --dport 8080 -j DROP'), [1, []]);
    assert.deepEqual(named('filter', '-A FORWARD -p tcp -m tcp --dport 8080 -j DROP'), [0, []], 'after DNAT it is not');
    assert.deepEqual(
      named('filter', '-A FORWARD -p tcp -m conntrack --ctorigdstport 8080 -j DROP'),
      [1, []],
      'conntrack remembers it',
    );
  });

  test('nobody when the daemon is rootless, in another netns', () => {
    const rest = { engine: engine({ rootless: true }) };
    assert.deepEqual(named('filter', '-A FORWARD -d 172.18.0.2/32 -j DROP', 'ip', rest), [0, []]);
  });
});

test('DNATs come with what they ask for and where they lead', () => {
  const chains = [
    ...table(
      'nat',
      `:PREROUTING ACCEPT [0:0]
:DOCKER - [0:0]
:lost - [0:0]
-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
-A DOCKER -d 10.0.0.1/32 ! -i docker0 -p tcp -m tcp --dport 8080 -j DNAT --to-destination 172.17.0.2:80
-A DOCKER ! -d 10.0.0.0/8 -j DNAT --to-destination 172.17.0.3-172.17.0.4
-A lost -p udp -m udp --dport 53:54 -j DNAT --to-destination :5353`,
    ),
    ...table('nat', ':PREROUTING ACCEPT [0:0]\n-A PREROUTING -p tcp -j DNAT --to-destination [fd00::2]:80', 'ip6'),
  ];
  assert.deepEqual(
    dnatRules(reading(chains)).map(({ rule, chain, hooks, ...rest }) => [chain.name, rule.number, [...hooks], rest]),
    [
      [
        'DOCKER',
        1,
        ['prerouting'],
        {
          family: 4,
          proto: 'tcp',
          hostIp: '10.0.0.1',
          hostPorts: [[8080, 8080]],
          toAddress: '172.17.0.2',
          toPort: [80, 80],
        },
      ],
      ['DOCKER', 2, ['prerouting'], { family: 4 }],
      ['lost', 1, [], { family: 4, proto: 'udp', hostPorts: [[53, 54]], toPort: [5353, 5353] }],
      ['PREROUTING', 1, ['prerouting'], { family: 6, proto: 'tcp', toAddress: 'fd00::2', toPort: [80, 80] }],
    ],
  );
});
