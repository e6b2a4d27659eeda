import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import type { FindingContext, FindingDraft } from '../../source/facts/findings/detector.ts';
import { orphanRule } from '../../source/facts/findings/orphan-rule.ts';
import type { Finding } from '../../source/facts/schema.ts';
import { readDocker } from '../../source/host/docker.ts';
import { readNetfilter } from '../../source/host/netfilter/netfilter.ts';
import { parseRuleset } from '../../source/host/netfilter/nft.ts';
import { parseSave } from '../../source/host/netfilter/xtables.ts';
import type {
  ChainReading,
  ContainerReading,
  DockerReading,
  NetfilterReading,
  NetworkReading,
} from '../../source/host/readings.ts';
import { fixtureHost, hostFixtures } from '../fixtures/hosts.ts';
import { container, docker, endpoint, engine, link, network, now, ok, port, readings } from './build.ts';

const facts = {} as FindingContext['facts'];

/** nat rules as iptables-save prints them, reached from PREROUTING as Docker's are. */
function nat(...rules: string[]): NetfilterReading {
  const text = `*nat
:PREROUTING ACCEPT [0:0]
:DOCKER - [0:0]
:DOCKER-INGRESS - [0:0]
-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER-INGRESS
${rules.join('\n')}
COMMIT
`;
  return { chains: parseSave(text, 'ip').chains, tools: [], sets: {} };
}

const dnat = (to: string, chain = 'DOCKER'): string =>
  `-A ${chain} ! -i docker0 -p tcp -m tcp --dport 8080 -j DNAT --to-destination ${to}`;

const subnet = (name: string, rest: Partial<NetworkReading> = {}): NetworkReading =>
  network(name, { ipam: [{ subnet: '172.18.0.0/16', gateway: '172.18.0.1' }], ...rest });

interface Case {
  netfilter: NetfilterReading;
  docker?: DockerReading;
  links?: ReturnType<typeof link>[];
  earlier?: FindingContext['earlier'];
  previous?: Finding[];
  at?: { docker: number; netfilter: number };
}

function detect({ netfilter, docker: reading, links = [], earlier, previous = [], at }: Case): FindingDraft[] {
  const all = readings({
    docker: ok(reading ?? docker({ networks: [subnet('app')] }), at?.docker ?? now),
    netfilter: ok(netfilter, at?.netfilter ?? now),
    links: ok({ links, routes: [], traffic: {} }),
  });
  return orphanRule.detect({ readings: all, facts, now, previous, ...(earlier && { earlier }) });
}

const names = (found: FindingDraft[]): string[] => found.map(({ subject }) => subject.name);

const app = (rest: Partial<ContainerReading>) =>
  docker({ networks: [subnet('app')], containers: [container('app', rest)] });

const quiet = (of: Case) => assert.deepEqual(names(detect(of)), []);

suite('orphan-rule', () => {
  test('a DNAT of Docker’s to an address that nobody has', () => {
    const [finding, more] = detect({ netfilter: nat(dnat('172.18.0.9:80')) });
    assert.equal(more, undefined);
    assert.deepEqual(finding, {
      subject: {
        kind: 'rule',
        id: 'DNAT 0.0.0.0:8080/tcp → 172.18.0.9:80',
        name: 'DNAT 0.0.0.0:8080/tcp → 172.18.0.9:80',
      },
      message:
        'DNAT 0.0.0.0:8080/tcp → 172.18.0.9:80 takes traffic to an address in network app, but no running container has it',
      evidence: [
        { source: 'iptables-save -t nat', text: dnat('172.18.0.9:80') },
        { source: 'docker ps', text: 'no running container has 172.18.0.9' },
      ],
      fix: `Restart the Docker daemon, which writes its rules anew, or remove the rule: iptables -t nat ${dnat('172.18.0.9:80').replace('-A', '-D')}`,
      confirm: 'iptables-save -t nat | grep -F 172.18.0.9:80; docker network inspect app',
      containerIds: [],
      ports: [{ proto: 'tcp', address: '0.0.0.0', port: 8080 }],
    });
  });

  test('a comment does not become a command in what is to be copied', () => {
    const rule = dnat('172.18.0.9:80').replace(
      '-j DNAT',
      String.raw`-m comment --comment "\"; $(reboot) it\'s" -j DNAT`,
    );
    const [finding] = detect({ netfilter: nat(rule) });
    assert.ok(finding?.fix?.includes(String.raw`--comment '"; $(reboot) it'\''s' -j DNAT`), finding?.fix);
  });

  test('also when its network is gone, and in Docker’s nftables', () => {
    assert.deepEqual(names(detect({ netfilter: nat(dnat('172.30.0.9:80')) })), [
      'DNAT 0.0.0.0:8080/tcp → 172.30.0.9:80',
    ]);
    const tcp8080 = { match: { op: '==', left: { payload: { protocol: 'tcp', field: 'dport' } }, right: 8080 } };
    const chains: ChainReading[] = parseRuleset(
      JSON.stringify({
        nftables: [
          { chain: { family: 'ip6', table: 'docker-bridges', name: 'c', hook: 'prerouting', prio: -100, type: 'nat' } },
          {
            rule: {
              family: 'ip6',
              table: 'docker-bridges',
              chain: 'c',
              handle: 7,
              expr: [tcp8080, { dnat: { addr: 'fd00:1::9', port: 80 } }],
            },
          },
        ],
      }),
    ).chains;
    const [finding] = detect({ netfilter: { chains, tools: [], sets: {} } });
    assert.equal(finding?.subject.name, 'DNAT [::]:8080/tcp → [fd00:1::9]:80');
    assert.match(finding.fix ?? '', /nft delete rule ip6 docker-bridges c handle 7/);
    assert.deepEqual(finding.ports, [{ proto: 'tcp', address: '::', port: 8080 }]);
  });

  test('an administrator’s DNAT into a Docker subnet, but not to his LAN', () => {
    const rules = nat(dnat('172.18.0.9:80', 'PREROUTING'), dnat('192.0.2.7:80', 'PREROUTING'));
    const found = detect({ netfilter: rules });
    assert.deepEqual(names(found), ['DNAT 0.0.0.0:8080/tcp → 172.18.0.9:80']);
    assert.match(found[0]?.fix ?? '', /^Publish the port/);
  });

  const at9 = [endpoint('app', { ipv4: '172.18.0.9', endpointId: 'e' })];
  const rule = nat(dnat('172.18.0.9:80'));

  test('an address of a container that runs, or is paused, is somebody’s; of one that does not, nobody’s', () => {
    assert.deepEqual(detect({ netfilter: rule, docker: app({ endpoints: at9 }) }), []);
    assert.deepEqual(detect({ netfilter: rule, docker: app({ endpoints: at9, state: 'paused' }) }), []);
    assert.equal(detect({ netfilter: rule, docker: app({ endpoints: at9, state: 'exited' }) }).length, 1);
  });

  test('no alarm for addresses that are not containers’ to have', () => {
    quiet({ netfilter: nat(dnat('172.18.0.9:80', 'DOCKER-INGRESS')) });
    quiet({ netfilter: rule, docker: docker({ networks: [subnet('docker_gwbridge')] }) });
    quiet({ netfilter: rule, docker: docker({ networks: [subnet('lan', { driver: 'macvlan' })] }) });
    quiet({ netfilter: rule, docker: docker({ networks: [subnet('over', { driver: 'overlay' })] }) });
    quiet({ netfilter: nat(dnat('172.18.0.1:80', 'PREROUTING')) });
    quiet({ netfilter: nat(dnat('127.0.0.1:80')) });
    const eth0 = link(2, 'eth0', {
      addresses: [{ family: 4, address: '172.18.0.9', prefixLength: 16, scope: 'global' }],
    });
    quiet({ netfilter: rule, links: [eth0] });
  });

  test('a rule that nothing leads to does no harm', () => {
    const text = `*nat\n:PREROUTING ACCEPT [0:0]\n:DOCKER - [0:0]\n${dnat('172.18.0.9:80')}\nCOMMIT\n`;
    assert.deepEqual(detect({ netfilter: { chains: parseSave(text, 'ip').chains, tools: [], sets: {} } }), []);
  });

  test('rules of this host say nothing about a daemon elsewhere', () => {
    for (const rest of [{ local: false }, { rootless: true }, { local: undefined }]) {
      assert.deepEqual(
        detect({ netfilter: rule, docker: docker({ engine: engine(rest), networks: [subnet('app')] }) }),
        [],
      );
    }
  });

  test('nobody is judged while the addresses of a running container are not known', () => {
    assert.deepEqual(detect({ netfilter: rule, docker: app({ endpoints: [endpoint('app')] }) }), []);
    assert.deepEqual(detect({ netfilter: rule, docker: app({ endpoints: [], inspectError: 'timeout' }) }), []);
    assert.equal(detect({ netfilter: rule, docker: app({ endpoints: [], networkMode: 'host' }) }).length, 1);
  });

  test('with one look: not while a container that asks for the port has just come or gone', () => {
    const asks = { requestedPorts: [port('8080', 80)], endpoints: [] as never[] };
    const gone = (finishedAt: number) => app({ ...asks, state: 'exited', finishedAt });
    assert.deepEqual(detect({ netfilter: rule, docker: gone(now - 1000) }), []);
    assert.equal(detect({ netfilter: rule, docker: gone(now - 60_000) }).length, 1);
  });

  test('with a second look: the rule must be there before and after Docker was asked', () => {
    const look = (before: NetfilterReading | undefined, beforeAt: number, dockerAt: number, netfilterAt: number) =>
      names(
        detect({
          netfilter: rule,
          earlier: { inside: {}, ...(before && { netfilter: ok(before, beforeAt) }) },
          at: { docker: dockerAt, netfilter: netfilterAt },
        }),
      ).length;
    assert.equal(look(rule, now - 30_000, now - 10_000, now), 1);
    assert.equal(look(undefined, 0, now - 10_000, now), 0, 'seen once');
    assert.equal(look(nat(), now - 30_000, now - 10_000, now), 0, 'it was not there: of a container about to start');
    assert.equal(look(rule, now - 30_000, now, now - 10_000), 0, 'rules older than the list: of one that stopped');
    assert.equal(look(rule, now - 10_500, now - 10_000, now), 0, 'a start takes a while');
  });

  test('once raised it stays, whatever was read last', () => {
    const [first] = detect({ netfilter: rule });
    assert.ok(first);
    const previous: Finding[] = [{ id: 'x', code: 'orphan-rule', severity: 'warning', since: '', ...first }];
    const again = detect({
      netfilter: rule,
      previous,
      earlier: { inside: {} },
      at: { docker: now, netfilter: now - 9000 },
    });
    assert.deepEqual(again, [first]);
    assert.deepEqual(detect({ netfilter: nat(), previous, earlier: { inside: {} } }), []);
  });

  test('the same DNAT twice is one finding with both rules', () => {
    const twice = nat(dnat('172.18.0.9:80'), dnat('172.18.0.9:80').replace('! -i docker0', '-i eth0'));
    const [finding, more] = detect({ netfilter: twice });
    assert.equal(more, undefined);
    assert.equal(finding?.evidence.length, 3);
  });

  for (const name of hostFixtures) {
    test(`no orphan on the recorded host with Docker ${name}, one for each container taken away`, async () => {
      const host = await fixtureHost(name);
      const netfilter = (await readNetfilter(host)).value;
      const reading = (await readDocker(host)).value;
      const local = { ...reading, engine: { ...reading.engine, local: true } };
      assert.deepEqual(names(detect({ netfilter, docker: local })), []);
      const without = { ...local, containers: local.containers.filter(item => item.name !== 'range') };
      assert.equal(detect({ netfilter, docker: without }).length, 5);
    });
  }
});
