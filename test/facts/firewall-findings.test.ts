/** The findings that compare what is open with what the firewall reads as: none on a host without a firewall of its own. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseSave } from '../../source/host/netfilter/xtables.ts';
import type { Finding } from '../../source/facts/schema.ts';
import { judging } from './judging.ts';
import { proxy, socket } from './build.ts';
import { walkReadings, type HostOptions } from './walk/host.ts';

const codes = new Set(['exposed-past-firewall', 'direct-access-blocked', 'family-asymmetry']);

const found = (options: HostOptions): Finding[] => judging(walkReadings(options)).filter(({ code }) => codes.has(code));
const brief = (options: HostOptions): string[] => found(options).map(({ code, subject }) => `${code} ${subject.name}`);
const input = (rule: string) => ['filter', 'INPUT', rule] as const;
const user = (rule: string) => ['filter', 'DOCKER-USER', rule] as const;

const known = input('-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT');
const local = input('-i lo -j ACCEPT');
const closed = { policies: { INPUT: 'DROP' }, rules: [known, local] } as const;

const counted =
  (packets: number): HostOptions['change'] =>
  same => {
    const value = same.netfilter.value!;
    const chains = value.chains.map(chain =>
      chain.table === 'raw' ? { ...chain, rules: chain.rules.map(rule => ({ ...rule, packets })) } : chain,
    );
    return { ...same, netfilter: { ...same.netfilter, value: { ...value, chains } } };
  };

/** The same host with IPv6 on eth0, where docker-proxy serves the port. */
const withV6 =
  (inputRules: string): HostOptions['change'] =>
  same => {
    const { links, docker, sockets, processes, netfilter } = same;
    const text = `*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n${inputRules}\nCOMMIT\n`;
    const six = { family: 6 as const, address: 'fd00:77::100', prefixLength: 64, scope: 'global' };
    const base = { family: 6 as const, device: 'eth0', protocol: 'kernel', flags: [] };
    const held = proxy(6000, '::', 8000, '172.17.0.3', 80);
    return {
      ...same,
      docker: {
        ...docker,
        value: {
          ...docker.value!,
          containers: docker.value!.containers.map(each => ({
            ...each,
            publishedPorts: [...each.publishedPorts, ...each.publishedPorts.map(port => ({ ...port, hostIp: '::' }))],
          })),
        },
      },
      links: {
        ...links,
        value: {
          ...links.value!,
          links: links.value!.links.map(each =>
            each.name === 'eth0' ? { ...each, addresses: [...each.addresses, six] } : each,
          ),
          routes: [
            ...links.value!.routes,
            { ...base, destination: 'fd00:77::100/128', table: 'local', type: 'local' },
            { ...base, destination: 'fd00:77::/64', table: 'main', type: 'unicast' },
          ],
        },
      },
      sockets: {
        ...sockets,
        value: {
          ...sockets.value!,
          listeners: [
            ...sockets.value!.listeners,
            { ...socket('::', 8000, { processes: [{ pid: 6000, name: 'docker-proxy' }] }), v6only: true },
          ],
        },
      },
      processes: {
        ...processes,
        value: { ...processes.value!, proxies: [...processes.value!.proxies, held] },
      },
      netfilter: {
        ...netfilter,
        value: { ...netfilter.value!, chains: [...netfilter.value!.chains, ...parseSave(text, 'ip6').chains] },
      },
    };
  };

describe('exposed-past-firewall', () => {
  test('is raised when INPUT drops what FORWARD lets through', () => {
    assert.deepEqual(brief(closed), ['exposed-past-firewall c0']);
    const [only] = found(closed);
    assert.match(only?.message ?? '', /open to the LAN of eth0 .*policy drop of ip filter INPUT/);
    assert.match(only?.fix ?? '', /DOCKER-USER -i eth0 -p tcp -m conntrack --ctorigdstport 8000 --ctdir ORIGINAL/);
    assert.deepEqual(only?.ports, [{ proto: 'tcp', address: '0.0.0.0', port: 8000 }]);
    const drops = { rules: [known, local, input('-i eth0 -p tcp -m tcp --dport 8000 -j DROP')] };
    assert.deepEqual(brief(drops), ['exposed-past-firewall c0']);
  });

  test('is raised for ufw, and names it', () => {
    const rules = [known, local, input('-j ufw-user-input'), ['filter', 'ufw-user-input', '-j DROP'] as const];
    const [only] = found({ rules, chains: ['ufw-user-input'] });
    assert.match(only?.message ?? '', /although ufw reads as closed/);
    // ufw's default: the policy of INPUT drops, behind chains of its own.
    const policy = [
      ...closed.rules,
      input('-j ufw-before-input'),
      ['filter', 'ufw-before-input', '-i lo -j ACCEPT'] as const,
    ];
    const [other] = found({ ...closed, rules: policy, chains: ['ufw-before-input'] });
    assert.match(other?.message ?? '', /although ufw reads as closed there \(policy drop of ip filter INPUT\)/);
    const track = (rule: string): HostOptions => ({
      ...closed,
      rules: [
        ...closed.rules,
        ['filter', 'FORWARD', '-j ufw-track-forward'],
        ['filter', 'ufw-track-forward', `${rule} -j ACCEPT`],
      ],
      chains: ['ufw-track-forward'],
    });
    assert.deepEqual(brief(track('-p tcp -m conntrack --ctstate NEW')), ['exposed-past-firewall c0']);
    assert.deepEqual(brief(track('-p tcp -m tcp --dport 80')), []);
  });

  test('is not raised without a firewall, where INPUT lets the port in, or where it is blocked anyway', () => {
    assert.deepEqual(brief({}), []);
    assert.deepEqual(brief({ rules: [input('-p tcp -m tcp --dport 8001 -j DROP')] }), []);
    assert.deepEqual(brief({ ...closed, rules: [...closed.rules, input('-p tcp -m tcp --dport 8000 -j ACCEPT')] }), []);
    assert.deepEqual(brief({ ...closed, rules: [...closed.rules, input('-s 10.77.0.0/24 -j ACCEPT')] }), []);
    assert.deepEqual(brief({ ...closed, rules: [...closed.rules, user('-i eth0 -j DROP')] }), []);
  });

  test('is not raised for a port that the administrator lets through on purpose', () => {
    const dialled = '-i eth0 -p tcp -m conntrack --ctorigdstport 8000 --ctdir ORIGINAL';
    for (const meant of [
      [user(`${dialled} -j RETURN`), user('-i eth0 -j DROP')],
      [user('-p tcp -m tcp --dport 80 -j ACCEPT')],
    ]) {
      assert.deepEqual(brief({ ...closed, rules: [...closed.rules, ...meant] }), []);
    }
    // Neither Docker's own RETURN nor a rule for other packets says anything about this one.
    for (const other of [user('-j RETURN'), user('-s 192.0.2.1/32 -j RETURN')]) {
      assert.deepEqual(brief({ ...closed, rules: [...closed.rules, other] }), ['exposed-past-firewall c0']);
    }
  });

  test('is not raised where a rule cannot be evaluated, and stays while rules are read in part', () => {
    assert.deepEqual(brief({ ...closed, rules: [...closed.rules, input('-m owner --uid-owner 0 -j ACCEPT')] }), []);
    const whole = walkReadings(closed);
    const previous = judging(whole);
    for (const state of ['failed', 'partial'] as const) {
      const less = { ...whole, netfilter: { ...whole.netfilter, state, reason: 'lost' } };
      const after = judging(less, { previous }).filter(({ code }) => codes.has(code));
      assert.deepEqual(
        after.map(({ code, stale }) => [code, stale]),
        [['exposed-past-firewall', true]],
      );
    }
  });
});

describe('direct-access-blocked', () => {
  test('is raised once packets were counted, and tells how many', () => {
    assert.deepEqual(brief({ change: counted(0) }), []);
    const [only] = found({ change: counted(12) });
    assert.deepEqual([only?.code, only?.severity, only?.subject.name], ['direct-access-blocked', 'info', 'c0']);
    assert.match(only?.message ?? '', /have dropped 12 such packets/);
  });

  test('is not raised for what an administrator drops there', () => {
    const rules = [['raw', 'PREROUTING', '-i eth0 -p tcp -m tcp --dport 8000 -j DROP']] as const;
    const all = found({ rules, change: counted(7) });
    assert.deepEqual(
      all.map(({ evidence }) => evidence.map(({ text }) => text)),
      [['-A PREROUTING -d 172.17.0.3/32 ! -i docker0 -j DROP (7 packets)']],
    );
  });
});

describe('family-asymmetry', () => {
  test('is raised when rules leave one family open', () => {
    const v6 = { change: withV6('-A INPUT -p tcp -m tcp --dport 8000 -j DROP') };
    const [only] = found(v6);
    assert.deepEqual([only?.code, only?.severity, only?.subject.name], ['family-asymmetry', 'info', 'c0']);
    assert.match(only?.message ?? '', /reaches it over IPv4 only: ip6 filter INPUT rule 1/);
    const v4 = { change: withV6(''), rules: [user('-i eth0 -j DROP')] };
    assert.match(found(v4)[0]?.message ?? '', /reaches it over IPv6 only: ip filter DOCKER-USER rule 1/);
  });

  test('is not raised when both are open, both are closed, or one cannot be told', () => {
    assert.deepEqual(brief({ change: withV6('') }), []);
    assert.deepEqual(brief({ change: withV6('-A INPUT -j DROP'), rules: [user('-i eth0 -j DROP')] }), []);
    assert.deepEqual(brief({ change: withV6('-A INPUT -m owner --uid-owner 0 -j DROP') }), []);
  });
});
